"""Whether a principal may do an action on some resources.

Today only root principals exist, and root may do everything in its own account; whoever is not root has no policy
that could allow anything, which is AWS's implicit deny. The evaluator of policies takes this function's place.
"""

from __future__ import annotations

from collections.abc import Iterable

from craton.aws.access.credentials import Principal
from craton.aws.wire.faults import access_denied


def decide(principal: Principal, action: str, resources: Iterable[str]) -> None:
    """Raise AccessDeniedException, naming the first resource that is refused."""
    if principal.is_root:
        return
    for resource in resources:
        raise access_denied(
            f"User: {principal.arn} is not authorized to perform: {action} on resource: {resource} "
            f"because no identity-based policy allows the {action} action"
        )
