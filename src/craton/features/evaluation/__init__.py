"""Evaluation: how good a model's answers are, by rules and by another model's judgement."""
