"""Evaluation as a durable job: read the datasets, ask the models, score the answers, write the scores."""
