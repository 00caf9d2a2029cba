"""What makes a request fit for a target that lacks something, and the answer what was asked for."""
