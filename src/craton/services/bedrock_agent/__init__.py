"""The bedrock-agent service."""
