"""Replicas as a worker sees them: which seat takes a request, and where requests wait for one."""
