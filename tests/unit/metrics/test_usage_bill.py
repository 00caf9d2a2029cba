"""What usage costs: the price that holds, exact sums, and names by which they are told apart."""

from __future__ import annotations

from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from craton.features.metering import bill
from craton.features.metering.meter import MOST_USES, Meter
from craton.features.metering.record import NOBODYS, Record, Row, Use
from craton.features.metering.samples import by_model
from craton.features.metering.usage import COUNTS, Used
from craton.models.catalog.prices import BadPrices, Price, PriceList, Prices, load
from craton.models.catalog.rows import load as load_catalog

DAY = date(2026, 1, 1)
HOUR = int(datetime(2026, 1, 1, 12, tzinfo=UTC).timestamp()) // 3600
NOVA = "amazon.nova-lite-v1:0"


def used(served: str = NOVA, hour: int = HOUR, *, names: dict[str, str] | None = None, **counts: int) -> Used:
    return Used(hour, dict.fromkeys(COUNTS, 0) | counts, served=served, region="us-east-1", **(names or {}))


def test_money_is_exact() -> None:
    """Ten million sums of a third of nothing are what they are: no float is in it."""
    prices = Prices((PriceList(DAY, "x", {"m": Price(Decimal("0.1"), Decimal("0.2"), image=Decimal("0.04"))}),))
    (found,) = bill.summed(
        [used("m", input_tokens=1, output_tokens=1, cache_read_tokens=1, images=1, invocations=1)] * 3, prices, ["base"]
    )
    assert found.cost == Decimal("0.1200012")
    assert (found.names, found.counts["input_tokens"], found.unpriced) == (("m",), 3, 0)


def test_what_has_no_price_is_told() -> None:
    """It is no money, and is not hidden."""
    (found,) = bill.summed([used("nobody.knows", invocations=7)], load(), [])
    assert (found.cost, found.unpriced) == (Decimal(0), 7)


def test_sums_are_told_apart() -> None:
    """By tags, metadata and days together."""
    blue = {"tags": '[["team","blue"]]', "metadata": '[["app","a"],["user","u"]]'}
    hours = [used(names=blue, invocations=1), used(hour=HOUR + 24, names=blue, invocations=2), used(invocations=4)]
    found = bill.summed(hours, load(), ["day", "tag:team", "metadata:app"])
    assert [(one.names, one.counts["invocations"]) for one in found] == [
        (("2026-01-01", "", ""), 4),
        (("2026-01-01", "blue", "a"), 1),
        (("2026-01-02", "blue", "a"), 2),
    ]
    assert bill.columns(["tag:team", "principal", "month"]) == ["principal", "region", "served", "tags"]
    with pytest.raises(ValueError, match="colour"):
        bill.columns(["colour"])


def test_the_price_that_holds() -> None:
    """The very id before patterns, the longer pattern before the shorter, the later list before the earlier."""
    a, b, c, d = (Price(Decimal(number)) for number in (1, 2, 3, 4))
    lists = (
        PriceList(DAY, "x", {"m*": a, "mo*": b, "model": c}),
        PriceList(DAY, "x", {"model": d}, region="eu-*", since=date(2026, 2, 1)),
    )
    prices = Prices(lists)
    assert [prices.find(name, "us-east-1", DAY) for name in ("m1", "mo1", "model", "n")] == [a, b, c, None]
    assert prices.find("model", "eu-west-1", date(2026, 1, 31)) == c
    assert prices.find("model", "eu-west-1", date(2026, 2, 1)) == d


def test_the_table_in_the_box() -> None:
    """Has a date and a source, and each of its ids leads to a model of the catalog."""
    prices, ids = load(), [model.model_id for model in load_catalog().models()]
    for one in prices.lists:
        assert one.dated
        assert one.source
        for pattern in one.prices:
            lone = PriceList(DAY, "x", {pattern: Price()})
            assert any(lone.find(model) for model in ids), pattern
    lite = prices.find(NOVA, "us-east-1", DAY)
    assert lite is not None
    assert (lite.input, lite.output) == (Decimal("0.06"), Decimal("0.24"))


