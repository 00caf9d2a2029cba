"""The operators of policy conditions: one file per family; `operators` joins them."""
