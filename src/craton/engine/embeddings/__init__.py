"""Encoders: models that turn a text into a vector (kind embedding) or a query and a document into a score (rerank)."""
