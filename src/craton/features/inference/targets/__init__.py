"""Targets: what is known of each upstream while the server runs, who may enter it, and which is asked next."""
