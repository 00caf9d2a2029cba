"""LlamaIndex's Bedrock packages, as their users write them. Scenarios for `scenarios.serve`."""

from __future__ import annotations

from typing import Any

from llama_index.core.llms import ChatMessage
from llama_index.core.prompts import PromptTemplate
from llama_index.core.tools import FunctionTool
from llama_index.embeddings.bedrock import BedrockEmbedding
from llama_index.llms.bedrock_converse import BedrockConverse
from pydantic import BaseModel
from scenarios import CLAUDE, serve


class Person(BaseModel):
    """Somebody that the text tells of."""

    name: str
    age: int


def get_weather(city: str) -> str:
    """The weather of a city."""
    return f"21 degrees in {city}"


def llm(model: str = CLAUDE) -> BedrockConverse:
    return BedrockConverse(model=model, max_tokens=50, max_retries=1)


def complete(**more: Any) -> str:
    return llm(**more).complete("Hello").text


def chat(**more: Any) -> dict[str, Any]:
    reply = llm(**more).chat(
        [ChatMessage(role="system", content="Be brief"), ChatMessage(role="user", content="Hello")]
    )
    return {"text": reply.message.content, "usage": reply.raw["usage"]}


def pieces(**more: Any) -> list[str]:
    return [
        piece.delta for piece in llm(**more).stream_chat([ChatMessage(role="user", content="Hello")]) if piece.delta
    ]


def calls(streaming: bool = False, **more: Any) -> list[Any]:
    model = llm(**more)
    tools = [FunctionTool.from_defaults(get_weather)]
    if streaming:
        *_, reply = model.stream_chat_with_tools(tools, user_msg="What is the weather in Paris?")
    else:
        reply = model.chat_with_tools(tools, user_msg="What is the weather in Paris?")
    return [[call.tool_name, call.tool_kwargs] for call in model.get_tool_calls_from_response(reply)]


def weather(**more: Any) -> str:
    return str(llm(**more).predict_and_call([FunctionTool.from_defaults(get_weather)], "What is the weather in Paris?"))


async def agent(**more: Any) -> str:
    from llama_index.core.agent.workflow import FunctionAgent

    runner = FunctionAgent(tools=[get_weather], llm=llm(**more), streaming=False)
    return str(await runner.run("What is the weather in Paris?"))


def structured(**more: Any) -> dict[str, Any]:
    return llm(**more).structured_predict(Person, PromptTemplate("{who} is 36 years old"), who="Ada").model_dump()


def embed(model: str) -> dict[str, Any]:
    made = BedrockEmbedding(model_name=model)
    rows = made.get_text_embedding_batch(["the cat sat", "a dog ran"])
    asked = made.get_query_embedding("cat")
    return {"sizes": [len(row) for row in rows], "scores": [made.similarity(asked, row) for row in rows]}


if __name__ == "__main__":
    serve([complete, chat, pieces, calls, weather, agent, structured, embed])
