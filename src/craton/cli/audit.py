"""`craton audit`: read the audit log, and check that it is whole.

Owns the filters and the printed form. It reads files and needs no running server; nothing is ever changed.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from fnmatch import fnmatchcase
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
import msgspec

from craton.cli.options import place_of, placed
from craton.cli.refusal import Refused
from craton.cli.terminal import columns

if TYPE_CHECKING:
    from craton.infra.audit.chain import Link
    from craton.infra.audit.verify import Report

_AGO = re.compile(r"([0-9]+)([smhdw])")
_SECONDS = {"s": 1, "m": 60, "h": 3600, "d": 86_400, "w": 604_800}
_NOTED = re.compile(r"([0-9]+):([0-9a-f]{64})")


@click.group(invoke_without_command=True)
@placed
@click.option("--since", metavar="WHEN", help="From then on: 90s, 15m, 6h, 7d, or 2026-01-31[T12:00:00Z].")
@click.option("--until", metavar="WHEN", help="Up to then.")
@click.option("--user", metavar="NAME", help="Whose ARN, name or access key fits; * is anything.")
@click.option("--event", metavar="NAME", help="Whose event fits, such as Create*.")
@click.option("--errors", is_flag=True, help="Only what failed.")
@click.option("--limit", type=click.IntRange(1), help="Only the last so many.")
@click.option("--json", "as_json", is_flag=True, help="Whole records, one per line.")
@click.pass_context
def audit(ctx: click.Context, /, home: str | None, config: str | None, **filters: Any) -> None:
    """Who did what, when, and with which result."""
    ctx.default_map = {"verify": {"home": home, "config": config}}
    if ctx.invoked_subcommand is not None:
        return
    limit, as_json = filters.pop("limit"), filters.pop("as_json")
    now = datetime.now(UTC)
    wanted = Wanted(moment(filters.pop("since"), now), moment(filters.pop("until"), now), **filters)
    found = [record for record in records(folder_of(home, config)) if wanted.takes(record)]
    found = found[-limit:] if limit else found
    if as_json:
        for record in found:
            click.echo(msgspec.json.encode(record).decode())
    elif found:
        click.echo(columns(("TIME", "WHO", "EVENT", "RESULT", "WHAT"), [row(record) for record in found]))
    else:
        click.echo("There are no records.", err=True)


class Wanted(msgspec.Struct, frozen=True):
    """Which records are to be shown. Patterns have `*`; None takes all."""

    since: datetime | None
    until: datetime | None
    user: str | None
    event: str | None
    errors: bool

    def takes(self, record: dict[str, Any]) -> bool:
        when = str(record.get("eventTime", ""))
        if self.since is not None and when < f"{self.since:%Y-%m-%dT%H:%M:%SZ}":
            return False
        if self.until is not None and when > f"{self.until:%Y-%m-%dT%H:%M:%SZ}":
            return False
        if self.errors and "errorCode" not in record:
            return False
        if self.event is not None and not fnmatchcase(str(record.get("eventName", "")), self.event):
            return False
        return self.user is None or any(fnmatchcase(name, self.user) for name in names(record))


def names(record: dict[str, Any]) -> set[str]:
    """By which names who did it can be asked for."""
    who = record.get("userIdentity", {})
    arn = str(who.get("arn", ""))
    given = (arn, arn.rpartition("/")[2], arn.rpartition(":")[2], who.get("userName"), who.get("accessKeyId"))
    return {str(name) for name in given if name}


def records(folder: Path) -> Iterator[dict[str, Any]]:
    """All records, oldest first. Raises Refused for a line that is none: `verify` says what happened to it."""
    from craton.infra.audit.verify import lines

    for segment, number, line in lines(folder):
        try:
            record: dict[str, Any] = msgspec.json.decode(line, type=dict)
        except (msgspec.DecodeError, UnicodeDecodeError):
            if line.endswith(b"\n"):
                click.echo(f"craton: {segment}, line {number}, is no record: see `craton audit verify`", err=True)
            continue
        yield record


def row(record: dict[str, Any]) -> tuple[str, ...]:
    """One record in one line."""
    who = record.get("userIdentity", {})
    name = str(who.get("arn") or who.get("invokedBy") or who.get("type", "")).removeprefix("arn:aws:")
    what = ", ".join(str(one.get("ARN")) for one in record.get("resources") or ()) or said(record)
    return (
        str(record.get("eventTime")),
        name,
        f"{str(record.get('eventSource')).removesuffix('.amazonaws.com')}:{record.get('eventName')}",
        str(record.get("errorCode", "ok")),
        what or "-",
    )


def said(record: dict[str, Any]) -> str:
    """The plain parameters of a request."""
    parameters = record.get("requestParameters") or {}
    return ", ".join(f"{key}={value}" for key, value in parameters.items() if isinstance(value, (str, int)))[:80]


@audit.command()
@placed
@click.option("--expect", metavar="SEQUENCE:HASH", help="A link that was noted elsewhere must be in the log.")
def verify(home: str | None, config: str | None, expect: str | None) -> None:
    """Check that no record was changed, moved, added or taken out; name the first break."""
    from craton.infra.audit.verify import verify as verify_folder

    folder = folder_of(home, config)
    link = noted(expect) if expect else None
    report = verify_folder(folder, link)
    if not report.segments:
        if link is not None:
            raise Refused(f"there is no audit log in {folder}, but record {link.sequence} was noted")
        click.echo(f"There is no audit log in {folder}.")
        return
    if report.broken is not None:
        click.echo(f"BROKEN  {report.broken}")
        sys.exit(1)
    tell(report, link)


def tell(report: Report, link: Link | None) -> None:
    """A whole log, and the link that is worth noting elsewhere."""
    count = report.last.sequence - report.first + 1
    click.echo(f"whole: {count} records ({report.first} to {report.last.sequence}) in {report.segments} segments")
    if report.first > 1:
        click.echo(f"records 1 to {report.first - 1} were retired, as the log says itself")
    if report.unfinished:
        click.echo("the last line was never finished, as after a crash; nobody was told that it was kept")
    if link is not None and link.sequence < report.first:
        click.echo(f"record {link.sequence}, which was noted, was retired: it cannot be compared")
    click.echo(f"its end, to be noted elsewhere: {report.last.sequence}:{report.last.hash}")


def noted(text: str) -> Link:
    from craton.infra.audit.chain import Link

    found = _NOTED.fullmatch(text)
    if found is None:
        raise click.BadParameter("--expect is SEQUENCE:HASH, as `craton audit verify` prints it")
    return Link(int(found[1]), found[2])


def moment(text: str | None, now: datetime) -> datetime | None:
    """A time in UTC, given as such or as how long ago."""
    if text is None:
        return None
    ago = _AGO.fullmatch(text)
    if ago is not None:
        return now - timedelta(seconds=int(ago[1]) * _SECONDS[ago[2]])
    try:
        found = datetime.fromisoformat(text)
    except ValueError:
        raise click.BadParameter(f"{text} is neither a time nor how long ago (15m, 6h, 7d)") from None
    return found.replace(tzinfo=UTC) if found.tzinfo is None else found.astimezone(UTC)


def folder_of(home: str | None, config: str | None) -> Path:
    return place_of(home, config).settings.audit_path
