"""CountTokens."""

from __future__ import annotations

from typing import TYPE_CHECKING

from craton.aws.wire.faults import validation
from craton.context import Call
from craton.features.inference import run
from craton.features.inference.routing.routes import native_dialect
from craton.models.canon.request import ConverseRequest
from craton.services.bedrock_runtime.count_input import ConverseInput, CountTokensBody
from craton.services.operation import operation

if TYPE_CHECKING:
    from craton.aws.shapes.bedrock_runtime import CountTokensResponse

NO_COUNT = "The provided model doesn't support counting tokens."


@operation("bedrock-runtime", "CountTokens", body=CountTokensBody)
async def count_tokens(call: Call, req: CountTokensBody) -> CountTokensResponse:
    resolved = run.resolve(call, req.model_id, run.COUNT)
    route = resolved.route
    # Base models alone, by id or ARN: whoever has further resources to be judged is a profile or a router.
    if not route.capabilities.count_tokens or len(resolved.resources) != 1:
        raise validation(NO_COUNT)
    if req.input.invoke_model is not None:
        dialect = native_dialect(route)
        request, call.speaks = dialect.read_request(req.input.invoke_model.body), dialect.name
    else:
        counted = req.input.converse or ConverseInput()
        request = ConverseRequest(
            messages=counted.messages,
            system=counted.system,
            tool_config=counted.tool_config,
            additional_model_request_fields=counted.additional_model_request_fields,
        )
    request.model_id = req.model_id
    return {"inputTokens": await run.count_tokens(call, resolved, request)}
