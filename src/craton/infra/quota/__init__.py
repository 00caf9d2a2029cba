"""Quota buckets: kept by one server in memory, or by all servers of a place together in Redis or Valkey."""
