"""The store: uniform resource rows behind one small port, kept by SQL databases."""
