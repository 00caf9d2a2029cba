"""Durable runs: who works on which job, and what of it is done."""
