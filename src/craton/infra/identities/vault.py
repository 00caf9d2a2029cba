"""What a process needs to make and to check the secrets of identities: the seal of access keys, sessions, web identities.

Owns nothing but their being together. It must not know requests or the store.
"""

from __future__ import annotations

import hmac
from collections.abc import Callable
from functools import cached_property
from typing import Any

from craton.config_tables import OidcTable
from craton.infra.identities.seal import ACCESS_KEYS, SESSION_TOKENS, Sealer
from craton.infra.identities.sessions import Sessions
from craton.infra.identities.webtokens import Issuer


class Vault:
    """The seals of one home.

    Args:
        secret: the home's secret of 32 bytes for a purpose; asked when it is needed.
        oidc: the configured issuer of web identities, if there is one.
    """

    def __init__(self, secret: Callable[[str], bytes], oidc: OidcTable | None) -> None:
        self._secret = secret
        self.uses: Any = None  # services.iam.key_uses.KeyUses: a higher floor, so not named here
        self.sessions = Sessions(lambda: secret(SESSION_TOKENS))
        self.issuer = None if oidc is None else Issuer(oidc.issuer, oidc.jwks, oidc.audience)

    @cached_property
    def sealer(self) -> Sealer:
        """Seals the secrets of access keys."""
        return Sealer(self._secret(ACCESS_KEYS))

    def mark(self, purpose: str, said: bytes) -> bytes:
        """32 bytes over `said` that only servers with this secret can make."""
        return hmac.digest(self._secret(purpose), said, "sha256")
