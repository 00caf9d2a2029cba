"""Native schemas of reranking models: read and write, request and reply."""
