"""Every module that holds handlers, in one visible tuple."""

from __future__ import annotations

from craton.services.bedrock import (
    agreements,
    custom_model_deployments,
    custom_models,
    data_retention,
    evaluation_jobs,
    foundation_models,
    imported_models,
    inference_profiles,
    invocation_jobs,
    invocation_logging,
    marketplace_endpoints,
    model_copy_jobs,
    model_customization_jobs,
    model_import_jobs,
    prompt_routers,
    provisioned_throughput,
    tags,
)
from craton.services.bedrock_agent import tags as agent_tags
from craton.services.bedrock_agent_runtime import rerank
from craton.services.bedrock_agent_runtime import tags as agent_runtime_tags
from craton.services.bedrock_runtime import async_invoke, converse, count_tokens, invoke

HANDLERS = (converse, invoke, count_tokens, foundation_models, inference_profiles, prompt_routers, tags, agent_tags,
            agent_runtime_tags, rerank, data_retention, agreements, invocation_jobs,
            invocation_logging, async_invoke, model_import_jobs, imported_models,
            model_copy_jobs, provisioned_throughput, marketplace_endpoints,
            model_customization_jobs, custom_models, custom_model_deployments, evaluation_jobs)  # fmt: skip
