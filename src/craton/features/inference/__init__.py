"""Inference: from a model id to an answer (resolve, rules, balance, run, stream)."""
