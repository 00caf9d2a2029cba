"""Options that several commands share, and how they become settings.

Owns the spelling of `--home` and `--config` and the rule that a running server's configuration file is the one that
counts. It must not know what a command does with the settings.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, TypeVar

import click

if TYPE_CHECKING:
    from craton.cli.running import Place

F = TypeVar("F", bound=Callable[..., Any])

home_option = click.option(
    "--home", metavar="DIR", help="Where keys, models and the database lie.  [default: $CRATON_HOME, else ~/.craton]"
)
config_option = click.option(
    "--config", metavar="FILE", help="The configuration file.  [default: config.toml in the home, if it is there]"
)


def placed(function: F) -> F:
    """Give a command `--home` and `--config`."""
    return home_option(config_option(function))


def place_of(home: str | None, config: str | None) -> Place:
    """The home that is meant, its settings and its running server. Raises ConfigError."""
    from craton.cli.running import Place, find
    from craton.config import home_path, load

    server = find(home_path(home))
    if config is None and server is not None and server.config:
        config = server.config
    return Place(load(home=home, config=config), server)
