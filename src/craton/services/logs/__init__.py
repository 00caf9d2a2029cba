"""CloudWatch Logs: groups, streams, events in and out, and the language of filter patterns."""
