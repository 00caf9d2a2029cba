"""`craton secret`: exchange the secrets that the store's rows are sealed under.

Owns the command's words; the exchange is `rotating`'s. The home is held meanwhile, so it is refused while a server runs.
"""

from __future__ import annotations

import click

from craton.cli.options import place_of, placed
from craton.cli.refusal import Refused


@click.group()
@placed
@click.pass_context
def secret(ctx: click.Context, home: str | None, config: str | None) -> None:
    """Secrets of the server: exchange them."""
    ctx.default_map = {name: {"home": home, "config": config} for name in secret.commands}


@secret.command()
@placed
@click.option("--root-key", is_flag=True, help="Exchange the root key of KMS instead of the home's secret.")
@click.option(
    "--previous", metavar="REF", default="",
    help="Where the old one is, if the configuration names the new one: env:NAME, file:PATH or home.",
)  # fmt: skip
def rotate(home: str | None, config: str | None, previous: str, *, root_key: bool) -> None:
    """Seal everything in the store under a new secret.

    No server may run. Access keys and KMS keys go on as they are; sessions and short-term API keys end with the old
    secret. If it is cut off, nothing is lost: the next start, or the same command, finishes it.
    """
    from craton.infra.cipher.port import RootUnavailable
    from craton.infra.control.home import hold_home
    from craton.rotating import rotate_root, rotate_secret

    place = place_of(home, config)
    if not place.home.is_dir():
        raise Refused(f"there is no home at {place.home}")
    with hold_home(place.home):
        try:
            done = (rotate_root if root_key else rotate_secret)(place.settings, previous)
        except RootUnavailable as error:
            raise Refused(str(error)) from None
    what = "The root key" if root_key else "The secret"
    click.echo(f"{what} is a new one: {done.access_keys} access keys and {done.kms_keys} KMS keys were sealed anew.")
