"""Asynchronous invocations: what one is, which bodies it takes, and where its results lie."""
