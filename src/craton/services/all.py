"""Every module that holds handlers, in one visible tuple."""

from __future__ import annotations

from craton.services.bedrock import (
    agreements,
    data_retention,
    foundation_models,
    inference_profiles,
    invocation_jobs,
    invocation_logging,
    prompt_routers,
    tags,
)
from craton.services.bedrock_agent import tags as agent_tags
from craton.services.bedrock_agent_runtime import rerank
from craton.services.bedrock_agent_runtime import tags as agent_runtime_tags
from craton.services.bedrock_runtime import async_invoke, converse, count_tokens, invoke

HANDLERS = (converse, invoke, count_tokens, foundation_models, inference_profiles, prompt_routers, tags, agent_tags,
            agent_runtime_tags, rerank, data_retention, agreements, invocation_jobs,
            invocation_logging, async_invoke)  # fmt: skip
