"""The same question as a LangChain program: a chat model with a tool bound to it."""

from __future__ import annotations

from langchain_aws import ChatBedrockConverse
from langchain_core.messages import BaseMessage, HumanMessage, ToolMessage
from langchain_core.tools import tool

MODEL = "anthropic.claude-3-haiku-20240307-v1:0"


@tool
def get_weather(city: str) -> str:
    """The weather of a city."""
    return f"21 degrees in {city}"


def ask(question: str) -> str:
    """Answer a question, with the weather where the model wants to know it."""
    model = ChatBedrockConverse(model=MODEL).bind_tools([get_weather])
    turns: list[BaseMessage] = [HumanMessage(question)]
    while True:
        reply = model.invoke(turns)
        turns.append(reply)
        if not reply.tool_calls:
            return str(reply.text)
        turns += [ToolMessage(get_weather.invoke(call["args"]), tool_call_id=call["id"]) for call in reply.tool_calls]
