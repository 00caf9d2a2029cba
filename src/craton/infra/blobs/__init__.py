"""Bytes under opaque ids: what objects, logs and results are made of, in files or in an outside S3."""
