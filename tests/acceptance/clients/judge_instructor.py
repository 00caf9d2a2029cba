"""Instructor over boto3's Bedrock client, as its users write it. Scenarios for `scenarios.serve`."""

from __future__ import annotations

from typing import Any

import boto3
import instructor
from pydantic import BaseModel, field_validator
from scenarios import CLAUDE, serve


class Person(BaseModel):
    """Somebody that the text tells of."""

    name: str
    age: int


class Loud(Person):
    """One whose name must be shouted: the first answer never passes."""

    @field_validator("name")
    @classmethod
    def shouted(cls, name: str) -> str:
        if not name.isupper():
            raise ValueError("shout the name")
        return name


def client(mode: str) -> Any:
    return instructor.from_bedrock(boto3.client("bedrock-runtime"), mode=instructor.Mode[mode])


def extract(mode: str = "TOOLS", model: str = CLAUDE) -> dict[str, Any]:
    person = client(mode).chat.completions.create(
        model=model,
        messages=[{"role": "system", "content": "Be exact"}, {"role": "user", "content": "Ada is 36 years old"}],
        inferenceConfig={"maxTokens": 50},
        response_model=Person,
        max_retries=0,
    )
    return person.model_dump()


def asked_again(mode: str = "TOOLS", model: str = CLAUDE) -> dict[str, Any]:
    return (
        client(mode)
        .chat.completions.create(
            model=model, messages=[{"role": "user", "content": "Ada is 36"}], response_model=Loud, max_retries=2
        )
        .model_dump()
    )


def by_name(model: str = CLAUDE) -> dict[str, Any]:
    made = instructor.from_provider(f"bedrock/{model}")
    return made.create(messages=[{"role": "user", "content": "Ada is 36"}], response_model=Person).model_dump()


def several(model: str = CLAUDE) -> list[dict[str, Any]]:
    found = client("TOOLS").chat.completions.create(
        model=model, messages=[{"role": "user", "content": "Ada is 36"}], response_model=list[Person], max_retries=0
    )
    return [person.model_dump() for person in found]


if __name__ == "__main__":
    serve([extract, asked_again, by_name, several])
