"""The sides of bench/engine.py: each a process that answers the same question about the same weights."""
