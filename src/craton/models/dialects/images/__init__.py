"""Native schemas of image models, and what their fields have in common."""
