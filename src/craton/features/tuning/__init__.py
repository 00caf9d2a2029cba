"""Training: from a file of records to the weights of a custom model. Knows files and models, nothing of AWS or HTTP."""
