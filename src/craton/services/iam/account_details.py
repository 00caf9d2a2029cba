"""GetAccountAuthorizationDetails: every user, group, role and managed policy with all that they may.

Pages go over the kinds one after the other, each in the order of names; the marker says where in which kind.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from craton.context import Call
from craton.infra.identities import records
from craton.infra.identities.managed import MADE_AT, VERSION, aws_policies
from craton.infra.identities.records import Entity, Group, ManagedPolicy, Role, User, Version
from craton.infra.store.port import GLOBAL, Query, Reader, Resource
from craton.services.iam import managed, pages, shown
from craton.services.iam.nouns import action, faults
from craton.services.operation import operation

if TYPE_CHECKING:
    from craton.aws.shapes import iam

# Filter of a request → kind of rows and member of the answer, in the order in which they come.
_KINDS: dict[str, tuple[str, str]] = {
    "User": (records.USER, "UserDetailList"),
    "Group": (records.GROUP, "GroupDetailList"),
    "Role": (records.ROLE, "RoleDetailList"),
    "LocalManagedPolicy": (records.POLICY, "Policies"),
    "AWSManagedPolicy": (managed.USES, "Policies"),
}


@operation("iam", "GetAccountAuthorizationDetails")
async def get_account_authorization_details(
    call: Call, req: iam.GetAccountAuthorizationDetailsRequest
) -> iam.GetAccountAuthorizationDetailsResponse:
    call.authorize(action(call), "*")
    chosen = [one for one in _KINDS if not req.Filter or one in req.Filter]
    with faults():
        rows = await call.app.storage.read(lambda store: _rows(store, call.account, chosen))
        groups = await call.app.storage.read(lambda store: _groups(store, call.account))
    order = {_KINDS[one][0]: f"{at}" for at, one in enumerate(_KINDS)}
    page, tail = pages.of_list(call, req, rows, lambda row: f"{order[row.kind]}/{row.name}", chosen)
    answer: dict[str, Any] = {member: [] for _, member in _KINDS.values()}
    members = dict(_KINDS.values())
    for row in page:
        answer[members[row.kind]].append(_detail(row, groups))
    return {**answer, **tail}  # type: ignore[typeddict-item]


def _rows(store: Reader, account: str, chosen: list[str]) -> list[Resource]:
    found: list[Resource] = []
    for one in chosen:
        query = Query(kind=_KINDS[one][0], account=account, region=GLOBAL, sort="name", limit=1000)
        while True:
            page = store.list(query)
            found += page.items
            if page.after is None:
                break  # of this kind
            query = Query(kind=query.kind, account=account, region=GLOBAL, sort="name", limit=1000, after=page.after)
    return [row for row in found if row.kind != managed.USES or row.read(ManagedPolicy).attached_to]


def _groups(store: Reader, account: str) -> dict[str, list[str]]:
    """The names of the groups that each user is in, by the user's unique id."""
    found: dict[str, list[str]] = {}
    for row in records.rows(store, records.GROUP, account):
        body = row.read(Group)
        for member in body.members:
            found.setdefault(member, []).append(body.name)
    return found


def _detail(row: Resource, groups: dict[str, list[str]]) -> dict[str, Any]:
    if row.kind in (records.POLICY, managed.USES):
        return _policy(row)
    body = row.read(records.BODIES[row.kind])
    common: dict[str, Any] = {"Path": body.path, "Arn": row.arn, "CreateDate": row.created_at,
                              "AttachedManagedPolicies": shown.attached(body.attached)}  # fmt: skip
    if isinstance(body, Group):
        return {**common, "GroupName": body.name, "GroupId": row.id, "GroupPolicyList": _inline(body)}
    if isinstance(body, User):
        own = {"UserName": body.name, "UserId": row.id, "UserPolicyList": _inline(body),
               "GroupList": sorted(groups.get(row.id, []))}  # fmt: skip
        return {**common, **own, "Tags": shown.tags(body.tags), "PermissionsBoundary": shown.boundary(body)}
    assert isinstance(body, Role)  # noqa: S101 - no other kind is listed
    own = {"RoleName": body.name, "RoleId": row.id, "RolePolicyList": _inline(body), "InstanceProfileList": [],
           "AssumeRolePolicyDocument": shown.document(body.trust)}  # fmt: skip
    return {**common, **own, "Tags": shown.tags(body.tags), "PermissionsBoundary": shown.boundary(body)}


def _inline(body: Entity) -> list[dict[str, str]]:
    return [{"PolicyName": name, "PolicyDocument": shown.document(text)} for name, text in body.inline.items()]


def _policy(row: Resource) -> dict[str, Any]:
    body = row.read(ManagedPolicy)
    if row.kind == records.POLICY:
        versions, summary = body.versions, dict(shown.policy(row))
    else:
        ours = next(one for one in aws_policies().values() if one.id == row.id)
        versions, summary = (
            [Version(id=VERSION, document=ours.document, created_at=MADE_AT)],
            dict(shown.aws_policy(ours, body)),
        )
    summary.pop("Tags", None)
    default = str(summary["DefaultVersionId"])
    return {**summary, "PolicyVersionList": [shown.version(one, default) for one in versions]}
