"""The recipe of `craton.image-mini-v2`: shapes in colours from prompts in plain words."""
