"""OIDC providers: the issuers of web identities that an account trusts, and the audiences that it lets in.

A provider is known by its issuer. Its signing keys come from the server's configuration (`[oidc]`), never from the
network address that the issuer names, so thumbprints are kept and shown but decide nothing.
"""

from __future__ import annotations

from typing import Any
from urllib.parse import urlsplit

import msgspec

from craton.aws.wire.faults import Fault
from craton.context import Call
from craton.infra.identities import records
from craton.infra.identities.records import Provider
from craton.infra.store.port import GLOBAL, AlreadyExists, Resource, Transaction
from craton.services.iam import given, shown
from craton.services.iam.nouns import action, check_room, exists, faults, no_such, resource_tags, write
from craton.services.iam.tags import adding, listed, removing
from craton.services.operation import operation

MAX_PROVIDERS = 100
MAX_CLIENTS = 100


@operation("iam", "CreateOpenIDConnectProvider")
async def create_open_id_connect_provider(call: Call, req: Any) -> dict[str, Any]:
    parts = urlsplit(req.Url)
    if parts.scheme not in ("http", "https") or not parts.netloc or parts.query or parts.fragment:
        raise Fault("ValidationError", "Invalid Open ID Connect Provider URL", status=400)
    url, tags, now = (parts.netloc + parts.path).rstrip("/"), given.tags(req.Tags), call.app.clock.now()
    body = Provider(url=url, client_ids=req.ClientIDList or [], thumbprints=req.ThumbprintList or [], tags=tags)
    arn = provider_arn(call.account, url)
    call.authorize(action(call), arn, given=given.request_keys(tags))
    row = Resource(
        account=call.account,
        region=GLOBAL,
        kind=records.PROVIDER,
        id=url,
        arn=arn,
        created_at=now,
        updated_at=now,
        body=msgspec.json.encode(body),
    )

    def work(transaction: Transaction) -> None:
        check_room(call, transaction, records.PROVIDER, "OpenIdConnectProvidersPerAccount", MAX_PROVIDERS)
        try:
            transaction.create(row)
        except AlreadyExists:
            raise exists(f"Provider with url https://{url} already exists.") from None

    await write(call, work)
    return {"OpenIDConnectProviderArn": arn, "Tags": shown.tags(tags)}


@operation("iam", "GetOpenIDConnectProvider")
async def get_open_id_connect_provider(call: Call, req: Any) -> dict[str, Any]:
    row = await _judged(call, req.OpenIDConnectProviderArn)
    body = row.read(Provider)
    return {
        "Url": body.url,
        "ClientIDList": body.client_ids,
        "ThumbprintList": body.thumbprints,
        "CreateDate": row.created_at,
        "Tags": shown.tags(body.tags),
    }


@operation("iam", "ListOpenIDConnectProviders")
async def list_open_id_connect_providers(call: Call, req: Any) -> dict[str, Any]:
    call.authorize(action(call), "*")
    with faults():
        rows = await call.app.storage.read(lambda store: list(records.rows(store, records.PROVIDER, call.account)))
    return {"OpenIDConnectProviderList": [{"Arn": row.arn} for row in rows]}


@operation("iam", "DeleteOpenIDConnectProvider")
async def delete_open_id_connect_provider(call: Call, req: Any) -> None:
    row = await _judged(call, req.OpenIDConnectProviderArn)
    await write(call, lambda transaction: transaction.delete(row.arn))


@operation("iam", "AddClientIDToOpenIDConnectProvider")
async def add_client_id(call: Call, req: Any) -> None:
    def alter(body: Provider) -> None:
        if req.ClientID not in body.client_ids:
            if len(body.client_ids) >= MAX_CLIENTS:
                raise Fault("LimitExceeded", f"Cannot exceed quota for ClientIdsPerProvider: {MAX_CLIENTS}", status=409)
            body.client_ids.append(req.ClientID)

    await _change(call, req, alter)


@operation("iam", "RemoveClientIDFromOpenIDConnectProvider")
async def remove_client_id(call: Call, req: Any) -> None:
    def alter(body: Provider) -> None:
        body.client_ids = [one for one in body.client_ids if one != req.ClientID]

    await _change(call, req, alter)


@operation("iam", "UpdateOpenIDConnectProviderThumbprint")
async def update_thumbprint(call: Call, req: Any) -> None:
    def alter(body: Provider) -> None:
        body.thumbprints = req.ThumbprintList

    await _change(call, req, alter)


@operation("iam", "TagOpenIDConnectProvider")
async def tag_provider(call: Call, req: Any) -> None:
    change, keys = adding(req, "TagsPerOpenIdConnectProvider")

    def alter(body: Provider) -> None:
        body.tags = change(body.tags)

    await _change(call, req, alter, keys)


@operation("iam", "UntagOpenIDConnectProvider")
async def untag_provider(call: Call, req: Any) -> None:
    change, keys = removing(req)

    def alter(body: Provider) -> None:
        body.tags = change(body.tags)

    await _change(call, req, alter, keys)


@operation("iam", "ListOpenIDConnectProviderTags")
async def list_provider_tags(call: Call, req: Any) -> dict[str, Any]:
    body = (await _judged(call, req.OpenIDConnectProviderArn)).read(Provider)
    return listed(call, req, body.tags, req.OpenIDConnectProviderArn)


def provider_arn(account: str, url: str) -> str:
    """The ARN of an account's provider; `url` is the issuer without its scheme."""
    return f"arn:aws:iam::{account}:oidc-provider/{url}"


async def _judged(call: Call, arn: str, keys: Any = None) -> Resource:
    with faults():
        row = await call.app.storage.read(lambda store: store.get(arn))
    mine = row if row is not None and row.kind == records.PROVIDER and row.account == call.account else None
    own = resource_tags(mine.read(Provider).tags) if mine is not None else {}
    call.authorize(action(call), arn, given={**own, **(keys or {})})
    if mine is None:
        raise no_such(f"OpenIDConnect Provider not found for arn {arn}")
    return mine


async def _change(call: Call, req: Any, alter: Any, keys: Any = None) -> None:
    arn = req.OpenIDConnectProviderArn
    await _judged(call, arn, keys)

    def work(transaction: Transaction) -> None:
        row = transaction.get(arn)
        if row is None:
            raise no_such(f"OpenIDConnect Provider not found for arn {arn}")
        body = row.read(Provider)
        alter(body)
        transaction.update(records.rewritten(row, body, call.app.clock.now()))

    await write(call, work)
