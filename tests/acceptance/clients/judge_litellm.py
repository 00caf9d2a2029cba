"""LiteLLM's Bedrock provider, as its users write it. Scenarios for `scenarios.serve`."""

from __future__ import annotations

import json
import os
from typing import Any

import litellm
from pydantic import BaseModel
from scenarios import CLAUDE, serve

litellm.num_retries = 0
litellm.suppress_debug_info = True
URL = os.environ["AWS_ENDPOINT_URL"]
HELLO = [{"role": "system", "content": "Be brief"}, {"role": "user", "content": "Hello"}]
WEATHER = {
    "type": "function",
    "function": {
        "name": "get_weather",
        "description": "The weather of a city",
        "parameters": {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]},
    },
}


class Person(BaseModel):
    """Somebody that the text tells of."""

    name: str
    age: int


def completion(route: str, model: str, **more: Any) -> Any:
    given = {"messages": HELLO, "max_tokens": 50, **more}
    return litellm.completion(f"bedrock/{route}/{model}", aws_bedrock_runtime_endpoint=URL, **given)


def text(route: str = "converse", model: str = CLAUDE) -> dict[str, Any]:
    reply = completion(route, model)
    usage = reply.usage
    choice = reply.choices[0]
    return {
        "text": choice.message.content,
        "finish": choice.finish_reason,
        "usage": [usage.prompt_tokens, usage.completion_tokens],
    }


def pieces(route: str = "converse", model: str = CLAUDE) -> list[str]:
    stream = completion(route, model, stream=True)
    return [chunk.choices[0].delta.content for chunk in stream if chunk.choices and chunk.choices[0].delta.content]


def weather(route: str = "converse", model: str = CLAUDE, streaming: bool = False) -> dict[str, Any]:
    messages: list[Any] = [{"role": "user", "content": "What is the weather in Paris?"}]
    reply = completion(route, model, messages=messages, tools=[WEATHER], stream=streaming)
    if streaming:
        reply = litellm.stream_chunk_builder(list(reply), messages=messages)
    said = reply.choices[0].message
    (call,) = said.tool_calls
    messages += [said.model_dump(), {"role": "tool", "tool_call_id": call.id, "content": "21 degrees"}]
    told = completion(route, model, messages=messages, tools=[WEATHER]).choices[0].message.content
    return {"call": [call.function.name, json.loads(call.function.arguments)], "text": told}


def structured(route: str = "converse", model: str = CLAUDE) -> dict[str, Any]:
    messages = [{"role": "user", "content": "Ada is 36 years old"}]
    reply = completion(route, model, messages=messages, response_format=Person)
    return Person.model_validate_json(reply.choices[0].message.content).model_dump()


async def awaited(route: str = "converse", model: str = CLAUDE) -> str:
    reply = await litellm.acompletion(
        f"bedrock/{route}/{model}", messages=HELLO, max_tokens=50, aws_bedrock_runtime_endpoint=URL
    )
    return reply.choices[0].message.content


def embed(model: str) -> dict[str, Any]:
    reply = litellm.embedding(f"bedrock/{model}", input=["the cat sat"], aws_bedrock_runtime_endpoint=URL)
    return {"sizes": [len(row["embedding"]) for row in reply.data], "tokens": reply.usage.prompt_tokens}


def rerank(model: str) -> list[int]:
    reply = litellm.rerank(
        f"bedrock/arn:aws:bedrock:us-east-1::foundation-model/{model}",
        query="cat",
        documents=["a dog ran", "the cat sat"],
        top_n=1,
        aws_bedrock_runtime_endpoint=URL,
    )
    return [row["index"] for row in reply.results]


def paint(model: str) -> str:
    reply = litellm.image_generation("a red square", model=f"bedrock/{model}", aws_bedrock_runtime_endpoint=URL)
    return reply.data[0].b64_json[:20]


if __name__ == "__main__":
    serve([text, pieces, weather, structured, awaited, embed, rerank, paint])
