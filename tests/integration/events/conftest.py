"""Stores that events are kept in, one of each database."""

from __future__ import annotations

from tests.integration.jobs.conftest import store

__all__ = ["store"]
