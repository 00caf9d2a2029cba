"""Metric math: expressions over series of numbers."""
