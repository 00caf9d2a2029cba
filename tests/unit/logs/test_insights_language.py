"""The language of queries: what is read, what it makes of events, what is a mistake and where."""

from __future__ import annotations

import contextlib
import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from craton.features.logs.insights.pipeline import Running
from craton.features.logs.insights.record import Record, pointed, pointer
from craton.features.logs.insights.scanner import BadQuery

T0 = 1_767_225_600_000  # 2026-01-01T00:00:00Z
EVENTS = [
    {"level": ("INFO", "ERROR")[number % 2], "ms": 10 * number, "user": {"name": f"u{number % 3}"}, "ok": number < 5,
     "list": [number, {"deep": "x"}], "a.b": number}
    for number in range(10)
]  # fmt: skip


def fed(query: str, *messages: Any, limit: int | None = None) -> Running:
    running = Running(query, limit)
    for number, message in enumerate(messages):
        at_ms = T0 + 60_000 * number
        data = (message if isinstance(message, str) else json.dumps(message)).encode()
        running.feed(Record(at_ms << 64 | number, at_ms, at_ms + 5, "stream", "000000000000:group", data))
    return running


def rows(query: str, *messages: Any, limit: int | None = None) -> list[dict[str, str]]:
    found = [dict(row) for row in fed(query, *messages or EVENTS, limit=limit).rows()]
    for row in found:
        row.pop("@ptr", None)
    return found


@pytest.mark.parametrize(
    ("condition", "matching"),
    [
        ("ms > 70", 2),
        ("ms >= 70 and level = 'ERROR'", 2),
        ("ms = 0 or ms = '90'", 2),
        ("not ms < 50", 5),
        ("!(ms < 50)", 5),
        ("level != 'ERROR'", 5),
        ("level like 'ERR'", 5),
        ("level not like /^E/", 5),
        ("level =~ /err/i", 5),
        ("user.name in ['u0', \"u1\"]", 7),
        ("user.name not in ['u0', 'u1']", 3),
        ("ok = 1", 5),
        ("ok = true or ok = 'false'", 5),
        ("ispresent(nothing) or ispresent(ms)", 10),
        ("nothing > 5 or nothing < 5 or nothing = nothing", 0),
        ("list[0] % 2 = 1", 5),
        ("list.1.deep = 'x'", 10),
        ("`a.b` = 3", 1),
        ("ms / 0 > 1", 0),
        ("ms * 2 + 1 = 21", 1),
        ("2 ^ 3 = 8", 10),
        ("-ms = -90", 1),
        ("strcontains(@message, 'u2')", 3),
        ("@logStream = 'stream' and @log like 'group'", 10),
        ("tomillis(@timestamp) = 1767225600000", 1),
        ("isIpv4InSubnet('10.1.2.3', '10.0.0.0/8') and isvalidip('::1')", 10),
        ("isempty(nothing) and not isblank(level)", 10),
    ],
)
def test_conditions(condition: str, matching: int) -> None:
    """A filter lets through the events of which its condition is true."""
    assert len(rows(f"filter {condition}")) == matching


@pytest.mark.parametrize(
    ("expression", "value"),
    [
        ("abs(-3)", "3"),
        ("ceil(1.2) + floor(1.8)", "3"),
        ("sqrt(16) - log(1)", "4"),
        ("greatest(1, 3, 2)", "3"),
        ("least('b', 'a')", "a"),
        ("strlen('four')", "4"),
        ("toupper(trim('  a '))", "A"),
        ("ltrim('xxa', 'x')", "a"),
        ("substr('abcdef', 1, 3)", "bcd"),
        ("replace('a.b', '.', '-')", "a-b"),
        ("concat('a', 1, true_is_no_field)", "a1"),
        ("coalesce(nothing, 'else')", "else"),
        ("fromMillis(1767225600123)", "2026-01-01 00:00:00.123"),
        ("datefloor(@timestamp, 1h)", "2026-01-01 00:00:00.000"),
        ("dateceil(1767225600001, 1d)", "2026-01-02 00:00:00.000"),
        ("bin(30s)", "2026-01-01 00:00:00.000"),
        ("@ingestionTime", "2026-01-01 00:00:00.005"),
        ("0.5", "0.5"),
        ("1e3", "1000"),
        ("7 % 4 * 2 - 1", "5"),
        ("jsonParse('[1,2]')", "[1,2]"),
    ],
)
def test_expressions(expression: str, value: str) -> None:
    """An expression has this value, as text."""
    assert rows(f"fields {expression} as it", {"n": 1}) == [{"it": value}]


