"""Retrievers of knowledge bases in langchain-aws and LlamaIndex, as their users write them. Scenarios for `scenarios.serve`."""

from __future__ import annotations

from typing import Any

from langchain_aws import AmazonKnowledgeBasesRetriever as LangChainRetriever
from llama_index.retrievers.bedrock import AmazonKnowledgeBasesRetriever as LlamaIndexRetriever
from scenarios import serve


def search(results: int, where: dict[str, Any] | None = None, mode: str = "HYBRID") -> dict[str, Any]:
    config: dict[str, Any] = {"numberOfResults": results, "overrideSearchType": mode}
    return {"vectorSearchConfiguration": config | ({"filter": where} if where else {})}


def langchain(base: str, text: str, results: int = 2, **more: Any) -> list[Any]:
    least = more.pop("least", None)
    retriever = LangChainRetriever(
        knowledge_base_id=base, retrieval_config=search(results, **more), min_score_confidence=least
    )
    return [[one.page_content, one.metadata] for one in retriever.invoke(text)]


def llama_index(base: str, text: str, results: int = 2, **more: Any) -> list[Any]:
    retriever = LlamaIndexRetriever(knowledge_base_id=base, retrieval_config=search(results, **more))
    return [[one.node.get_content(), one.score, one.node.metadata] for one in retriever.retrieve(text)]


async def llama_index_async(base: str, text: str, results: int = 2) -> list[str]:
    retriever = LlamaIndexRetriever(knowledge_base_id=base, retrieval_config=search(results))
    return [one.node.get_content() for one in await retriever.aretrieve(text)]


serve([langchain, llama_index, llama_index_async])
