"""What every request must be allowed before, or without, a handler: the use of an API key, and what is not built.

Owns the two checks that no handler can make. Whoever may not call an operation is told so, and not whether this server
has it. It must not know policies: `Call.authorize` does.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from typing import Final

import msgspec

from craton.aws.access import actions
from craton.aws.access.needs import needs_of
from craton.aws.access.variables import Keys
from craton.aws.wire.faults import Fault, not_built
from craton.context import Call

WITH_KEY: Final = "bedrock:CallWithBearerToken"
_KEY_TYPES: Final[Mapping[str, Keys]] = {
    "bearer": {"bedrock:bearertokentype": "LONG_TERM"},
    "bearer-short": {"bedrock:bearertokentype": "SHORT_TERM"},
}
_table = cache(actions.load)


def authorize_key(call: Call) -> None:
    """Raise AccessDeniedException unless the caller may come with the kind of Bedrock API key that it came with."""
    call.authorize(WITH_KEY, "*", given=_KEY_TYPES[call.caller.auth])


def unbuilt(call: Call, labels: Mapping[str, str], body: bytes) -> Fault:
    """The answer of an operation that is not built. Raises AccessDeniedException for whoever may not call it at all."""
    operation = call.operation
    try:
        given = msgspec.json.decode(body) if body else None
    except (msgspec.DecodeError, UnicodeDecodeError):
        given = None
    for action, resource, keys in needs_of(
        _table(), operation.service, operation.name, labels, given, call.region, call.account
    ):
        call.authorize(action, resource, given=keys)
    return not_built(operation.name, operation.errors)
