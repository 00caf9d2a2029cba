"""Hosting: models that Craton runs itself."""
