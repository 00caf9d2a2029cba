"""Lambda functions: what they are as rows, their code, and what runs them."""
