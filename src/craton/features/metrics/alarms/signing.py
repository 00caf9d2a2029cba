"""How a webhook knows that a notice is this server's: its id, its moment and both with the body under a shared key.

Owns the headers. Pure. Source: Standard Webhooks, "Signature scheme" (symmetric, v1).
"""

from __future__ import annotations

import base64
import hashlib
import hmac
from typing import Final

_PREFIX: Final = "whsec_"


def signed(key: str, ident: str, at_s: int, body: bytes) -> list[tuple[bytes, bytes]]:
    """The headers of one call. A key that begins with `whsec_` is base64 after it; a try again has the same `ident`.

    Raises ValueError for one that is not.
    """
    known = base64.b64decode(key.removeprefix(_PREFIX), validate=True) if key.startswith(_PREFIX) else key.encode()
    said = b"%b.%d.%b" % (ident.encode(), at_s, body)
    signature = base64.b64encode(hmac.new(known, said, hashlib.sha256).digest())
    return [
        (b"webhook-id", ident.encode()),
        (b"webhook-timestamp", b"%d" % at_s),
        (b"webhook-signature", b"v1," + signature),
    ]
