"""STS: who calls, and temporary credentials."""