def test_figures_of_groups() -> None:
    """Every figure, by a field and a period, in the order that sort asks for."""
    query = (
        "stats count(*), count(nothing), sum(ms), avg(ms), min(ms), max(ms), pct(ms, 50) as half, stddev(ms), "
        "count_distinct(user.name) as names, earliest(ms), latest(ms), sortsFirst(level) by bin(5m) | sort bin(5m) desc"
    )
    last, first = rows(query)
    assert first == {
        "bin(5m)": "2026-01-01 00:00:00.000", "count(*)": "5", "count(nothing)": "0", "sum(ms)": "100", "avg(ms)": "20",
        "min(ms)": "0", "max(ms)": "40", "half": "20", "stddev(ms)": "15.811388300841896", "names": "3",
        "earliest(ms)": "0", "latest(ms)": "40", "sortsFirst(level)": "ERROR",
    }  # fmt: skip
    assert last["sum(ms)"] == "350"
    assert rows("filter ms > 1000 | stats count(*) as none") == [{"none": "0"}]
    assert rows("stats count(*) as c by user.name | stats max(c), count(*)") == [{"max(c)": "4", "count(*)": "3"}]
    sample = "stats max(ms) / 10 as most, floor(avg(ms)) as mid, most - mid as gap, count(*) by ok | sort ok desc"
    assert rows(sample) == [
        {"ok": "1", "most": "4", "mid": "20", "gap": "-16", "count(*)": "5"},
        {"ok": "0", "most": "9", "mid": "70", "gap": "-61", "count(*)": "5"},
    ]
    assert rows("stats count(*) by level | sort count(*) desc, level | limit 1") == [
        {"level": "ERROR", "count(*)": "5"}
    ]


def test_many_values_are_counted_within_bounds() -> None:
    """Distinct values and percentiles of more than is kept exactly stay near the truth."""
    running = Running("stats count_distinct(n) as d, pct(n, 90) as p")
    for number in range(40_000):
        running.feed(Record(number, T0, T0, "s", "l", b'{"n": %d}' % number))
    (row,) = (dict(row) for row in running.rows())
    assert 39_000 < int(row["d"]) < 41_000
    assert 35_500 < float(row["p"]) < 36_500


def test_parse_takes_values_out_of_texts() -> None:
    """Globs and expressions with names give fields; a text that does not fit gives none."""
    line = "2026 [worker] user=ann, took=12 ms"
    assert rows("parse @message 'user=*, took=* ms' as who, took | display who, took", line, "else") == [
        {},
        {"who": "ann", "took": "12"},
    ]
    assert rows(r"parse @message /user=(?<who>\w+)/ | filter ispresent(who) | display who", line) == [{"who": "ann"}]
    assert rows(r"parse @message /took=(\d+)/ as t | stats sum(t)", line, line) == [{"sum(t)": "24"}]
    assert rows("parse @message '[*]*' as thread, rest | display thread, rest", line) == [
        {"thread": "worker", "rest": " user=ann, took=12 ms"}
    ]


def test_order_limit_and_doubles() -> None:
    """The newest come first, or the order of sort holds; dedup keeps the first; limits hold behind it."""
    assert [row["ms"] for row in rows("fields ms | limit 2")] == ["90", "80"]
    assert [row["ms"] for row in rows("fields ms | sort ms | limit 2")] == ["0", "10"]
    assert [row["ms"] for row in rows("fields ms | sort user.name asc, ms desc | limit 2")] == ["90", "60"]
    assert [row["ms"] for row in rows("fields ms | dedup user.name")] == ["90", "80", "70"]
    assert [row["ms"] for row in rows("fields ms | sort ms | dedup level, user.name | limit 1")] == ["0"]
    assert len(rows("fields ms", limit=3)) == 3
    assert [row["ms"] for row in rows("limit 5 | fields ms | filter ms < 70")] == ["60", "50"]


def test_columns_are_those_that_were_asked_for() -> None:
    """Without a command time and message; display decides alone; what an event does not have is left out."""
    assert set(rows("")[0]) == {"@timestamp", "@message"}
    assert rows("fields ms, nothing, level as l | display l", EVENTS[1]) == [{"l": "ERROR"}]
    assert rows("fields ms # of the first\n| fields level", EVENTS[1]) == [{"ms": "10", "level": "ERROR"}]


