"""Recipes that make the models in the box. Not part of the installed package."""
