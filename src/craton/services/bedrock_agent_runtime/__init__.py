"""The bedrock-agent-runtime service."""
