"""Functions changed: their code and their configuration.

Owns the one transaction in which a change is held against the revision that it was meant for. What a configuration may be
is `asked`'s.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

import msgspec

from craton.context import Call
from craton.features.functions import archive, environment
from craton.features.functions.function import Configuration, Function
from craton.infra.store.port import Resource, Transaction
from craton.services.lambda_ import asked, gate, shown, source, versions
from craton.services.lambda_.faults import as_faults, invalid
from craton.services.operation import operation

if TYPE_CHECKING:
    from craton.aws.shapes.lambda_ import (
        FunctionConfiguration,
        UpdateFunctionCodeRequest,
        UpdateFunctionConfigurationRequest,
    )

_COMBINED = "Function code combined with layers exceeds the maximum allowed size."


@operation("lambda", "UpdateFunctionCode")
async def update_function_code(call: Call, req: UpdateFunctionCodeRequest) -> FunctionConfiguration:
    found = await gate.opened(call, "lambda:UpdateFunctionCode", req.FunctionName)
    asked.check_supported(req)
    versions.check_revision(found.function.latest, req.RevisionId)
    kept = await source.kept(call, req)
    architecture = asked.architecture(list(req.Architectures)) if req.Architectures else None

    def change(latest: Configuration) -> Configuration:
        if kept.unpacked + sum(layer.code.unpacked for layer in latest.layers) >= archive.MOST_UNPACKED:
            raise invalid(_COMBINED)
        return msgspec.structs.replace(latest, code=kept, architecture=architecture or latest.architecture)

    if req.DryRun:
        return await shown.configuration(call, found.row, change(found.function.latest))
    return await _changed(call, found, change, req.RevisionId, publish=bool(req.Publish))


@operation("lambda", "UpdateFunctionConfiguration")
async def update_function_configuration(call: Call, req: UpdateFunctionConfigurationRequest) -> FunctionConfiguration:
    layer_keys = {"lambda:layer": tuple(req.Layers)} if req.Layers else {}
    found = await gate.opened(call, "lambda:UpdateFunctionConfiguration", req.FunctionName, given=layer_keys)
    before, arn = found.function.latest, found.row.arn
    asked.check_supported(req)
    versions.check_revision(before, req.RevisionId)
    if req.Runtime is not None or req.Handler is not None:
        asked.check_runtime(call, req.Runtime or before.runtime, req.Handler or before.handler)
    if req.Role is not None:
        await asked.check_role(call, req.Role, arn)
    key = await asked.key(call, req.KMSKeyArn, before.kms_key)
    variables = await _variables(call, req, arn, before, key)
    layers = before.layers
    if req.Layers is not None:
        layers = await asked.layers(call, list(req.Layers), before.code.unpacked)

    def change(latest: Configuration) -> Configuration:
        return msgspec.structs.replace(asked.sized(latest, req), kms_key=key, environment=variables, layers=layers)

    change(before)
    return await _changed(call, found, change, req.RevisionId or before.revision)


async def _variables(
    call: Call, req: UpdateFunctionConfigurationRequest, arn: str, before: Configuration, key: str | None
) -> bytes | None:
    """The sealed variables: as asked, else as they were, sealed anew where the key is another."""
    if req.Environment is not None:
        return await asked.variables(call, arn, key, req.Environment.Variables or {})
    if key == before.kms_key or before.environment is None:
        return before.environment
    with as_faults():
        plain = await environment.opened(call.app.cipher, arn, before.environment)
    return await asked.variables(call, arn, key, plain)


async def _changed(
    call: Call, found: gate.Opened, change: Callable[[Configuration], Configuration], revision: str | None, *,
    publish: bool = False,
) -> FunctionConfiguration:  # fmt: skip
    """Change `$LATEST` in one transaction. Raises PreconditionFailedException where it is not that revision any more."""

    def work(transaction: Transaction) -> tuple[Resource, Configuration]:
        row = versions.current(transaction, found.row)
        body = row.read(Function)
        versions.check_revision(body.latest, revision)
        latest = msgspec.structs.replace(
            change(body.latest), modified_at=call.now(), revision=asked.new_revision()
        )  # fmt: skip
        again = msgspec.json.encode(msgspec.structs.replace(body, latest=latest))
        row = transaction.update(msgspec.structs.replace(row, body=again, updated_at=call.now()))
        if not publish:
            return row, latest
        return row, versions.publish(transaction, row, None, call.now()).read(Configuration)

    with as_faults():
        row, made = await call.app.storage.keep(work)
    return await shown.configuration(call, row, made, qualified=publish)
