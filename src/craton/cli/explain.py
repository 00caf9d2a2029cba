"""`craton explain`: why a principal may or may not do something, and the least policy for what it really called.

Owns the words; the answer is the running server's (`POST /craton/explain`), asked with the root key of the account that
the ARN belongs to.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import click

from craton.cli.options import place_of, placed
from craton.cli.refusal import Refused

if TYPE_CHECKING:
    from craton.cli.running import Place, Running
    from craton.infra.keys.root import RootKey

_PATH = "/craton/explain"


@click.command()
@placed
@click.option("--as", "who", metavar="ARN", default="", help="A user, role, session or root.  [default: root]")
@click.option("--action", metavar="NAME", default="", help="Such as bedrock:InvokeModel.")
@click.option("--resource", metavar="ARN", default="*", show_default=True, help="What it would be done on.")
@click.option("--key", "keys", metavar="NAME=VALUE", multiple=True, help="A condition key of the request; repeatable.")
@click.option("--draft", is_flag=True, help="Print the least policy for what was really called and allowed.")
@click.option("--json", "as_json", is_flag=True, help="Print the whole answer as JSON.")
def explain(
    home: str | None,
    config: str | None,
    who: str,
    action: str,
    resource: str,
    keys: tuple[str, ...],
    *,
    draft: bool,
    as_json: bool,
) -> None:
    """Say which policy statement decides, or draft the least policy.

    Exit code 0 if the action is allowed, 3 if it is not.
    """
    if not action and not draft:
        raise Refused("say --action, or --draft, or both", 2)
    place = place_of(home, config)
    if place.server is None:
        raise Refused("no server runs here; start one with `craton serve`")
    asked = {"as": who, "action": action, "resource": resource, "keys": pairs(keys), "draft": draft}
    answer = ask(place.server, key_for(place, who), asked)
    if as_json:
        click.echo(json.dumps(answer, indent=2))
    else:
        click.echo("\n".join([*(verdict(answer) if action else []), *(drafted(answer) if draft else [])]))
    if action and not answer["allowed"]:
        raise SystemExit(3)


def pairs(keys: tuple[str, ...]) -> dict[str, str | list[str]]:
    """`NAME=VALUE` options as an object; a name that comes twice has several values."""
    found: dict[str, list[str]] = {}
    for key in keys:
        name, sign, value = key.partition("=")
        if not sign or not name:
            raise Refused(f"--key {key}: write NAME=VALUE", 2)
        found.setdefault(name, []).append(value)
    return {name: values[0] if len(values) == 1 else values for name, values in found.items()}


def key_for(place: Place, who: str) -> RootKey:
    """The root key of the account that the ARN is of."""
    from craton.infra.keys.root import RootKey

    account = who.split(":")[4] if who.count(":") >= 5 else place.account
    for table in place.settings.file.account:
        if table.id == account:
            return RootKey(table.id, table.access_key, table.secret_key)
    key = place.root_key()
    if place.server is not None and key.access_key_id != place.server.access_key_id:
        raise Refused("the server has another root key: set CRATON_ROOT_ACCESS_KEY_ID and its secret as it was started")
    return key


def ask(server: Running, key: RootKey, asked: dict[str, Any]) -> dict[str, Any]:
    """The server's answer. Raises Refused with its words, OSError."""
    from datetime import UTC, datetime
    from urllib.parse import urlsplit

    from craton.aws.wire.sign import Keys, Signer
    from craton.cli import running

    body, authority = json.dumps(asked).encode(), urlsplit(server.url).netloc.encode()
    keys = Keys(key.access_key_id, key.secret_access_key)
    signer = Signer(keys, service="bedrock", region=server.region, authority=authority)
    signed = signer.sign(b"POST", _PATH.encode(), body, datetime.now(UTC))
    headers = {name.decode(): value.decode() for name, value in signed}
    status, answer = running.ask(server, "POST", _PATH, body, headers)
    told: dict[str, Any] = answer if isinstance(answer, dict) else {}
    if status != 200:
        raise Refused(told.get("message") or told.get("Message") or f"{server.url} answers with status {status}")
    return told


def verdict(answer: dict[str, Any]) -> list[str]:
    """The decision in lines: yes or no, by what, and what conditions asked for."""
    head = f"{'allowed' if answer['allowed'] else 'refused'}: {answer['action']} on {answer['resource']}"
    lines = [f"{head}, as {answer['principal']}"]
    if answer["message"]:
        lines.append(f"  {answer['message']}")
    deciding = answer["deciding"]
    lines.append(f"  decided by {named(deciding)}" if deciding else f"  decided by no statement ({answer['reason']})")
    for one in answer["statements"]:
        if one != deciding and one["outcome"] != "other resource":
            detail = f" ({one['detail']})" if one["detail"] else ""
            lines.append(f"  {named(one)}: {one['outcome']}{detail}")
    lines += [f"  {key} is {shown(value)}" for key, value in answer["keys"].items()]
    return lines


def named(statement: dict[str, Any]) -> str:
    """Such as `Allow in statement 0 (ReadModels) of the identity policy "artists"`."""
    sid = f" ({statement['sid']})" if statement["sid"] else ""
    kind, policy = statement["kind"], statement["policy"]
    return f'{statement["effect"]} in statement {statement["statement"]}{sid} of the {kind} policy "{policy}"'


def shown(value: str | list[str] | None) -> str:
    return "not in the request" if value is None else ", ".join(value) if isinstance(value, list) else value


def drafted(answer: dict[str, Any]) -> list[str]:
    """The draft, and a word about what it leaves out."""
    lines = [json.dumps(answer["policy"], indent=2)] if answer["policy"]["Statement"] else ["Nothing was called yet."]
    lines += [f"refused, so not in it: {action} on {resource}" for action, resource in answer["refused"]]
    if not answer["complete"]:
        lines.append("There were more distinct calls than are kept: the policy may lack some.")
    return lines