def test_the_example_of_a_table() -> None:
    """Is one, and its later list holds from its day on where it is meant to."""
    prices = load(str(Path(__file__).resolve().parents[3] / "examples" / "prices.toml"))
    found = [
        prices.find(NOVA, region, day)
        for region, day in (("eu-west-1", date(2026, 6, 30)), ("eu-west-1", date(2026, 7, 1)), ("us-east-1", date.max))
    ]
    assert [one and one.input for one in found] == [Decimal("0.05"), Decimal("0.04"), Decimal("0.05")]


def test_a_table_of_ones_own(tmp_path: Path) -> None:
    """In TOML as well; one that is wrong says where."""
    file = tmp_path / "prices.toml"
    file.write_text(
        'currency = "EUR"\n[[lists]]\ndated = 2026-01-01\nsource = "us"\n[lists.prices."m*"]\ninput = 0.1\n'
    )
    prices = load(str(file))
    price = prices.find("m", "r", DAY)
    assert price is not None
    assert (prices.currency, price.input) == ("EUR", Decimal("0.1"))
    file.write_text("lists = 3")
    with pytest.raises(BadPrices, match=r"prices\.toml: .*lists"):
        load(str(file))
    with pytest.raises(BadPrices, match="cannot be read"):
        load(str(tmp_path / "none.json"))


# --- where the counts come from ---


def call(arn: str = "arn:ann", metadata: dict[str, str] | None = None, first: str = "arn:x:inference-profile/p") -> Any:
    resolved = SimpleNamespace(route=SimpleNamespace(model_id=NOVA, kind="chat"), resources=(first,))
    return SimpleNamespace(
        operation=SimpleNamespace(name="Converse"), caller=SimpleNamespace(account="1", arn=arn), region="r",
        named="p", resolved=resolved, metadata=metadata, used=None, images=0, started_at=0.0,
        resource_tags=lambda _arn: {"team": "blue"},
    )  # fmt: skip


def meter() -> Meter:
    return Meter(lambda: datetime(2026, 1, 1, tzinfo=UTC), lambda: 0.0)


def test_uses_are_counted_apart() -> None:
    """By caller and by what the request says of itself, in whatever order; with profile, model and tags."""
    counts = meter()
    counts.served(call())
    counts.served(call("arn:bob"))
    counts.served(call(metadata={"b": "2", "a": "1"}))
    counts.served(call(metadata={"a": "1", "b": "2"}))
    rows = {(row.use.principal, row.use.metadata): row for row in counts.take()}
    assert {key: row.record.invocations for key, row in rows.items()} == {
        ("arn:ann", ""): 1,
        ("arn:bob", ""): 1,
        ("arn:ann", '[["a","1"],["b","2"]]'): 2,
    }
    use = rows["arn:bob", ""].use
    assert (use.served, use.profile, use.tags) == (NOVA, "arn:x:inference-profile/p", '[["team","blue"]]')


def test_a_flood_of_uses_is_bounded() -> None:
    """What comes beyond is counted under the model alone, so that sums hold."""
    counts = meter()
    for number in range(MOST_USES + 50):
        counts.served(call(metadata={"id": str(number)}))
    rows = counts.take()
    assert sum(row.record.invocations for row in rows) == MOST_USES + 50
    assert [row.record.invocations for row in rows if row.use == NOBODYS] == [50]


def test_metrics_do_not_know_uses() -> None:
    """Rows of one model and minute are one for them."""
    rows = [Row(60, "1", "r", "m", Record(1), Use(f"arn:{number}")) for number in range(3)]
    assert [(row.record.invocations, row.use) for row in by_model(rows)] == [(3, NOBODYS)]
    assert [row.record.invocations for row in rows] == [1, 1, 1]
