"""What is served here by replicas, as commands show it: every model, what it is called, and how its replicas are.

Owns the joining of what the store and the settings say (there also without a server) with what the supervisor says, the
short names by which people mean a model, and the cells of tables. It must not know which command draws them.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

import msgspec

from craton.cli.refusal import Refused
from craton.cli.terminal import duration, size

if TYPE_CHECKING:
    from craton.cli.running import Place
    from craton.features.hosting.deployment import Deployment
    from craton.models.catalog.hosted import Hosted
    from craton.models.catalog.local import LocalModel

_LONGEST_ERROR = 160
_REASON = re.compile(r'reason="([^"]+)"')
_PENDING: dict[str, Any] = {"state": "stopped", "replicas": []}


class Known(msgspec.Struct, frozen=True, kw_only=True):
    """A model that can be served. `id` is a model id or an ARN, `name` what its owner called it."""

    id: str
    name: str = ""
    kind: str = ""
    origin: str = ""
    note: str = ""
    fault: str = ""
    directory: str = ""
    context_tokens: int = 0

    @property
    def title(self) -> str:
        """As a table shows it."""
        return f"{short(self.id)} ({self.name})" if self.name else short(self.id)


def short(ident: str) -> str:
    """An ARN without what is the same for all of an account: `provisioned-model/1zd0nxukt21b`."""
    return ident.split(":", 5)[-1] if ident.startswith("arn:") else ident


def known(place: Place) -> list[Known]:
    """All that this home can serve. The database is not made just to be looked at. Raises StoreError."""
    from craton.features.hosting.desired import Desires
    from craton.infra.store.mirror import Mirror
    from craton.infra.store.watch import database_path
    from craton.storing import store_url

    path, mirror, desires = database_path(store_url(place.settings)), Mirror(), Desires(place.settings)
    if path is not None and not path.exists():
        found = desires.look(mirror, None)
    else:
        store = place.open_store()
        try:
            mirror.look(store)
            found = desires.look(mirror, store)
        finally:
            store.close()
    local, hosted = locals_of(place), {one.arn: one for one in found.hosted}
    return [joined(one, local.get(one.id), hosted.get(one.id)) for one in found.deployments]


def joined(one: Deployment, local: LocalModel | None, hosted: Hosted | None) -> Known:
    """A deployment with what is known of the model: a local one, or one that an account hosts."""
    about = local or hosted
    return Known(
        id=one.id,
        name=hosted.name if hosted is not None else "",
        kind=about.kind if about is not None else "chat",
        origin=one.origin,
        note=one.note,
        fault=one.fault,
        directory=local.directory if local is not None else "",
        context_tokens=about.context_tokens if about is not None else 0,
    )


def locals_of(place: Place) -> dict[str, LocalModel]:
    """The local models by id."""
    from craton.cli.models import known as local_models

    return {model.id: model for model in local_models(place)}


def states_of(place: Place) -> dict[str, dict[str, Any]]:
    """What the supervisor says of each deployment."""
    if place.server is None:
        return {}
    with place.console() as console:
        return {row["id"]: row for row in console.call("models.status")}


def find(models: list[Known], words: str) -> Known:
    """The model that a person means by an id, an ARN, its end, or a name. Raises Refused."""
    for model in models:
        if words in (model.id, short(model.id)):
            return model
    named = [model for model in models if model.name and model.name == words]
    if len(named) == 1:
        return named[0]
    if named:
        raise Refused(f"{words} is the name of several: {', '.join(short(model.id) for model in named)}", 2)
    raise Refused(f"there is no model {words}; `craton models` lists them")


def facts(place: Place, model: Known) -> list[tuple[str, str]]:
    """What is written in the row of a model that an account owns, and how it is run."""
    told: list[tuple[str, str]] = []
    if model.id.startswith("arn:"):
        store = place.open_store()
        try:
            row = store.get(model.id)
        finally:
            store.close()
        told += _flat(msgspec.json.decode(row.body)) if row is not None else []
    return [*told, ("runs on", model.note)] if model.note else told


def _flat(members: dict[str, Any], head: str = "") -> list[tuple[str, str]]:
    found: list[tuple[str, str]] = []
    for name, value in members.items():
        title = f"{head}{name}".replace("_", " ")
        if isinstance(value, dict):
            found += _flat(value, f"{title} ")
        elif value not in ("", None, []):
            found.append((title, str(value)))
    return found


# --- as JSON, and as cells ---


def described(model: Known, row: dict[str, Any] | None) -> dict[str, Any]:
    """One model as JSON shows it."""
    state = {**_PENDING, **(row or {})}
    return {
        "id": model.id,
        "name": model.name,
        "kind": model.kind,
        "origin": model.origin,
        "note": state.get("note") or model.note,
        "state": state["state"] if not model.fault else "broken",
        "ready": state.get("ready", 0),
        "wanted": state.get("wanted", 0),
        "running": state.get("outstanding", 0),
        "waiting": state.get("queue", 0),
        "tokens_per_s": speed(state),
        "requests_per_s": state.get("requests_per_s", 0.0),
        "pid": state.get("pid", 0),
        "memory_bytes": memory(state),
        "uptime_s": round(state.get("uptime_s", 0.0), 1),
        "restarts": state.get("restarts", 0),
        "last_error": model.fault or state.get("last_error") or state.get("lacks", ""),
        "context_tokens": model.context_tokens,
        "directory": model.directory,
        "replicas": [replica(one) for one in state["replicas"]],
    }


def replica(row: dict[str, Any]) -> dict[str, Any]:
    """One replica as JSON shows it; `current`: it runs what is desired now."""
    return {
        "id": row["id"],
        "state": row["state"],
        "node": row["node"],
        "pid": row["pid"],
        "current": row["current"],
        "adapters": row["adapters"],
        "running": row["outstanding"],
        "tokens_per_s": row["tokens_per_s"],
        "memory_bytes": memory(row),
        "uptime_s": round(row["uptime_s"], 1),
        "restarts": row["restarts"],
        "last_error": row["last_error"],
    }


def memory(row: dict[str, Any]) -> int:
    return int(row.get("pss_bytes", 0) or row.get("rss_bytes", 0))


def speed(row: dict[str, Any]) -> float:
    """Tokens per second: what the replicas say of themselves, else what the gateways make of the answers' lengths."""
    told = sum(one["tokens_per_s"] for one in row.get("replicas", ()))
    return round(float(told or row.get("tokens_per_s", 0.0)), 1)


