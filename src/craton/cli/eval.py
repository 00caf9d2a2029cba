"""`craton eval compare A B`: two evaluations side by side, with what chance leaves open.

Owns where scores come from (a job of the running server, an object in its S3, a file) and how a comparison looks. The
figures are `features.evaluation.compare`'s.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from craton.cli.options import place_of, placed
from craton.cli.refusal import Refused
from craton.cli.terminal import columns

if TYPE_CHECKING:
    from craton.cli.running import Place
    from craton.features.evaluation.compare import Compared, Interval, Side
    from craton.features.evaluation.results import ScoredLine

_HEAD = ("METRIC", "N", "A", "B", "B - A", "")
_WIDTH = 44
_SURE, _UNSURE = "differs", "may be chance"
_SUFFIX = "_output.jsonl"


@click.group("eval")
def evaluation() -> None:
    """Evaluations: compare their scores."""


@evaluation.command()
@placed
@click.argument("a")
@click.argument("b")
@click.option("--a-model", metavar="ID", help="Of A only what this model answered.")
@click.option("--b-model", metavar="ID", help="Of B only what this model answered.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def compare(
    home: str | None, config: str | None, a: str, b: str, a_model: str | None, b_model: str | None, *, as_json: bool
) -> None:
    """Compare two evaluations, each a job (name or ARN), an output in S3 (s3://...) or a file.

    Each metric's mean stands with its 95 % interval (bootstrap), and so does the difference.
    """
    from craton.features.evaluation.compare import compare as compared

    source = Source(home, config)
    sides = [of_model(source.lines(name), model, name) for name, model in ((a, a_model), (b, b_model))]
    found = compared(*sides)
    if as_json:
        import msgspec

        click.echo(json.dumps(msgspec.to_builtins(found), indent=2))
        return
    click.echo(f"A  {a}\nB  {b}\n")
    click.echo(columns(_HEAD, [row(one) for one in found]))
    click.echo()
    draw(found)


def of_model(lines: Sequence[ScoredLine], model: str | None, name: str) -> list[ScoredLine]:
    """The lines of one model. Raises Refused where there are no scores."""
    kept = [one for one in lines if model is None or one.model == model]
    if not any(one.scores for one in kept):
        raise Refused(f"{name} has no scores" + (f" of {model}" if model else ""))
    return kept


# --- where scores come from ---


class Source:
    """Reads evaluations; the server is asked only for what is no file."""

    def __init__(self, home: str | None, config: str | None) -> None:
        self._place = (home, config)
        self._clients: dict[str, Any] = {}

    def lines(self, name: str) -> list[ScoredLine]:
        """The scores of an evaluation. Raises Refused."""
        from botocore.exceptions import BotoCoreError, ClientError

        from craton.features.evaluation.results import BadOutput, read

        try:
            return read(self._raw(name))
        except BadOutput as error:
            raise Refused(f"{name}: {error}") from None
        except ClientError as error:
            raise Refused(f"{name}: {error.response['Error'].get('Message', error)}") from None
        except (BotoCoreError, OSError) as error:
            raise Refused(f"{name}: {error}") from None

    def _raw(self, name: str) -> Iterator[bytes]:
        path = Path(name)
        if path.is_file():
            yield from path.read_bytes().splitlines()
        elif name.startswith("s3://"):
            bucket, _, key = name.removeprefix("s3://").partition("/")
            yield from self._objects(bucket, key)
        else:
            job = self._job(name)
            bucket, _, key = job["outputDataConfig"]["s3Uri"].removeprefix("s3://").partition("/")
            base = f"{key.rstrip('/')}/" if key else ""
            yield from self._objects(bucket, f"{base}{job['jobName']}/", job["jobArn"])

    def _objects(self, bucket: str, prefix: str, job: str = "") -> Iterator[bytes]:
        """The lines of one output, or of all below a prefix; with `job` of its own alone."""
        from craton.features.evaluation.results import folder

        s3 = self._client("s3")
        wanted = folder(prefix.rstrip("/"), job) if job else prefix
        keys = [
            one["Key"]
            for page in s3.get_paginator("list_objects_v2").paginate(Bucket=bucket, Prefix=wanted)
            for one in page.get("Contents", ())
            if one["Key"].endswith(_SUFFIX)
        ]
        if not keys:
            raise Refused(f"there is no output at s3://{bucket}/{wanted}")
        for key in keys:
            yield from s3.get_object(Bucket=bucket, Key=key)["Body"].read().splitlines()

    def _job(self, name: str) -> dict[str, Any]:
        """The job with this ARN or name. Raises Refused."""
        bedrock, arn = self._client("bedrock"), name
        if not name.startswith("arn:"):
            pages = bedrock.get_paginator("list_evaluation_jobs").paginate(nameContains=name)
            named = [one["jobArn"] for page in pages for one in page["jobSummaries"] if one["jobName"] == name]
            if not named:
                raise Refused(f"there is no evaluation job {name}, and no such file")
            arn = named[0]
        job: dict[str, Any] = bedrock.get_evaluation_job(jobIdentifier=arn)
        if job["status"] != "Completed":
            raise Refused(f"the evaluation job {name} is {job['status']}")
        return job

    def _client(self, service: str) -> Any:
        if service not in self._clients:
            place: Place = place_of(*self._place)
            if place.server is None:
                raise Refused(f"no server runs with the home {place.home}: start one with `craton serve`")
            from craton.cli.client import client

            self._clients[service] = client(service, place.server, place.root_key())
        return self._clients[service]


# --- how it looks ---


def row(one: Compared) -> tuple[str, ...]:
    """A line of the table."""
    counts = "/".join(str(side.count) if side else "-" for side in (one.a, one.b))
    verdict = ""
    if one.difference is not None:
        apart = one.difference.low > 0 or one.difference.high < 0
        verdict = (_SURE if apart else _UNSURE) + (", prompt by prompt" if one.paired else "")
    return one.metric, counts, told(one.a), told(one.b), figure(one.difference, "+"), verdict


def told(side: Side | None) -> str:
    return figure(side.mean) if side else "-"


def figure(interval: Interval | None, sign: str = "") -> str:
    """Such as `0.710 [0.640, 0.770]`."""
    if interval is None:
        return "-"
    return f"{interval.value:{sign}.3f} [{interval.low:{sign}.3f}, {interval.high:{sign}.3f}]"


def draw(found: Iterable[Compared]) -> None:
    """A bar for each mean, with its interval across it, on a scale from 0 to 1, or to 100 for percents."""
    from rich.console import Console
    from rich.text import Text

    console = Console(highlight=False, soft_wrap=True)
    for one in found:
        sides = [(name, side) for name, side in (("A", one.a), ("B", one.b)) if side is not None]
        top = 1.0
        for _, side in sides:
            top = 100.0 if side.mean.high > 1 else top
        console.print(Text(f"{one.metric}  (0 to {top:g})", style="bold"))
        for name, side in sides:
            style = "cyan" if name == "A" else "magenta"
            console.print(Text(f"  {name} "), Text(bar(side.mean, top), style=style), f"{side.mean.value:.3f}", sep="")


def bar(mean: Interval, top: float) -> str:
    """The mean as blocks, the interval as a line with ends."""
    at = [min(_WIDTH - 1, max(0, round(value / top * (_WIDTH - 1)))) for value in (mean.value, mean.low, mean.high)]
    cells = ["█" if place < at[0] else " " for place in range(_WIDTH)]
    for place in range(at[1], at[2] + 1):
        cells[place] = "━" if place < at[0] else "─"
    cells[at[1]], cells[at[2]] = "├", "┤"
    cells[at[0]] = "●"
    return "".join(cells) + " "
