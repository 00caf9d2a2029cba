"""Cohere Command R on Bedrock."""
