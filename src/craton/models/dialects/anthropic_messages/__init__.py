"""Anthropic Messages: the schema of Claude 3 and later, in Bedrock's form and the vendor's own."""
