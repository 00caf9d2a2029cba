"""What was served, counted: for CloudWatch's metrics of Bedrock and for Prometheus."""
