"""The command `craton`: a table of its subcommands, each loaded only when it is called.

Owns the table. It must import nothing
heavy: `craton serve` answers its first request within 0.7 s of this file being read.
"""

from __future__ import annotations

import importlib
from typing import Any

import click

from craton.cli.refusal import Refused, exit_code, expected, in_one_line

# Subcommand → "module:attribute". The order is that of `craton --help`.
COMMANDS = {
    "serve": "craton.cli.serve:serve",
    "stop": "craton.cli.serve:stop",
    "record": "craton.cli.record:record",
    "env": "craton.cli.env:env",
    "quickstart": "craton.cli.quickstart:quickstart",
    "chat": "craton.cli.chat:chat",
    "models": "craton.cli.models:models",
    "top": "craton.cli.top:top",
    "keys": "craton.cli.keys:keys",
    "tls": "craton.cli.tls:tls",
    "secret": "craton.cli.secret:secret",
    "audit": "craton.cli.audit:audit",
    "usage": "craton.cli.usage:usage",
    "blobs": "craton.cli.blobs:blobs",
    "operations": "craton.cli.operations:operations",
    "jobs": "craton.cli.jobs:jobs",
    "eval": "craton.cli.eval:evaluation",
    "worker": "craton.cli.worker:worker",
    "logs": "craton.cli.logs:logs",
    "targets": "craton.cli.targets:targets",
    "explain": "craton.cli.explain:explain",
    "doctor": "craton.cli.doctor:doctor",
}


class Commands(click.Group):
    """The table above as a click group."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        place = COMMANDS.get(cmd_name)
        if place is None:
            return None
        module, _, attribute = place.partition(":")
        command: click.Command = getattr(importlib.import_module(module), attribute)
        return command

    def invoke(self, ctx: click.Context) -> Any:
        try:
            return super().invoke(ctx)
        except BrokenPipeError:
            raise  # click ends quietly when a reader such as `head` has gone
        except expected() as error:
            raise Refused(in_one_line(error), exit_code(error)) from None


@click.group(cls=Commands, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="craton", prog_name="craton")
def cli() -> None:
    """Amazon Bedrock that you run yourself."""


def main() -> None:
    """The console script."""
    cli(prog_name="craton")


if __name__ == "__main__":
    main()
