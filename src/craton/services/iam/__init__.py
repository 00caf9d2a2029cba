"""IAM: users, groups, roles, policies and keys, by the operations of its own protocol."""
