"""Containers of models: commands, root folders and OCI images, each in a network of its own."""
