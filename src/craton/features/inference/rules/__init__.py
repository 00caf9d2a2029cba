"""Bedrock's rules about what a request may hold."""
