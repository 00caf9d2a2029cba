"""Every module that holds handlers of a rest-json operation, in one visible table: folder → modules.

A service's modules are loaded when one of its operations is first asked for: a start should not pay for control planes
that nobody calls yet.
"""

from __future__ import annotations

from functools import cache
from importlib import import_module

from craton.context import Handler
from craton.services.operation import Label, labelled

MODULES: dict[str, tuple[str, ...]] = {
    "bedrock_runtime": (
        "converse",
        "invoke",
        "count_tokens",
        "async_invoke",
    ),
    "bedrock": (
        "foundation_models",
        "inference_profiles",
        "prompt_routers",
        "tags",
        "data_retention",
        "agreements",
        "invocation_jobs",
        "invocation_logging",
        "model_import_jobs",
        "imported_models",
        "model_copy_jobs",
        "provisioned_throughput",
        "marketplace_endpoints",
        "model_customization_jobs",
        "custom_models",
        "custom_model_deployments",
        "evaluation_jobs",
    ),
    "bedrock_agent": (
        "tags",
        "knowledge_bases",
        "data_sources",
        "ingestion_jobs",
        "documents",
        "retrieval_instructions",
        "resource_policies",
    ),
    "bedrock_agent_runtime": (
        "tags",
        "rerank",
        "retrieve",
        "agentic_retrieve",
        "document_content",
        "document_acl",
        "generate_query",
        "retrieve_and_generate",
    ),
}


@cache
def handlers(service: str) -> dict[str, tuple[Label, Handler]]:
    """The handlers of a service (`bedrock-agent`) by operation, its modules loaded."""
    folder = service.replace("-", "_")
    modules = [import_module(f"craton.services.{folder}.{name}") for name in MODULES[folder]]
    return {name: found for (_, name), found in labelled(modules).items()}


def labels() -> dict[tuple[str, str], Label]:
    """What every handler says it is, by (service, operation); loads them all."""
    names = (folder.replace("_", "-") for folder in MODULES)
    return {(name, operation): label for name in names for operation, (label, _) in handlers(name).items()}
