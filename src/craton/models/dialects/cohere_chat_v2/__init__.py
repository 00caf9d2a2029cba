"""Cohere's own v2 chat, as its service speaks it."""
