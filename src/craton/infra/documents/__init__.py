"""Text out of files: a child process reads each one, so that a bad file fails alone."""
