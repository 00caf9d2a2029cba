"""The engine's image models: pipelines of `diffusers` from a directory, and the small painter in the box."""
