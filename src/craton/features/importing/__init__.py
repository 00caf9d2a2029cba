"""Importing: whether a folder of files is a model that may be served here."""
