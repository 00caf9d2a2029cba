"""Recorded calls: the file they lie in, how a request finds its own, and how an answer is played again."""
