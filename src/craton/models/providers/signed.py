"""The headers of a request that goes to AWS: signed with the target's own keys, or with its bearer key.

Owns which of the two it is and what is signed along. Knows no operation; the signing itself is `aws.wire.sign`'s.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime

from craton.aws.wire.sign import Keys, Signer
from craton.models.providers.openai import bearer
from craton.models.providers.provider import Upstream
from craton.models.providers.transport import Headers, parse_address

_SIGNED = ((b"content-type", b"application/json"),)
_UNSIGNED = ((b"accept-encoding", b"identity"), (b"user-agent", b"craton"))


def now_utc() -> datetime:
    return datetime.now(UTC)


class Signing:
    """Makes the headers of POSTs to one host. `service` is the signing name."""

    def __init__(self, upstream: Upstream, service: str, clock: Callable[[], datetime] = now_utc) -> None:
        address = parse_address(upstream.base_url)
        keys = Keys(upstream.access_key_id, upstream.secret_access_key, upstream.session_token)
        self._prefix = address.prefix
        self._clock = clock
        self._signer = Signer(keys, service=service, region=upstream.region, authority=address.authority)
        self._bearer = tuple(bearer(upstream.api_key)) if not upstream.access_key_id else ()

    def headers(self, path: bytes, body: bytes, *further: tuple[bytes, bytes]) -> Headers:
        """All headers but the host, which the transport writes. `path` is percent-encoded as it is sent."""
        fixed = (*_SIGNED, *further, *_UNSIGNED)
        if self._bearer:
            return (*fixed, *self._bearer)
        return (*fixed, *self._signer.sign(b"POST", self._prefix + path, body, self._clock(), headers=_SIGNED))


def secret_sent(upstream: Upstream) -> str:
    """The one secret that goes over the wire as it is, and might be echoed."""
    return upstream.session_token if upstream.access_key_id else upstream.api_key
