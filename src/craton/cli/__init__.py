"""What a person types: one file per command, each imported only when it is called."""
