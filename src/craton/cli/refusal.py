"""Expected failures: one line on standard error and an exit code, never a trace.

Owns `Refused`, which commands raise, and the list of other errors that a person can mend. A mistake of ours is in no
list and shows its trace.
"""

from __future__ import annotations

import sys
from typing import Any

import click


class Refused(click.ClickException):
    """An expected failure: one line on standard error, no trace."""

    def __init__(self, message: str, code: int = 1) -> None:
        super().__init__(message)
        self.exit_code = code  # type: ignore[misc] # click reads it from the instance; its stub says otherwise

    def show(self, file: Any = None) -> None:
        click.echo(f"craton: {self.format_message()}", file=file or sys.stderr)


def expected() -> tuple[type[Exception], ...]:
    """The failures that a person can mend. Called only once something failed, so these imports cost nobody a start."""
    from craton.config import ConfigError
    from craton.infra.control.home import HomeBusy
    from craton.infra.control.wire import ControlFault, ControlLost
    from craton.infra.keys.root import BadRootKey
    from craton.infra.store.port import StoreError

    found: list[type[Exception]] = [ConfigError, HomeBusy, ControlFault, ControlLost, BadRootKey, StoreError, OSError]
    server = sys.modules.get("craton.front.server")
    if server is not None:
        found.append(server.ListenFailed)
    return tuple(found)


def in_one_line(error: Exception) -> str:
    """The error's text; for one of the system's, what failed and where."""
    if isinstance(error, OSError) and error.strerror:
        return f"{error.filename}: {error.strerror}" if error.filename else error.strerror
    return " ".join(str(error).split()) or type(error).__name__


def exit_code(error: Exception) -> int:
    """2 for what the command line or the configuration got wrong, 1 for the rest."""
    from craton.config import ConfigError

    return 2 if isinstance(error, ConfigError) else 1
