"""Keys that live in the home directory or in the store: root keys, bearer keys, the home's own secrets."""
