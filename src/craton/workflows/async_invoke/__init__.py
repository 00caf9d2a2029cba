"""Asynchronous invocations as a durable job: ask the model, put what it makes into the caller's bucket."""
