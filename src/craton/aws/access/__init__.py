"""Who calls and what they may do, as pure functions of values."""
