"""Alarms: what one is, how its state is found, and what a change of state leads to."""
