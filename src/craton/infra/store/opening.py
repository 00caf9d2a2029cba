"""The door to the store: takes a URL or a path, gives a Store, and loads the SQL toolkit only then.

Owns nothing else. Import this, port.py and watch.py freely; sql.py costs 20 MiB and 0.3 s.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from craton.infra.store.port import Store

if TYPE_CHECKING:
    from craton.infra.store.upgrade import Upgrades

MEMORY = "sqlite://"
"""The URL of a store that ends with its process and that no other process sees."""


def open_store(location: str | Path, upgrades: Upgrades | None = None, *, durable: bool = True) -> Store:
    """Open a store, making or migrating its database as needed.

    `location` is a URL (`sqlite:///FILE`, `postgresql://…`, MEMORY) or the path of a SQLite file. `durable=False` is
    for files that are thrown away at the end. Raises TooNew, Unavailable, and ValueError for a URL of another kind.
    """
    from sqlalchemy.engine import URL

    from craton.infra.store.sql import open_sql_store

    url = URL.create("sqlite", database=str(location)) if isinstance(location, Path) else location
    return open_sql_store(url, upgrades or {}, durable=durable)
