"""Model import as a durable job: a folder in S3 becomes a model that is served, or nothing is left of it."""
