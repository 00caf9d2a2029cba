"""Documents into the indices of knowledge bases: syncs of data sources, single documents, and deletions."""
