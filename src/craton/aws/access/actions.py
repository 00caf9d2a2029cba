"""The action table: what a caller must be allowed to do, and on which kinds of resource, for each operation.

Owns the knowledge of IAM's `bedrock:` actions (`actions.json` beside this file) and of the operations whose needs are
not simply the action of their own name. It must not know policies, nor how a request's ids become ARNs: the handlers
have the resources. Pure but for reading its own package data.
Sources: the service authorization reference for the actions; the Bedrock user guide for the exceptions. Rows with
`"published": false` are operations for which no action is published yet: the name and the resources are our reading.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Final, Literal

import msgspec

Level = Literal["Read", "Write", "List", "Tagging", "Permissions management"]
# When a need arises. The handler knows; the table only names the case.
When = Literal["always", "bearer key", "guardrail", "prompt", "role", "tags", "knowledge base", "model", "reranking"]

SERVICES: Final = ("bedrock", "bedrock-runtime", "bedrock-agent", "bedrock-agent-runtime")
TAGGABLE: Final = "taggable"
PREFIX: Final = "bedrock:"


class Action(msgspec.Struct, frozen=True):
    """One action of IAM's.

    `services` are the endpoints that have it; none for actions without an operation (permission only). `resources` are
    kinds of `RESOURCES`, alternatives rather than all at once, or ``*``, or `TAGGABLE` for every kind that takes tags.
    `keys` are the condition keys of its own.
    """

    services: tuple[str, ...]
    level: Level
    resources: tuple[str, ...]
    keys: tuple[str, ...] = ()
    published: bool = True


class Need(msgspec.Struct, frozen=True):
    """One thing that the caller must be allowed: the full action name, the kinds of resource, and in which case."""

    action: str
    resources: tuple[str, ...]
    when: When = "always"


# The part of an ARN behind the account, by kind. See NO_ACCOUNT and NO_REGION for fields that stay empty.
RESOURCES: Final[Mapping[str, str]] = MappingProxyType(
    {
        "advanced-prompt-optimization-job": "advanced-prompt-optimization-job/{id}",
        "agent": "agent/{id}",
        "agent-alias": "agent-alias/{id}/{alias}",
        "application-inference-profile": "application-inference-profile/{id}",
        "async-invoke": "async-invoke/{id}",
        "automated-reasoning-policy": "automated-reasoning-policy/{id}",
        "automated-reasoning-policy-version": "automated-reasoning-policy/{id}:{version}",
        "bedrock-marketplace-model-endpoint": "marketplace/model-endpoint/all-access",
        "custom-model": "custom-model/{id}",
        "custom-model-deployment": "custom-model-deployment/{id}",
        "default-prompt-router": "default-prompt-router/{id}",
        "evaluation-job": "evaluation-job/{id}",
        "flow": "flow/{id}",
        "flow-alias": "flow/{id}/alias/{alias}",
        "flow-execution": "flow/{id}/alias/{alias}/execution/{execution}",
        "foundation-model": "foundation-model/{id}",
        "guardrail": "guardrail/{id}",
        "guardrail-profile": "guardrail-profile/{id}",
        "imported-model": "imported-model/{id}",
        "inference-profile": "inference-profile/{id}",
        "knowledge-base": "knowledge-base/{id}",
        "model-copy-job": "model-copy-job/{id}",
        "model-customization-job": "model-customization-job/{id}",
        "model-import-job": "model-import-job/{id}",
        "model-invocation-job": "model-invocation-job/{id}",
        "prompt": "prompt/{id}",
        "prompt-router": "prompt-router/{id}",
        "prompt-version": "prompt/{id}:{version}",
        "provisioned-model": "provisioned-model/{id}",
        "retrieval-instruction": "retrieval-instruction/{id}",
        "session": "session/{id}",
        "system-tool": "system-tool/{id}",
    }
)
NO_ACCOUNT: Final = frozenset({"foundation-model"})
NO_REGION: Final = frozenset({"system-tool"})
NOT_TAGGABLE: Final = frozenset(
    {
        "foundation-model",
        "inference-profile",
        "default-prompt-router",
        "guardrail-profile",
        "flow-execution",
        "bedrock-marketplace-model-endpoint",
        "system-tool",
    }
)

# Operations that need another action than that of their own name.
INSTEAD: Final[Mapping[str, str]] = MappingProxyType(
    {
        "Converse": "InvokeModel",
        "ConverseStream": "InvokeModelWithResponseStream",
        "InvokeModelWithBidirectionalStream": "InvokeModel",
        "StartAsyncInvoke": "InvokeModel",
        "RetrieveAndGenerateStream": "RetrieveAndGenerate",
    }
)
_INVOKING = ("Converse", "ConverseStream", "InvokeModel", "InvokeModelWithBidirectionalStream",
             "InvokeModelWithResponseStream", "StartAsyncInvoke")  # fmt: skip
_ASKING = ("RetrieveAndGenerate", "RetrieveAndGenerateStream", "AgenticRetrieveStream")
_PASSING = ("CreateAgent", "CreateCustomModel", "CreateEvaluationJob", "CreateFlow", "CreateKnowledgeBase",
            "CreateMarketplaceModelEndpoint", "CreateModelCustomizationJob", "CreateModelImportJob",
            "CreateModelInvocationJob", "PutModelInvocationLoggingConfiguration", "UpdateAgent", "UpdateFlow",
            "UpdateKnowledgeBase", "UpdateMarketplaceModelEndpoint")  # fmt: skip
_TAGGING = ("CreateAdvancedPromptOptimizationJob", "CreateAgent", "CreateAgentAlias", "CreateAutomatedReasoningPolicy",
            "CreateAutomatedReasoningPolicyVersion", "CreateCustomModel", "CreateCustomModelDeployment",
            "CreateEvaluationJob", "CreateFlow", "CreateFlowAlias", "CreateGuardrail", "CreateInferenceProfile",
            "CreateKnowledgeBase", "CreateMarketplaceModelEndpoint", "CreateModelCopyJob",
            "CreateModelCustomizationJob", "CreateModelImportJob", "CreateModelInvocationJob", "CreatePrompt",
            "CreatePromptRouter", "CreatePromptVersion", "CreateProvisionedModelThroughput",
            "CreateRetrievalInstruction", "CreateSession", "StartAsyncInvoke")  # fmt: skip

_GUARDRAIL = Need("bedrock:ApplyGuardrail", ("guardrail", "guardrail-profile"), "guardrail")
_PROMPT = Need("bedrock:RenderPrompt", ("prompt", "prompt-version"), "prompt")
_ROLE = Need("iam:PassRole", ("role",), "role")
_TAGS = Need("bedrock:TagResource", (TAGGABLE,), "tags")
_RETRIEVE = Need("bedrock:Retrieve", ("knowledge-base",), "knowledge base")
_MODEL = Need("bedrock:InvokeModel", ("foundation-model", "inference-profile"), "model")
_RERANK = (Need("bedrock:Rerank", ("*",), "reranking"), Need("bedrock:InvokeModel", ("foundation-model",), "reranking"))
_BEARER = Need("bedrock:CallWithBearerToken", ("*",), "bearer key")

# What operations need beside their own action.
BESIDES: Final[tuple[tuple[tuple[str, ...], tuple[Need, ...]], ...]] = (
    (_INVOKING, (_GUARDRAIL, _PROMPT)),
    (_ASKING, (_RETRIEVE, _MODEL, _GUARDRAIL)),
    (("Rerank",), (Need("bedrock:InvokeModel", ("foundation-model",)),)),
    (("Retrieve",), (*_RERANK, _GUARDRAIL)),
    (("InvokeInlineAgent",), (_GUARDRAIL,)),
    (_PASSING, (_ROLE,)),
    (_TAGGING, (_TAGS,)),
)
# The two endpoints that take API keys.
_WITH_BEARER = frozenset({"bedrock", "bedrock-runtime"})
# Streams both ways cannot be called with an API key.
_NEVER_BEARER = frozenset({"InvokeModelWithBidirectionalStream"})


class ActionTable:
    """All actions, and the needs of every operation. Never changes."""

    __slots__ = ("actions",)

    def __init__(self, actions: Mapping[str, Action]) -> None:
        self.actions = MappingProxyType(dict(actions))

    def action(self, name: str) -> Action | None:
        """The row of a full action name, compared exactly; None for one that is not Bedrock's."""
        return self.actions.get(name.removeprefix(PREFIX)) if name.startswith(PREFIX) else None

    def needs(self, service: str, operation: str) -> tuple[Need, ...]:
        """What a caller of an operation must be allowed; the first need is the operation's own.

        Raises KeyError for an operation that the table does not know: no operation may be reached unchecked.
        """
        name = INSTEAD.get(operation, operation)
        row = self.actions[name]
        if service not in row.services:
            raise KeyError(f"{service}.{operation}")
        besides = [need for operations, needs in BESIDES if operation in operations for need in needs]
        if service in _WITH_BEARER and operation not in _NEVER_BEARER:
            besides.append(_BEARER)
        return (Need(PREFIX + name, row.resources), *besides)


def load() -> ActionTable:
    """Read the table. The composition root does this once."""
    text = Path(__file__).with_name("actions.json").read_bytes()
    return ActionTable(msgspec.json.decode(text, type=dict[str, Action]))


def arn_of(kind: str, region: str, account: str, **ids: str) -> str:
    """The ARN of a Bedrock resource, e.g. ``arn_of("agent-alias", "us-east-1", "123456789012", id="A", alias="B")``.

    Raises KeyError for an unknown kind or a missing id.
    """
    where = "" if kind in NO_REGION else region
    whose = "" if kind in NO_ACCOUNT else account
    return f"arn:aws:bedrock:{where}:{whose}:{RESOURCES[kind].format(**ids)}"