HEADER = ("MODEL", "KIND", "ORIGIN", "STATE", "READY", "LOAD", "TOKENS/S", "MEMORY", "UPTIME", "RESTARTS", "LAST ERROR")


def cells(row: dict[str, Any]) -> list[tuple[str, ...]]:
    """The lines of one model in the table: its own, and one for each replica. LOAD is `running +waiting`."""
    title = Known(id=row["id"], name=row["name"]).title
    ready = f"{row['ready']}/{row['wanted']}" if row["wanted"] or row["replicas"] else "-"
    load = f"{row['running']} +{row['waiting']}" if row["waiting"] else str(row["running"])
    one = (title, row["kind"], row["origin"], row["state"], ready, load)
    return [(*one, *_last(row)), *(_replica_cells(each) for each in row["replicas"])]


def _replica_cells(row: dict[str, Any]) -> tuple[str, ...]:
    title = f"  {row['id']}" + (f" on {row['node']}" if row["node"] else "")
    state = row["state"] if row["current"] else f"{row['state']} (former)"
    process = f", pid {row['pid']}" if row["pid"] else ""
    return (title, "", "", state + process, "", str(row["running"]), *_last(row))


def _last(row: dict[str, Any]) -> tuple[str, ...]:
    return (
        f"{row['tokens_per_s']:.0f}" if row["tokens_per_s"] else "-",
        size(row["memory_bytes"]),
        duration(row["uptime_s"]),
        str(row["restarts"]),
        in_short(row["last_error"]) or "-",
    )


def in_short(text: str) -> str:
    """An error in one line: how the process ended, and the reason that its last words give, where they give one."""
    reasons = _REASON.findall(text)
    if reasons:
        text = f"{text.partition(chr(10))[0]}: {reasons[-1]}"
    return " ".join(text.split())[:_LONGEST_ERROR]
