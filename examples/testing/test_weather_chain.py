"""A LangChain program under the same fixtures."""

from __future__ import annotations

import pytest
from langchain_core.exceptions import LangChainException

weather_chain = pytest.importorskip("weather_chain", exc_type=ImportError)


def test_the_chain_runs_the_tool(craton_script) -> None:
    """A tool call comes out as LangChain's own, and its result goes back."""
    craton_script.on("weather in (?P<city>\\w+)", name="ask").tool("get_weather", city="{city}").usage(30, 8)
    craton_script.on(has=["toolResult"], tool_result="21 degrees", name="tell").reply("Mild.")

    assert weather_chain.ask("The weather in Paris?") == "Mild."
    assert [call.rule for call in craton_script.calls] == ["ask", "tell"]


def test_a_stream_comes_in_its_pieces(craton_script) -> None:
    """LangChain hands on each piece."""
    craton_script.on("count").chunks("one ", "two ", "three")
    model = weather_chain.ChatBedrockConverse(model=weather_chain.MODEL)
    pieces = [chunk.text for chunk in model.stream("count") if chunk.text]
    assert pieces == ["one ", "two ", "three"]


def test_what_no_rule_fits_is_an_error(craton_script) -> None:
    """A test that asks for more than it scripted hears of it."""
    craton_script.on("something else").reply("…")
    with pytest.raises(Exception, match="No rule of the script fits") as caught:
        weather_chain.ask("The weather in Paris?")
    assert not isinstance(caught.value, LangChainException)
