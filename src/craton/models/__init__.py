"""What vendors speak: the canonical conversation, dialects, providers and the catalog."""
