"""Web pages as documents: which may be asked for, and how politely."""
