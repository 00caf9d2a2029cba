"""Requests and tokens per minute: leases of the buckets that the supervisor keeps."""
