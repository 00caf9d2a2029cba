"""The modules that hold handlers of the query services, in one visible table; loaded when such a service is first asked."""

from __future__ import annotations

from types import ModuleType

from craton.services.iam import (
    access_keys,
    account,
    account_details,
    attachments,
    boundaries,
    context_keys,
    credentials,
    groups,
    inline_policies,
    oidc_providers,
    policies,
    policy_entities,
    policy_versions,
    role_trust,
    roles,
    simulate,
    tags,
    users,
)
from craton.services.sts import assume_role, caller, session_token, web_identity

HANDLERS: dict[str, tuple[ModuleType, ...]] = {
    "iam": (users, groups, roles, role_trust, access_keys, policies, policy_versions, policy_entities, inline_policies,
            attachments, boundaries, tags, credentials, oidc_providers, account, account_details, simulate, context_keys),
    "sts": (caller, assume_role, session_token, web_identity),
}  # fmt: skip