def test_lines_of_functions_have_fields() -> None:
    """What Lambda's runtime reports is found under AWS's names."""
    ident = "8f5c2c3a-4b64-4b1b-8a3f-0123456789ab"
    report = f"REPORT RequestId: {ident}\tDuration: 1.50 ms\tBilled Duration: 2 ms\tMemory Size: 128 MB\tMax Memory Used: 40 MB\t"
    query = "filter @type = 'REPORT' | display @requestId, @duration, @billedDuration, @memorySize, @maxMemoryUsed"
    assert rows(query, report, f"START RequestId: {ident} Version: $LATEST") == [
        {"@requestId": ident, "@duration": "1.5", "@billedDuration": "2", "@memorySize": "128000000",
         "@maxMemoryUsed": "40000000"}
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("query", "start", "end"),
    [
        ("fields", 6, 6),
        ("nonsense x", 0, 8),
        ("fields a b", 9, 10),
        ("filter a = ", 11, 11),
        ("filter a ==== 3", 11, 13),
        ("fields 'open", 7, 8),
        ("stats whatever(x)", 6, 17),
        ("stats level", 6, 11),
        ("stats count(x, y)", 6, 17),
        ("stats pct(x, 101)", 6, 17),
        ("filter whatever(x)", 7, 18),
        ("filter substr(x)", 7, 16),
        ("limit 0", 6, 7),
        ("limit 100001", 6, 12),
        ("parse @message '*-*' as a", 15, 25),
        ("parse @message /(a)(b)/ as a", 24, 28),
        ("filter a like /(/", 14, 17),
        ("pattern @message", 0, 7),
        ("fields a | | limit 1", 11, 12),
        ("stats bin(5m) by x", 6, 13),
        ("stats count(*) by bin(x)", 18, 24),
    ],
)
def test_a_mistake_has_a_place(query: str, start: int, end: int) -> None:
    """What cannot be read says where."""
    with pytest.raises(BadQuery) as caught:
        Running(query)
    assert (caught.value.start, caught.value.end) == (start, end)


def test_depth_and_length_are_bounded() -> None:
    """Nesting and the number of commands have an end, told as a mistake."""
    for query in ("filter " + "(" * 500 + "1" + ")" * 500, " | ".join(["limit 1"] * 200), "stats sum(a) | " * 3):
        with pytest.raises(BadQuery):
            Running(query)
    assert len(rows("filter " + "not " * 3001 + "ms < 0")) == 10
    assert len(rows("filter " + " or ".join(["ms"] * 2000))) == 9
    assert len(rows("filter " + " or ".join(["ms = 10"] * 300))) == 1
    with pytest.raises(BadQuery):
        Running("filter " + "+".join("1" * 1000))


def test_a_pointer_leads_back() -> None:
    """A pointer holds log, stream and place; anything else is none."""
    assert pointed(pointer("0:g", "s/1", 5 << 64)) == ("0:g", "s/1", 5 << 64)
    assert pointed("bm9uc2Vuc2U=") is None
    assert pointed("\u2603") is None


_WORDS = st.sampled_from(
    ["fields", "filter", "stats", "sort", "limit", "parse", "dedup", "display", "|", ",", "(", ")", "[", "]", "=", "!=",
     "like", "in", "not", "and", "or", "by", "as", "bin", "count", "avg", "5m", "3", "1.5", "'x'", "/x/", "@message",
     "@timestamp", "a.b", "`c d`", "*", "+", "-", "/", "^", "%", "#", "strlen", "desc", '"', "'"]
)  # fmt: skip
_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=4), inner, max_size=3),
    max_leaves=8,
)


@given(st.lists(_WORDS, max_size=14).map(" ".join) | st.text(max_size=60))
def test_every_text_is_a_query_or_a_mistake(query: str) -> None:
    """No text does anything else than to be read or to be refused with a place in it."""
    with contextlib.suppress(BadQuery):
        running = Running(query)
        running.feed(Record(T0 << 64, T0, T0, "s", "l", b'{"a": {"b": [1]}}'))
        running.rows()


@given(_JSON | st.text(max_size=30))
def test_every_event_can_be_asked_about(message: Any) -> None:
    """Whatever an event holds, a query over it comes to an end without an error."""
    query = (
        "filter not (a = 1 and b > 'x') | parse @message '*a*' as p, q | fields a + b as s, a.b, concat(a, '-', p), "
        "substr(q, a, b), abs(a), greatest(a, b), datefloor(a, 1h) | stats sum(a), pct(b, 50), max(a), latest(p), "
        "count_distinct(q), stddev(a) by a.b, bin(1m) | sort `max(a)`, a.b desc"
    )
    rows(query, message if isinstance(message, str) else {"a": message, "b": {"b": message}})
