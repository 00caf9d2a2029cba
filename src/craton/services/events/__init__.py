"""EventBridge's operations: buses, rules, targets, and events put by customers."""
