"""What is made of log events: filter patterns, metrics, deliveries and queries, without AWS's wire around them."""
