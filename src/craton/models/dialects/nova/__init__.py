"""Amazon Nova's messages-v1."""
