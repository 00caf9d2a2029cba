"""Links by which a zip is fetched: for ten minutes, by whoever was given one.

Owns the link's form: the account, and a sealed token that says which zip and until when. What serves it is
`front.function_url`'s.
"""

from __future__ import annotations

import base64
import binascii
from datetime import timedelta
from typing import Final

import msgspec

from craton.context import App, Call
from craton.features.functions.function import Code
from craton.infra.cipher.port import CipherError

PATH: Final = "/craton/lambda-code/"
PURPOSE: Final = "lambda-code-link"
_LIFE: Final = timedelta(minutes=10)


class Link(msgspec.Struct, frozen=True, array_like=True):
    """`until` in seconds since 1970."""

    code: Code
    until: int


async def link(call: Call, account: str, code: Code) -> str:
    """The URL of a zip, at the address by which the caller came. Raises CipherError."""
    until = int((call.now() + _LIFE).timestamp())
    plain = msgspec.msgpack.encode(Link(code, until))
    sealed = await call.app.cipher.seal(account, PURPOSE, None, plain, region=call.region)
    token = base64.urlsafe_b64encode(sealed).rstrip(b"=").decode()
    scheme = "https" if call.secure else "http"
    host = call.header(b"host") or "localhost"
    return f"{scheme}://{host}{PATH}{account}/{token}"


async def opened(app: App, account: str, token: str) -> Code | None:
    """The zip that a link leads to, None for one that is over or was never made here."""
    try:
        sealed = base64.urlsafe_b64decode(token + "=" * (-len(token) % 4))
        plain = await app.cipher.open(account, PURPOSE, sealed)
    except (binascii.Error, ValueError, CipherError):
        return None
    found = msgspec.msgpack.decode(plain, type=Link)
    return found.code if found.until > app.clock.now().timestamp() else None
