"""How a program on Bedrock is tested without Bedrock: `pip install craton pytest`, then `pytest`."""

from __future__ import annotations

import boto3
import pytest
import weather
from botocore.exceptions import ClientError


def test_the_agent_runs_the_tool(craton_script) -> None:
    """The model wants the weather of the city that was asked for, and its answer has what the tool gave."""
    craton_script.on(r"in (?P<city>\w+)\?$").tool("get_weather", city="{city}")
    craton_script.on(tool_result=r"(\d+) degrees").reply("It is {1} degrees.")

    assert weather.ask("What is the weather in Paris?", lambda city: f"21 degrees in {city}") == "It is 21 degrees."

    first, second = craton_script.calls
    assert first.prompt == "What is the weather in Paris?"
    assert first.tools == ["get_weather"]
    assert second.tool_results == ["21 degrees in Paris"]


def test_a_broken_stream_is_told(craton_script) -> None:
    """What had come is kept when the model breaks off."""
    craton_script.on("^Summarise").chunks("It ", "rains ", "today.").cut(after=2)
    assert weather.summarise("…") == ("It rains ", False)


def test_throttling_is_retried(craton_script, monkeypatch) -> None:
    """boto3 asks again after a 429, and the second answer is used."""
    monkeypatch.setenv("AWS_MAX_ATTEMPTS", "3")
    craton_script.on("Hello").error("ThrottlingException").then().reply("Here I am.")
    assert weather.ask("Hello", str) == "Here I am."
    assert len(craton_script.calls) == 2


def test_a_model_without_access(craton_script, bedrock) -> None:
    """Errors have AWS's names."""
    craton_script.on().error("AccessDeniedException", "You don't have access to the model.")
    with pytest.raises(ClientError) as caught:
        bedrock().converse(modelId=weather.MODEL, messages=[{"role": "user", "content": [{"text": "Hello"}]}])
    assert caught.value.response["Error"]["Code"] == "AccessDeniedException"


@pytest.mark.craton_cassette("weather.jsonl")
def test_the_recorded_agent() -> None:
    """A conversation that was recorded once, played offline ever since."""
    answer = weather.ask("What is the weather in Oslo?", lambda city: f"3 degrees in {city}")
    assert "3 degrees" in answer


def test_the_rest_of_bedrock_is_there(craton_server) -> None:
    """Whatever a program does besides asking models; `craton_server` alone puts the server into the environment."""
    names = [model["modelId"] for model in boto3.client("bedrock").list_foundation_models()["modelSummaries"]]
    assert weather.MODEL in names
