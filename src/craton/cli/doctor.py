"""`craton doctor`: what is wrong, and how to mend it.

Owns the order of the checks and the report. A check tells, it never mends; the exit code is 1 if there is a problem.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator

import click

from craton.cli.finding import Finding
from craton.cli.options import placed

MARKS = {"ok": ("ok", "green"), "warning": ("warning", "yellow"), "problem": ("problem", "red")}


@click.command()
@placed
def doctor(home: str | None, config: str | None) -> None:
    """Say what is wrong and how to mend it."""
    found = []
    for finding in findings(home, config):
        click.echo(line(finding))
        found.append(finding.level)
    problems, warnings = found.count("problem"), found.count("warning")
    click.echo(f"\n{counted(problems, 'problem')}, {counted(warnings, 'warning')}.")
    sys.exit(1 if problems else 0)


def findings(home: str | None, config: str | None) -> Iterator[Finding]:
    """All checks, from the ground up; those of a home end where its configuration cannot be used."""
    from craton.cli import checks_client, checks_containers, checks_home, checks_install, checks_logs
    from craton.cli.running import Place
    from craton.config import home_path

    path = home_path(home)
    yield from checks_install.python()
    yield from checks_install.packages()
    yield from checks_install.service_models()
    yield from checks_install.runtime()
    yield from checks_install.box()
    yield from checks_install.machine(path)
    yield from checks_install.walls()
    yield from checks_install.proxies()
    yield from checks_home.permissions(path)
    for item in checks_home.configuration(home, config):
        if not isinstance(item, Place):
            yield item
            continue
        yield from checks_home.secrets(item.settings)
        yield from checks_home.database(item)
        yield from checks_home.models(item)
        yield from checks_containers.containers(item.settings)
        yield from checks_logs.deliveries(item)
        yield from checks_home.server(item)
        yield from checks_client.endpoint(item, os.environ)
        yield from checks_client.keys(item, os.environ)


def line(finding: Finding) -> str:
    """One finding as it is printed; how to mend it stands beneath."""
    mark, colour = MARKS[finding.level]
    text = f"{click.style(mark.ljust(7), fg=colour)}  {finding.subject}: {finding.text}"
    return f"{text}\n{' ' * 9}→ {finding.mend}" if finding.mend else text


def counted(number: int, noun: str) -> str:
    return f"{number or 'no'} {noun}{'' if number == 1 else 's'}"
