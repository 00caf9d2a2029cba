"""Answers from what was found: prompts, the conversation so far, and citations that are checked before they are given."""
