"""Why something is allowed or not, for people who ask."""
