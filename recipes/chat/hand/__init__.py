"""Prompts written by hand, twenty and more a task; never trained on. Data and the check of an answer, nothing else."""
