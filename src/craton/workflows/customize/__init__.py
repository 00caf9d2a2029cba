"""Model customization: from a file in S3 to a custom model."""
