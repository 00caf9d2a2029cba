"""Every module that holds handlers, in one visible tuple."""

from __future__ import annotations

from craton.services.bedrock import foundation_models, inference_profiles
from craton.services.bedrock_runtime import converse, count_tokens, invoke

HANDLERS = (converse, invoke, count_tokens, foundation_models, inference_profiles)
