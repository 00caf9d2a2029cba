"""The tiny pipeline of `diffusers` that tests open: built, not trained."""
