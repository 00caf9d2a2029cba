"""Queries over log events in the language of CloudWatch Logs Insights: read, evaluated in a child process, asked."""
