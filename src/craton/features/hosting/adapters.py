"""Adapters in a running replica: what is loaded is brought to what is wanted, by the two calls that vLLM has as well.

Owns the calls and their order. It must not know when they are made or what an adapter is for.
"""

from __future__ import annotations

from collections.abc import Mapping

import msgspec

from craton.infra.compute.probe import ask

_LOAD, _UNLOAD = "/v1/load_lora_adapter", "/v1/unload_lora_adapter"
_TIMEOUT_S = 120.0
_SHOWN = 300


async def align(address: str, loaded: dict[str, str], wanted: Mapping[str, str]) -> str:
    """Unload and load at the replica at `address`; `loaded` is kept up to date. Returns what went wrong, in words.

    One of another directory under the same name is unloaded first. What fails does not hold up the others.
    """
    wrong: list[str] = []
    for name in [name for name, folder in loaded.items() if wanted.get(name) != folder]:
        reason = await _call(address, _UNLOAD, {"lora_name": name})
        if reason:
            wrong.append(f"adapter {name} could not be unloaded: {reason}")
        else:
            del loaded[name]
    for name, folder in wanted.items():
        if name not in loaded:
            reason = await _call(address, _LOAD, {"lora_name": name, "lora_path": folder})
            if reason:
                wrong.append(f"adapter {name} could not be loaded: {reason}")
            else:
                loaded[name] = folder
    return "; ".join(wrong)


async def _call(address: str, path: str, body: dict[str, str]) -> str:
    try:
        answer = await ask(address, "POST", path, msgspec.json.encode(body), timeout_s=_TIMEOUT_S)
    except TimeoutError:
        return f"no answer within {_TIMEOUT_S:g} s"
    except OSError as error:
        return f"no connection: {error.strerror or error}"
    if answer.status == 200 or (path == _UNLOAD and answer.status == 404):
        return ""
    return f"status {answer.status}: {answer.body[:_SHOWN].decode(errors='replace')}"
