"""Alarms: looked at by the calendar, their actions as runs."""
