"""CreateCustomModel: artifacts in S3 become a custom model."""
