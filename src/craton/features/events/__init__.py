"""Events on their way from whoever tells them to the targets of rules."""
