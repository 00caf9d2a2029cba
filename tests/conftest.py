"""For all tests: properties are about what is true, not how long it took on a busy machine."""

from __future__ import annotations

from hypothesis import settings

settings.register_profile("craton", deadline=None)
settings.load_profile("craton")
