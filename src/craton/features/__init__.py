"""What Craton does, one folder per feature."""
