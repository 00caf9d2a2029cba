"""AssumeRoleWithWebIdentity: a token of an OIDC issuer in place of a signature.

The issuer must be the configured one (`[oidc]`), whose keys sign the token; the token must be meant for an audience that
the role's account (its OIDC provider) or the configuration lets in; and the role's trust policy must allow the provider,
by conditions on the token's claims where it wants to.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

from craton.aws.access.evaluate import Policies, evaluate
from craton.aws.access.keys import RequestKeys
from craton.aws.access.request import Request, Subject, tag_keys
from craton.aws.access.variables import Value
from craton.aws.wire.faults import Fault, access_denied
from craton.context import Call
from craton.infra.identities import records
from craton.infra.identities.records import Provider, Role
from craton.infra.identities.webtokens import BadWebToken, ExpiredWebToken, Issuer, KeysUnavailable
from craton.infra.store.port import Resource
from craton.services.iam.nouns import resource_tags
from craton.services.iam.oidc_providers import provider_arn
from craton.services.iam.role_trust import trust_of
from craton.services.operation import operation
from craton.services.sts import issue

if TYPE_CHECKING:
    from craton.aws.shapes import sts

ACTION = "sts:AssumeRoleWithWebIdentity"
DENIED = f"Not authorized to perform {ACTION}"
TAGS_CLAIM = "https://aws.amazon.com/tags"


@operation("sts", "AssumeRoleWithWebIdentity")
async def assume_role_with_web_identity(
    call: Call, req: sts.AssumeRoleWithWebIdentityRequest
) -> sts.AssumeRoleWithWebIdentityResponse:
    issuer: Issuer | None = call.app.vault.issuer
    if issuer is None:
        raise _invalid("No OpenIDConnect provider found: this server has no [oidc] issuer.")
    claims = await _claims(call, issuer, req.WebIdentityToken)
    row = await issue.role_row(call, req.RoleArn)
    if row is None:
        raise access_denied(DENIED)
    provider = provider_arn(row.account, issuer.name)
    audience = await _audience(call, issuer, provider, claims)
    tags, transitive = _tags(claims)
    keys = _keys(req, issuer.name, claims, provider, row, tags, transitive)
    for action in (ACTION, "sts:TagSession") if tags else (ACTION,):
        _check_trusted(call, row, provider, action, keys)
    role = row.read(Role)
    seconds = issue.life_s(req.DurationSeconds, role, chained=False)
    principal = issue.assumed(
        row,
        req.RoleSessionName,
        call,
        session_policies=await issue.session_policies(call, row.account, req.Policy, req.PolicyArns),
        session_tags=tags,
        transitive_tags=transitive,
    )
    _, credentials = issue.issued(call, principal, row.id, seconds)
    return {
        "Credentials": credentials,
        "SubjectFromWebIdentityToken": str(claims["sub"]),
        "AssumedRoleUser": {"AssumedRoleId": principal.user_id, "Arn": principal.arn},
        "Provider": provider,
        "Audience": audience,
    }


async def _claims(call: Call, issuer: Issuer, token: str) -> dict[str, Any]:
    """What the token says, in AWS's errors. The keys may have to be read or fetched, so it is done in a thread."""
    try:
        return await asyncio.to_thread(issuer.claims, token, call.app.clock.now())
    except ExpiredWebToken as error:
        raise Fault("ExpiredTokenException", f"{error}", status=400) from None
    except BadWebToken as error:
        raise _invalid(str(error)) from None
    except KeysUnavailable as error:
        call.report(error)
        raise Fault("IDPCommunicationError", "The identity provider's keys could not be read.", status=400) from None


async def _audience(call: Call, issuer: Issuer, provider: str, claims: dict[str, Any]) -> str:
    """The audience of the token that is let in. Raises InvalidIdentityToken."""
    row = await call.app.storage.read(lambda store: store.get(provider))
    kept = row.read(Provider).client_ids if row is not None and row.kind == records.PROVIDER else []
    given = claims.get("aud", claims.get("azp", []))
    for one in given if isinstance(given, list) else [given]:
        if one in kept or one in issuer.audience:
            return str(one)
    raise _invalid("Incorrect token audience")


def _check_trusted(call: Call, row: Resource, provider: str, action: str, given: dict[str, Value]) -> None:
    """Raise AccessDenied unless the role's trust policy, and the organisation's guards of resources, allow it."""
    subject = Subject(kind="web-identity", arn=provider, provider=provider)
    keys = RequestKeys(call, {}, given)
    keys.resource = row.arn
    request = Request(subject=subject, action=action, resource=row.arn, keys=keys, resource_account=row.account)
    trust = trust_of(row)
    guards = call.app.live.authority.organization.resource_control
    if not evaluate(request, Policies(resource=trust, resource_decides=True, resource_control=guards)).allowed:
        raise access_denied(DENIED)


def _keys(
    req: sts.AssumeRoleWithWebIdentityRequest,
    issuer: str,
    claims: dict[str, Any],
    provider: str,
    row: Resource,
    tags: dict[str, str],
    transitive: tuple[str, ...],
) -> dict[str, Value]:
    """The condition keys: the token's claims stand under the issuer's name."""
    keys: dict[str, Value] = {
        "sts:rolesessionname": req.RoleSessionName,
        "aws:federatedprovider": provider,
        **tag_keys(request_tags=tags),
        **resource_tags(row.read(Role).tags),
    }
    if transitive:
        keys["sts:transitivetagkeys"] = transitive
    for name in ("aud", "azp", "sub", "amr", "oaud", "email"):
        value = claims.get(name)
        if isinstance(value, str):
            keys[f"{issuer}:{name}".lower()] = value
        elif isinstance(value, list):
            keys[f"{issuer}:{name}".lower()] = tuple(str(one) for one in value)
    return keys


def _tags(claims: dict[str, Any]) -> tuple[dict[str, str], tuple[str, ...]]:
    """The session tags that the token itself carries, and which of them are transitive."""
    claim = claims.get(TAGS_CLAIM)
    if not isinstance(claim, dict):
        return {}, ()
    pairs = claim.get("principal_tags", {})
    if not isinstance(pairs, dict) or len(pairs) > issue.MAX_TAGS:
        raise _invalid("The token's tags are malformed.")
    tags = {str(key): str(value[0] if isinstance(value, list) and value else value) for key, value in pairs.items()}
    if any(len(key) > 128 or len(value) > 256 or key.lower().startswith("aws:") for key, value in tags.items()):
        raise _invalid("The token's tags are malformed.")
    asked = claim.get("transitive_tag_keys", [])
    return tags, tuple(key for key in tags if isinstance(asked, list) and key in asked)


def _invalid(message: str) -> Fault:
    return Fault("InvalidIdentityToken", message, status=400)
