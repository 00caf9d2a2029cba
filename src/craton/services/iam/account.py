"""The account as a whole: how much of everything it has and may have, and its aliases."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from craton.context import Call
from craton.infra.identities import records
from craton.infra.identities.records import ManagedPolicy
from craton.infra.store.port import GLOBAL, Reader
from craton.services.iam import access_keys, attachments, groups, inline_policies, policy_versions
from craton.services.iam.nouns import action, faults
from craton.services.operation import operation

if TYPE_CHECKING:
    from craton.aws.shapes import iam

_COUNTED = {
    "Users": records.USER,
    "Groups": records.GROUP,
    "Roles": records.ROLE,
    "Policies": records.POLICY,
    "Providers": records.PROVIDER,
}
# What this server does not have is counted as none.
_NONE = ("ServerCertificates", "MFADevices", "MFADevicesInUse", "AccountMFAEnabled", "AccountSigningCertificatesPresent",
         "AccountPasswordPresent", "InstanceProfiles")  # fmt: skip


@operation("iam", "GetAccountSummary")
async def get_account_summary(call: Call, req: Any) -> iam.GetAccountSummaryResponse:
    call.authorize(action(call), "*")
    limits = call.app.settings.file.limits

    def work(store: Reader) -> dict[str, int]:
        found = {name: store.count(call.account, GLOBAL, kind) for name, kind in _COUNTED.items()}
        versions = (len(row.read(ManagedPolicy).versions) for row in records.rows(store, records.POLICY, call.account))
        return {**found, "PolicyVersionsInUse": sum(versions)}

    with faults():
        counted = await call.app.storage.read(work)
    quotas = {
        "UsersQuota": limits.iam_users,
        "GroupsQuota": limits.iam_groups,
        "RolesQuota": limits.iam_roles,
        "PoliciesQuota": limits.iam_policies,
        "AccessKeysPerUserQuota": access_keys.MAX_KEYS,
        "GroupsPerUserQuota": groups.MAX_PER_USER,
        "VersionsPerPolicyQuota": policy_versions.MAX_VERSIONS,
        "AttachedPoliciesPerUserQuota": attachments.MAX_ATTACHED,
        "AttachedPoliciesPerGroupQuota": attachments.MAX_ATTACHED,
        "AttachedPoliciesPerRoleQuota": attachments.MAX_ATTACHED,
        "UserPolicySizeQuota": inline_policies.MAX_TOTAL["User"],
        "GroupPolicySizeQuota": inline_policies.MAX_TOTAL["Group"],
        "RolePolicySizeQuota": inline_policies.MAX_TOTAL["Role"],
        "PolicySizeQuota": 6144,
        "AssumeRolePolicySizeQuota": 4096,
        "AccountAccessKeysPresent": 1,
        "GlobalEndpointTokenVersion": 2,
    }
    summary: Any = {**counted, **quotas, **dict.fromkeys(_NONE, 0)}
    return {"SummaryMap": summary}


@operation("iam", "ListAccountAliases")
async def list_account_aliases(call: Call, req: iam.ListAccountAliasesRequest) -> iam.ListAccountAliasesResponse:
    """None: an alias is an address of AWS's sign-in page, which is not here."""
    call.authorize(action(call), "*")
    return {"AccountAliases": [], "IsTruncated": False}
