"""A query at work: records go in one by one, rows come out at the end.

Owns what commands do, and the bounds of what a query may hold: so many groups, so many records and bytes. Commands up to
the first that needs all records (stats, sort, limit, dedup) are applied to each as it comes; without sort the newest
come first. It must not know where records come from.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Any

from craton.features.logs.insights import syntax
from craton.features.logs.insights.aggregates import Figure, maker
from craton.features.logs.insights.expressions import Has, Value, condition_of, value_of
from craton.features.logs.insights.parser import parse
from craton.features.logs.insights.record import MESSAGE, POINTER, TIMESTAMP, Record, Row
from craton.features.logs.insights.values import order, plain, text

DEFAULT_LIMIT = 10_000
MOST_GROUPS = 50_000
MOST_HELD = 100_000
MOST_HELD_BYTES = 128 << 20
MOST_RESULT_BYTES = 32 << 20
_RECORD_BYTES = 400
"""What a record takes beside its text."""

Step = Callable[[Has], bool]
"""Adds to a record; whether it stays."""
Cells = list[tuple[str, str]]
_ALL_AT_ONCE = (syntax.Stats, syntax.Sort, syntax.Limit, syntax.Dedup)


class Running:
    """One query. `skipped` counts records for which there was no room."""

    def __init__(self, query: str, limit: int | None = None) -> None:
        """Raises BadQuery."""
        commands = parse(query).commands
        self._limit = limit or DEFAULT_LIMIT
        self._has_limit = any(isinstance(one, syntax.Limit) for one in commands)
        first = next((at for at, one in enumerate(commands) if isinstance(one, _ALL_AT_ONCE)), len(commands))
        self._steps = [step_of(one) for one in commands[:first]]
        self._rest = commands[first:]
        self._columns = columns_of(commands)
        self._gathered = self._gathering()
        for one in self._rest:  # what cannot be done is told before anything is read
            stage_of(one)
        self.matched = 0

    @property
    def skipped(self) -> int:
        return self._gathered.skipped

    def feed(self, record: Record) -> None:
        """One event."""
        for step in self._steps:
            if not step(record):
                return
        self.matched += 1
        self._gathered.add(record)

    def rows(self) -> list[Cells]:
        """The results as texts."""
        rows = self._gathered.rows()
        for command in self._rest[1:] if self._gathered.did_first else self._rest:
            rows = stage_of(command)(rows)
        if not self._has_limit:
            rows = rows[: self._limit]
        shown: list[Cells] = []
        room_bytes = MOST_RESULT_BYTES
        for row in rows:
            cells = cells_of(row, self._columns)
            room_bytes -= sum(len(name) + len(value) for name, value in cells)
            if room_bytes < 0:
                self._gathered.skipped += len(rows) - len(shown)
                break
            shown.append(cells)
        return shown

    def _gathering(self) -> Grouped | Newest:
        if self._rest and isinstance(self._rest[0], syntax.Stats):
            return Grouped(self._rest[0])
        keys: tuple[tuple[syntax.Expression, bool], ...] = ()
        rest = self._rest
        is_sorted = bool(rest) and isinstance(rest[0], syntax.Sort)
        if is_sorted and isinstance(rest[0], syntax.Sort):
            keys, rest = rest[0].keys, rest[1:]
        if rest and isinstance(rest[0], syntax.Limit):
            most = rest[0].count
        else:
            most = MOST_HELD if any(isinstance(one, (*_ALL_AT_ONCE, syntax.Filter)) for one in rest) else self._limit
        return Newest(most, keys, did_first=is_sorted)


class Grouped:
    """Records by what they have in common, with figures of each group."""

    did_first = True

    def __init__(self, stats: syntax.Stats) -> None:
        self.skipped = 0
        self._by = [(one.name, value_of(one.expression)) for one in stats.by]
        self._makers = [(one.name, maker(one)) for one in stats.figures]
        self._derived = [(one.name, value_of(one.expression)) for one in stats.derived]
        self._groups: dict[tuple[str | None, ...], tuple[list[Any], list[Figure]]] = {}
        if not self._by:
            self._groups[()] = ([], [make() for _, make in self._makers])

    def add(self, record: Has) -> None:
        values = [value(record) for _, value in self._by]
        key = tuple(None if value is None else plain(value) for value in values)
        group = self._groups.get(key)
        if group is None:
            if len(self._groups) >= MOST_GROUPS:
                self.skipped += 1
                return
            group = self._groups[key] = (values, [make() for _, make in self._makers])
        for figure in group[1]:
            figure.add(record)

    def rows(self) -> list[Has]:
        names, titles = [name for name, _ in self._by], [name for name, _ in self._makers]
        rows: list[Has] = []
        for values, figures in self._groups.values():
            row = Row(dict(zip(names, values, strict=True)))
            row.made.update((title, figure.result()) for title, figure in zip(titles, figures, strict=True))
            for name, value in self._derived:
                row.made[name] = value(row)
            rows.append(row)
        return rows


class Newest:
    """The first `most` records in an order: that of `keys`, or the newest first."""

    def __init__(self, most: int, keys: Sequence[tuple[syntax.Expression, bool]], *, did_first: bool) -> None:
        self.did_first = did_first
        self.skipped = 0
        self._most = most
        self._keys = [(value_of(expression), descending) for expression, descending in keys]
        self._held: list[Record] = []
        self._held_bytes = 0

    def add(self, record: Record) -> None:
        self._held.append(record)
        self._held_bytes += len(record.data) + _RECORD_BYTES
        if len(self._held) >= 2 * self._most or self._held_bytes > 2 * MOST_HELD_BYTES:
            self._prune()

    def rows(self) -> list[Has]:
        self._prune()
        return list(self._held)

    def _prune(self) -> None:
        self._held.sort(key=lambda record: record.ident, reverse=True)
        put_in_order(self._held, self._keys)
        del self._held[self._most :]
        room_bytes = MOST_HELD_BYTES
        for count, record in enumerate(self._held):
            room_bytes -= len(record.data) + _RECORD_BYTES
            if room_bytes < 0:
                self.skipped += len(self._held) - count
                del self._held[count:]
                break
        self._held_bytes = MOST_HELD_BYTES - room_bytes


def put_in_order(rows: list[Any], keys: Iterable[tuple[Value, bool]]) -> None:
    """Sort by keys, the first the most important; equal ones stay as they were."""
    for value, descending in reversed(list(keys)):
        rows.sort(key=lambda row, of=value: order(of(row)), reverse=descending)  # type: ignore[misc]


# --- commands ---


def step_of(command: syntax.Command) -> Step:
    """What a command does to one record. Raises BadQuery."""
    if isinstance(command, syntax.Filter):
        return condition_of(command.condition)
    if isinstance(command, syntax.Parse):
        return _parsing(command)
    if isinstance(command, (syntax.Fields, syntax.Display)):
        made = [(one.name, value_of(one.expression)) for one in command.columns if not is_field(one)]

        def add(record: Any) -> bool:
            for name, value in made:
                record.made[name] = value(record)
            return True

        return add
    raise TypeError(command)


def _parsing(command: syntax.Parse) -> Step:
    source, form = value_of(command.source), command.form
    places = [form.groupindex.get(name, number) for number, name in enumerate(command.names, 1)]

    def add(record: Any) -> bool:
        value = source(record)
        found = None if value is None else form.search(plain(value))
        if found is not None:
            for name, place in zip(command.names, places, strict=True):
                record.made[name] = found[place]
        return True

    return add


def stage_of(command: syntax.Command) -> Callable[[list[Has]], list[Has]]:
    """What a command does to all rows. Raises BadQuery."""
    if isinstance(command, syntax.Stats):
        return lambda rows: _grouped(command, rows)
    if isinstance(command, syntax.Sort):
        keys = [(value_of(expression), descending) for expression, descending in command.keys]

        def sort(rows: list[Has]) -> list[Has]:
            put_in_order(rows, keys)
            return rows

        return sort
    if isinstance(command, syntax.Limit):
        return lambda rows: rows[: command.count]
    if isinstance(command, syntax.Dedup):
        values = [value_of(one) for one in command.keys]
        return lambda rows: _deduplicated(rows, values)
    step = step_of(command)
    return lambda rows: [row for row in rows if step(row)]


def _grouped(command: syntax.Stats, rows: list[Has]) -> list[Has]:
    grouped = Grouped(command)
    for row in rows:
        grouped.add(row)
    return grouped.rows()


def _deduplicated(rows: list[Has], values: Sequence[Value]) -> list[Has]:
    """The first of those whose values are alike; where one of the values is nothing, a row stays."""
    seen: set[tuple[str, ...]] = set()
    kept = []
    for row in rows:
        found = [value(row) for value in values]
        key = tuple(map(plain, found))
        if any(one is None for one in found) or key not in seen:
            kept.append(row)
            seen.add(key)
    return kept


# --- columns ---


def is_field(column: syntax.Named) -> bool:
    """Whether a column is a field under its own name."""
    return isinstance(column.expression, syntax.Field) and column.expression.name == column.name


def columns_of(commands: Sequence[syntax.Command]) -> list[str]:
    """The columns of the results, in order: those of the last display, or of all that was asked for."""
    columns: dict[str, None] = {}
    is_of_events, is_final = True, False
    for command in commands:
        if isinstance(command, syntax.Stats):
            columns = dict.fromkeys(command.columns)
            is_of_events, is_final = False, False
        elif isinstance(command, syntax.Display):
            columns, is_final = dict.fromkeys(one.name for one in command.columns), True
        elif isinstance(command, syntax.Fields) and not is_final:
            columns.update(dict.fromkeys(one.name for one in command.columns))
    if not columns:
        columns = dict.fromkeys((TIMESTAMP, MESSAGE))
    if is_of_events:
        columns[POINTER] = None
    return list(columns)


def cells_of(row: Has, columns: Sequence[str]) -> Cells:
    """A row as names and texts; what it does not have is left out."""
    found = ((name, row.get(name)) for name in columns)
    return [(name, text(value)) for name, value in found if value is not None]
