"""The modules that hold KMS's handlers."""

from __future__ import annotations

from craton.services.kms import aliases, crypto, deletion, grants, keys, policies, rotation, tags

HANDLERS = (keys, deletion, aliases, crypto, policies, rotation, grants, tags)
