"""What langchain-aws has beyond LangChain's standard tests, as its users write it. Scenarios for `scenarios.serve`."""

from __future__ import annotations

from typing import Any

from langchain_aws import BedrockEmbeddings, BedrockLLM, BedrockRerank, ChatBedrock, ChatBedrockConverse
from langchain_core.documents import Document
from langchain_core.messages import HumanMessage
from pydantic import BaseModel
from scenarios import CLAUDE, serve


class Person(BaseModel):
    """Somebody that the text tells of."""

    name: str
    age: int


def structured(model: str = CLAUDE, method: str = "json_schema") -> dict[str, Any]:
    chat = ChatBedrockConverse(model=model).with_structured_output(Person, method=method)
    return chat.invoke("Ada is 36 years old").model_dump()


def by_converse(model: str = CLAUDE) -> str:
    return ChatBedrock(model=model, beta_use_converse_api=True).invoke("Hello").text


def similar(model: str) -> list[float]:
    embeddings = BedrockEmbeddings(model_id=model)
    rows = embeddings.embed_documents(["the cat sat", "a dog ran"])
    asked = embeddings.embed_query("cat")
    return [sum(a * b for a, b in zip(asked, row, strict=True)) for row in rows]


def rerank(model: str) -> list[str]:
    arn = f"arn:aws:bedrock:us-east-1::foundation-model/{model}"
    documents = [Document("a dog ran"), Document("the cat sat")]
    return [found.page_content for found in BedrockRerank(model_arn=arn, top_n=1).compress_documents(documents, "cat")]


def count(model: str = CLAUDE) -> int:
    return ChatBedrockConverse(model=model).get_num_tokens_from_messages([HumanMessage("Hello")])


def complete(model: str) -> str:
    return BedrockLLM(model=model).invoke("Hello").strip()


if __name__ == "__main__":
    serve([structured, by_converse, similar, rerank, count, complete])
