"""Asynchronous invocations of functions as a durable job."""
