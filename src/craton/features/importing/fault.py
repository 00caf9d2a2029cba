"""What is wrong with a folder that somebody wants to import."""

from __future__ import annotations


class BadModel(Exception):
    """The folder is no model that can be imported; the message says what is wrong, and in which file."""
