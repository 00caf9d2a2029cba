"""Documents to text: what type a file is, who reads it, and what is refused."""
