"""Agentic retrieval: a model plans which searches answer a question, looks at what they found, and searches again."""
