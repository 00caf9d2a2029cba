"""Batch inference as a durable job: read the input, ask the model, write the output, whatever happens meanwhile."""
