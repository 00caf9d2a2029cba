"""Where things are kept and run: one folder per port, each with its implementations."""
