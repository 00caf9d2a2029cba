"""Scripted answers for people's own tests: rules, what they match, what they answer, and the calls that came."""
