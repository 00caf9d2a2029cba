"""Native schemas of embedding models: read and write, request and reply."""
