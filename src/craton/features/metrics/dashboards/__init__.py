"""Dashboards and the pictures of their widgets."""
