"""Pydantic AI with its Bedrock models, as its users write it. Scenarios for `scenarios.serve`."""

from __future__ import annotations

import base64
from typing import Any

from pydantic import BaseModel
from pydantic_ai import Agent, BinaryContent, Embedder, NativeOutput, PromptedOutput, ToolOutput
from pydantic_ai.models.bedrock import BedrockConverseModel
from scenarios import CLAUDE, serve

PIXEL = base64.b64decode(
    "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNkYPhfDwAChwGA60e6kgAAAABJRU5ErkJggg=="
)
FORMS = {"tool": ToolOutput, "native": NativeOutput, "prompted": PromptedOutput}


class Person(BaseModel):
    """Somebody that the text tells of."""

    name: str
    age: int


def agent(model: str = CLAUDE, **more: Any) -> Agent[None, Any]:
    return Agent(f"bedrock:{model}", **more)


async def text(**more: Any) -> dict[str, Any]:
    result = await agent(instructions="Be brief", **more).run("Hello", model_settings={"max_tokens": 50})
    usage = result.usage
    return {"text": result.output, "usage": [usage.input_tokens, usage.output_tokens]}


async def pieces(**more: Any) -> list[str]:
    async with agent(**more).run_stream("Hello") as result:
        return [piece async for piece in result.stream_text(delta=True, debounce_by=None)]


async def weather(streaming: bool = False, **more: Any) -> dict[str, Any]:
    called = []
    chat = agent(**more)

    @chat.tool_plain
    def get_weather(city: str) -> str:
        """The weather of a city."""
        called.append(city)
        return f"21 degrees in {city}"

    if streaming:
        async with chat.run_stream("What is the weather in Paris?") as stream:
            output = await stream.get_output()
    else:
        output = (await chat.run("What is the weather in Paris?")).output
    return {"text": output, "called": called}


async def structured(form: str = "tool", **more: Any) -> dict[str, Any]:
    result = await agent(output_type=FORMS[form](Person), **more).run("Ada is 36 years old")
    return result.output.model_dump()


async def picture(**more: Any) -> str:
    return (await agent(**more).run(["What is it?", BinaryContent(PIXEL, media_type="image/png")])).output


async def document(**more: Any) -> str:
    return (await agent(**more).run(["Read", BinaryContent(b"a paper", media_type="text/plain")])).output


async def count(model: str = CLAUDE) -> int:
    from pydantic_ai.messages import ModelRequest
    from pydantic_ai.models import ModelRequestParameters

    usage = await BedrockConverseModel(model).count_tokens(
        [ModelRequest.user_text_prompt("Hello")], None, ModelRequestParameters()
    )
    return usage.input_tokens


async def embed(model: str) -> dict[str, Any]:
    embedder = Embedder(f"bedrock:{model}")
    found = await embedder.embed_documents(["the cat sat", "a dog ran"])
    asked = await embedder.embed_query("cat")
    scores = [sum(a * b for a, b in zip(asked.embeddings[0], row, strict=True)) for row in found.embeddings]
    return {"sizes": [len(row) for row in found.embeddings], "scores": scores, "tokens": found.usage.input_tokens}


if __name__ == "__main__":
    serve([text, pieces, weather, structured, picture, document, count, embed])
