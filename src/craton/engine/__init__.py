"""The model server that Craton ships: a program of its own (`python -m craton.engine`) that knows nothing of the rest."""
