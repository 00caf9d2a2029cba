"""Strands Agents with its Bedrock model, as its users write it. Scenarios for `scenarios.serve`."""

from __future__ import annotations

import base64
from typing import Any

from pydantic import BaseModel
from scenarios import CLAUDE, serve
from strands import Agent, tool
from strands.models import BedrockModel

PIXEL = base64.b64decode(
    "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNkYPhfDwAChwGA60e6kgAAAABJRU5ErkJggg=="
)


class Person(BaseModel):
    """Somebody that the text tells of."""

    name: str
    age: int


@tool
def get_weather(city: str) -> str:
    """The weather of a city.

    Args:
        city: Its name.
    """
    return f"21 degrees in {city}"


def agent(model: str = CLAUDE, streaming: bool = True, **more: Any) -> Agent:
    chat = BedrockModel(model_id=model, streaming=streaming, max_tokens=100)
    return Agent(model=chat, callback_handler=None, retry_strategy=None, **more)


def text(streaming: bool = True, **more: Any) -> dict[str, Any]:
    result = agent(streaming=streaming, system_prompt="Be brief", **more)("Hello")
    return {"text": str(result).strip(), "stop": result.stop_reason, "usage": result.metrics.accumulated_usage}


async def pieces(**more: Any) -> list[str]:
    return [event["data"] async for event in agent(**more).stream_async("Hello") if "data" in event]


def weather(**more: Any) -> dict[str, Any]:
    chat = agent(tools=[get_weather], **more)
    result = chat("What is the weather in Paris?")
    uses = [part["toolUse"] for message in chat.messages for part in message["content"] if "toolUse" in part]
    return {"text": str(result).strip(), "calls": [[use["name"], use["input"]] for use in uses]}


def structured(**more: Any) -> dict[str, Any]:
    result = agent(**more)("Ada is 36 years old", structured_output_model=Person)
    return result.structured_output.model_dump()


def picture(**more: Any) -> str:
    seen = agent(**more)([{"text": "What is it?"}, {"image": {"format": "png", "source": {"bytes": PIXEL}}}])
    return str(seen).strip()


def turns(**more: Any) -> int:
    chat = agent(**more)
    chat("Hello")
    chat("And again")
    return len(chat.messages)


async def count(model: str = CLAUDE) -> int:
    chat = BedrockModel(model_id=model, use_native_token_count=True)
    return await chat.count_tokens([{"role": "user", "content": [{"text": "Hello"}]}])


if __name__ == "__main__":
    serve([text, pieces, weather, structured, picture, turns, count])
