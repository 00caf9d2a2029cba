"""Records that wait on this machine's disk, sealed, until somebody has taken them further."""
