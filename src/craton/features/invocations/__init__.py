"""Invocation logs: what was asked of models and what they answered, on its way to the customer's bucket and log group."""
