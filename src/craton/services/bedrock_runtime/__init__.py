"""The bedrock-runtime service."""
