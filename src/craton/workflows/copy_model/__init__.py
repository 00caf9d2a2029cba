"""Copying a model to another Region or account, as a durable job."""
