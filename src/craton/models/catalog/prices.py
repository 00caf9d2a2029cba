"""What models cost: a table of prices, dated and with its source, read from `data/prices.json` or a file of one's own.

Owns the table's form and which price holds for a model, a region and a day. Prices are in the table's currency for a
million tokens, and for one picture. A price that nobody gave is unknown, never 0. It must not know what was used.
"""

from __future__ import annotations

import tomllib
from datetime import date
from decimal import Decimal
from fnmatch import fnmatchcase
from pathlib import Path

import msgspec

_FILE = Path(__file__).with_name("data") / "prices.json"


class BadPrices(Exception):
    """The file of prices cannot be read; the text says why."""


class Price(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Of a million tokens, and of a picture. Without a price of their own, cached tokens cost what input does."""

    input: Decimal = Decimal(0)
    output: Decimal = Decimal(0)
    cache_read: Decimal | None = None
    cache_write: Decimal | None = None
    image: Decimal = Decimal(0)


class PriceList(msgspec.Struct, frozen=True, forbid_unknown_fields=True, rename={"since": "from"}):
    """Prices by a model's id, with * for anything. They hold in regions that fit, from a day (UTC) on."""

    dated: date
    source: str
    prices: dict[str, Price]
    region: str = "*"
    since: date = date.min

    def find(self, model: str) -> Price | None:
        """The price under the very id, else under the longest pattern that fits."""
        exact = self.prices.get(model)
        if exact is not None:
            return exact
        fitting = [pattern for pattern in self.prices if fnmatchcase(model, pattern)]
        return self.prices[max(fitting, key=len)] if fitting else None


class Prices(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """All lists; where several know a model, a region and a day, the last one holds."""

    lists: tuple[PriceList, ...]
    currency: str = "USD"

    def find(self, model: str, region: str, day: date) -> Price | None:
        """None for a model whose price nobody gave."""
        for one in reversed(self.lists):
            if one.since <= day and fnmatchcase(region, one.region):
                price = one.find(model)
                if price is not None:
                    return price
        return None


def load(path: str = "") -> Prices:
    """The table of a file, JSON or (by its name) TOML; "" for the one in the box. Raises BadPrices."""
    file = Path(path) if path else _FILE
    try:
        data = file.read_bytes()
        if file.suffix == ".toml":
            return msgspec.convert(tomllib.loads(data.decode(), parse_float=Decimal), Prices)
        return msgspec.json.decode(data, type=Prices)
    except OSError as error:
        raise BadPrices(f"{file}: cannot be read: {error.strerror}") from error
    except (msgspec.DecodeError, tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise BadPrices(f"{file}: {error}") from error
