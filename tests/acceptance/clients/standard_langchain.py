"""LangChain's standard integration tests, as every chat model and embedding model of LangChain must pass them.

Run by pytest of the judges' environment, never by the project's: `test_judge_langchain_standard.py` reads the report.
The tests fetch a picture and a PDF from the web first; here both come from the folder `STANDARD_FILES`. One boto3
client serves every test, since making a pair of them takes longer than a test.
"""

from __future__ import annotations

import os
from functools import cache
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import boto3
import httpx
import pytest
from langchain_aws import BedrockEmbeddings, ChatBedrock, ChatBedrockConverse
from langchain_core.embeddings import Embeddings
from langchain_core.language_models import BaseChatModel
from langchain_tests.integration_tests import ChatModelIntegrationTests, EmbeddingsIntegrationTests

CLAUDE = "anthropic.claude-3-5-sonnet-20240620-v1:0"
HAIKU = "anthropic.claude-3-haiku-20240307-v1:0"


@cache
def client(service: str) -> Any:
    return boto3.client(service)


@pytest.fixture(autouse=True)
def _no_web(monkeypatch: pytest.MonkeyPatch) -> None:
    def fetch(url: str, **_: Any) -> SimpleNamespace:
        return SimpleNamespace(content=Path(os.environ["STANDARD_FILES"], Path(url).suffix[1:]).read_bytes())

    monkeypatch.setattr(httpx, "get", fetch)


class TestConverse(ChatModelIntegrationTests):
    """ChatBedrockConverse in front of Anthropic's own API."""

    model_id = CLAUDE
    supports_image_inputs = True
    supports_image_tool_message = True
    supports_pdf_tool_message = True
    supports_anthropic_inputs = True
    # Off: the standard test names its document `test_file.pdf`, which Bedrock's rule for names refuses, as Craton does.
    supports_pdf_inputs = False

    @property
    def chat_model_class(self) -> type[BaseChatModel]:
        return ChatBedrockConverse

    @property
    def chat_model_params(self) -> dict[str, Any]:
        clients = {"client": client("bedrock-runtime"), "bedrock_client": client("bedrock")}
        return {"model": self.model_id, "temperature": 0, "max_tokens": 100, **clients}

    @property
    def standard_chat_model_params(self) -> dict[str, Any]:
        return {}


class TestConverseTranslated(TestConverse):
    """The same in front of an OpenAI-compatible server."""

    model_id = HAIKU


class TestConverseNova(TestConverse):
    """Another family's rules, the same upstream."""

    model_id = "amazon.nova-lite-v1:0"


class TestInvoke(TestConverse):
    """ChatBedrock, which speaks Claude's native schema through InvokeModel."""

    # Off: ChatBedrock sends these parts in LangChain's own form, which is none of Claude's schema.
    supports_image_tool_message = False
    supports_pdf_tool_message = False

    @property
    def chat_model_class(self) -> type[BaseChatModel]:
        return ChatBedrock


class TestInvokeTranslated(TestInvoke):
    """The same in front of an OpenAI-compatible server."""

    model_id = HAIKU


class TestTitan(EmbeddingsIntegrationTests):
    """BedrockEmbeddings with Titan's schema."""

    model_id = "amazon.titan-embed-text-v2:0"

    @property
    def embeddings_class(self) -> type[Embeddings]:
        return BedrockEmbeddings

    @property
    def embedding_model_params(self) -> dict[str, Any]:
        return {"model_id": self.model_id, "client": client("bedrock-runtime")}


class TestCohere(TestTitan):
    """And with Cohere's."""

    model_id = "cohere.embed-english-v3"
