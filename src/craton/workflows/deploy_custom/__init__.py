"""Deploying a custom model: it is Active once it has answered."""
