"""The bedrock service (control plane)."""
