"""Users, groups, roles, policies and keys as rows of the store, and what the servers judge from made of them."""
