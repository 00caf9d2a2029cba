"""Keys and what is sealed with them: the root key, KMS keys at rest, and envelope encryption of what is stored."""
