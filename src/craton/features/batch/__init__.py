"""Batch inference: what a job is, how its records are read and written, how hard its model is pressed."""
