"""What Bedrock offers: model ids, their facts, system inference profiles and what each family can do, as data."""
