"""Providers: one file per upstream: URL, credentials, pooling, error mapping. What is said is the dialects' business."""
