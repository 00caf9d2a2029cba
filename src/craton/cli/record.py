"""`craton record`: a server whose models stand behind a cassette, and what it kept in the end.

Owns the options and the summary; serving is `serve`'s, recording the providers'. Prompts and answers are never printed.
"""

from __future__ import annotations

import sys
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, cast

import click

from craton.cli.options import config_option, home_option
from craton.cli.serve import how_to_env, run, warn_of_exposure

if TYPE_CHECKING:
    from craton.config_tables import RecordMode
    from craton.models.providers.cassettes.episode import Episode

_MODES = ("new_episodes", "once", "all", "none")


@click.command()
@click.option("--to", "path", metavar="FILE", required=True, help="The cassette, such as tests/cassettes/tour.jsonl.")
@click.option("--model", "models", metavar="ID", multiple=True, help="Record this model only; may be repeated.")
@click.option("--mode", type=click.Choice(_MODES), default="new_episodes", show_default=True, help="See the manual.")
@click.option("--match-on", metavar="PARTS", default="", help="What makes two requests equal, with commas.")
@click.option("--host", help="The address to listen on.  [default: 127.0.0.1]")
@click.option("--port", type=click.IntRange(0, 65535), help="The port; 0 takes any free one.  [default: 8765]")
@home_option
@config_option
def record(
    path: str,
    models: tuple[str, ...],
    mode: str,
    match_on: str,
    host: str | None,
    port: int | None,
    home: str | None,
    config: str | None,
) -> None:
    """Serve until Ctrl-C and keep every call, with its answer and timing, in a cassette.

    A call that the cassette has already is answered from it. Prompts and answers lie in the file in clear text,
    credentials do not.
    """
    import msgspec

    from craton.config import load
    from craton.config_tables import RecordTable

    settings = load(home=home, config=config, host=host, port=port, workers=1)
    parts = tuple(part.strip() for part in match_on.split(",") if part.strip())
    place = str(Path(path).expanduser().absolute())
    table = RecordTable(path=place, mode=cast("RecordMode", mode), match_on=parts, models=models)
    settings = msgspec.structs.replace(settings, record=table)
    warn_of_exposure(settings.file.server.host)
    before = {id_of(episode) for episode in kept(place)}
    code = run(settings, config, how_to_env(settings, given=home is not None))
    new = [episode for episode in kept(place) if id_of(episode) not in before]
    click.echo(summary(new, path))
    sys.exit(code)


def kept(path: str) -> list[Episode]:
    """What the cassette holds; nothing if it cannot be read, which the server says better."""
    from craton.models.providers.cassettes.tape import BadCassette, Tape

    try:
        return Tape(path).read()
    except BadCassette:
        return []


def id_of(episode: Episode) -> tuple[str, int, int]:
    """What tells an episode of this run from those before it: the file may have been begun anew."""
    return episode.head.at, episode.line, episode.end.took_ms


def summary(episodes: list[Episode], path: str) -> str:
    """One line, such as `Kept 3 calls in tour.jsonl: 2 Converse, 1 ConverseStream; 41 + 20 tokens, 1 error`."""
    if not episodes:
        return f"Kept no new call in {path}."
    calls = Counter(episode.head.call for episode in episodes)
    told = ", ".join(f"{count} {name}" for name, count in sorted(calls.items()))
    read = sum(episode.end.input_tokens or 0 for episode in episodes)
    written = sum(episode.end.output_tokens or 0 for episode in episodes)
    errors = sum(episode.end.end == "fault" for episode in episodes)
    noun = "call" if len(episodes) == 1 else "calls"
    failed = f", {errors} error{'s' if errors > 1 else ''}" if errors else ""
    return f"Kept {len(episodes)} {noun} in {path}: {told}; {read} + {written} tokens{failed}."
