"""`craton env`: what a program's environment needs to reach this server, ready for `eval`.

Owns the names (DESIGN, part 7; AWS_CA_BUNDLE for a certificate of `craton tls create`) and their forms. Comments go to standard error, so that they
never reach the shell that evaluates the rest.
"""

from __future__ import annotations

import json
import shlex
from collections.abc import Callable, Mapping

import click

from craton.cli.options import place_of, placed
from craton.cli.refusal import Refused


def as_sh(values: Mapping[str, str]) -> str:
    return "\n".join(f"export {name}={shlex.quote(value)}" for name, value in values.items())


def as_fish(values: Mapping[str, str]) -> str:
    def quoted(value: str) -> str:
        return "'" + value.replace("\\", "\\\\").replace("'", "\\'") + "'"

    return "\n".join(f"set -gx {name} {quoted(value)}" for name, value in values.items())


def as_json(values: Mapping[str, str]) -> str:
    return json.dumps(dict(values), indent=2)


def as_dotenv(values: Mapping[str, str]) -> str:
    return "\n".join(f"{name}={value}" for name, value in values.items())


FORMS: dict[str, Callable[[Mapping[str, str]], str]] = {
    "sh": as_sh,
    "fish": as_fish,
    "json": as_json,
    "dotenv": as_dotenv,
}


@click.command()
@placed
@click.option("--port", type=click.IntRange(1, 65535), help="Name a server on this port instead of the one that runs.")
@click.option("--format", "form", type=click.Choice(list(FORMS)), default="sh", show_default=True)
def env(home: str | None, config: str | None, port: int | None, form: str) -> None:
    """Print the environment that points AWS's SDKs at this server: eval "$(craton env)"."""
    from craton.cli.running import authority_of, local_url

    place = place_of(home, config)
    table = place.settings.file.server
    key = place.root_key()
    if place.server is not None and place.server.access_key_id != key.access_key_id:
        raise Refused(
            f"the server at {place.server.url} has the root key {place.server.access_key_id}, fixed by its own "
            "environment: set CRATON_ROOT_ACCESS_KEY_ID and CRATON_ROOT_SECRET_ACCESS_KEY here as there"
        )
    if place.server is None:
        click.echo(f"# no server runs with the home {place.home}: start one with `craton serve`", err=True)
    secure = bool(place.settings.file.tls.certificate)
    running = place.server.url if place.server else local_url(table.host, table.port, secure=secure)
    authority = place.server.authority if place.server else authority_of(place.settings)
    values = {
        "AWS_ENDPOINT_URL": local_url(table.host, port, secure=secure) if port else running,
        "AWS_ACCESS_KEY_ID": key.access_key_id,
        "AWS_SECRET_ACCESS_KEY": key.secret_access_key,
        "AWS_REGION": place.region,
        "AWS_DEFAULT_REGION": place.region,
        **({"AWS_CA_BUNDLE": authority} if authority else {}),
    }
    click.echo(FORMS[form](values))
