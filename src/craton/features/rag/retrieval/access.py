"""Who may see a document, by its access list.

Owns the rule that a search follows inside the store (`infra.vectors.port.Reach`), for those who ask about one document.
"""

from __future__ import annotations

from craton.infra.vectors.port import Access


def may_see(access: Access | None, user: str | None) -> bool:
    """Without a list everybody; else the users it allows and does not deny."""
    if access is None:
        return True
    return user is not None and user in access.allowed and user not in access.denied
