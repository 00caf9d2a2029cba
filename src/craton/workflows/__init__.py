"""The bodies of durable jobs: what is done for each kind, step by step."""
