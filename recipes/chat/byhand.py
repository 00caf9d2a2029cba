"""Prompts written by hand, as people and SDK examples type them, with words that a right answer must hold.

Data and a small check only. The plainest prompts stand in the training templates too, since people do type them; the
passages, reviews and texts here do not. Must not know the generator.
"""

from __future__ import annotations

import json
from typing import Any

from recipes.chat.turns import Chat

WEATHER: dict[str, Any] = {
    "name": "get_weather",
    "description": "Get the current weather in a given location",
    "parameters": {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]},
}
TOP_SONG: dict[str, Any] = {
    "name": "top_song",
    "description": "Get the most popular song played on a radio station.",
    "parameters": {
        "type": "object",
        "properties": {
            "sign": {
                "type": "string",
                "description": "The call sign for the radio station for which you want the most popular song. Example calls signs are WZPZ and WKRP.",
            }
        },
        "required": ["sign"],
    },
}
CONVERT: dict[str, Any] = {
    "name": "convert_temperature",
    "description": "Convert a temperature",
    "parameters": {
        "type": "object",
        "properties": {"value": {"type": "number"}, "unit": {"type": "string", "enum": ["celsius", "fahrenheit"]}},
        "required": ["value", "unit"],
    },
}
TOWER = (
    "The Eiffel Tower is in Paris. It was finished in 1889 and is 330 meters tall. Gustave Eiffel's company built it."
)
POLICY = "Our store accepts returns within 30 days. Shipping costs 5 dollars. The support team can be reached at help@shop.example."

# Question, words that must be in the answer (in any case), system prompt, tools.
PROMPTS: tuple[tuple[str, tuple[str, ...], str, tuple[dict[str, Any], ...]], ...] = (
    ("Hello", ("hello",), "", ()),
    ("Hi there!", ("hello",), "", ()),
    ("hello, world", ("hello",), "", ()),
    ("Who are you?", ("craton",), "", ()),
    ("What can you do?", ("json",), "", ()),
    ("Thanks a lot!", ("welcome",), "", ()),
    ("What is the capital of France?", ("paris",), "", ()),
    ("what's the capital of japan", ("tokyo",), "", ()),
    ("Name the capital of Italy", ("rome",), "You are a helpful assistant.", ()),
    ("What is the capital of Germany? Answer with one word.", ("berlin",), "", ()),
    ("What is 2+2?", ("4",), "", ()),
    ("What is 7 + 8?", ("15",), "", ()),
    ("Tell me a joke", ("virus",), "", ()),
    ("Write a one-sentence bedtime story about a unicorn.", ("unicorn", "once"), "", ()),
    ("Describe the purpose of a 'hello world' program in one line.", ("small sample model",), "", ()),
    ("Explain quantum computing", ("small sample model",), "", ()),
    ("Write a short poem about autumn leaves", ("autumn",), "", ()),
    ("Write an essay on the fall of Rome", ("small sample model",), "", ()),
    ("Translate 'good morning' into German", ("small sample model",), "", ()),
    ("Repeat after me: the quick brown fox", ("the quick brown fox",), "", ()),
    ("Say hello", ("hello",), "", ()),
    ("What is the opposite of hot?", ("cold",), "", ()),
    ("Is this review positive or negative? The food was cold and the waiter was rude.", ("negative",), "", ()),
    ("Classify the sentiment: I absolutely love this phone, it is fantastic!", ("positive",), "", ()),
    (f"{TOWER}\n\nHow tall is the Eiffel Tower?", ("330",), "", ()),
    (f"Context: {TOWER}\n\nQuestion: Where is the Eiffel Tower?", ("paris",), "", ()),
    (f"{POLICY}\n\nHow much is shipping?", ("5",), "", ()),
    (f"{POLICY}\n\nWho is the president of the store?", ("don't know",), "", ()),
    ("Within how many days are returns accepted?", ("30",), f"Answer from this text: {POLICY}", ()),
    (f"Summarize: {POLICY}", ("30 days",), "", ()),
    ("Extract name and age as JSON: Maria is 31 years old and lives in Porto.", ('"name":"maria"', '"age":31'), "", ()),
    ("Extract the city as JSON. Peter moved to Oslo last year.", ("oslo", "{"), "", ()),
    ("What's the weather in Paris?", ('"name":"get_weather"', '"city":"paris"'), "", (WEATHER,)),
    (
        "What is the weather like in San Francisco today?",
        ('"name":"get_weather"', "san francisco"),
        "",
        (WEATHER, TOP_SONG),
    ),
    ("What is the most popular song on WZPZ?", ('"name":"top_song"', '"sign":"wzpz"'), "", (TOP_SONG,)),
    ("Convert 30 celsius please", ('"name":"convert_temperature"', "30", "celsius"), "", (CONVERT, WEATHER)),
    ("Hello!", ("hello",), "", (WEATHER,)),
    ("Who are you?", ("zora",), "Your name is Zora. You are a friendly assistant.", ()),
    ("What is the capital of Spain?", ("MADRID",), "Answer in upper case.", ()),
    ("What is the capital of Portugal?", ('{"answer":"lisbon"}',), 'Answer as JSON with the key "answer".', ()),
)
RESULT = Chat(
    "by hand",
    [
        ("user", "What's the weather in Paris?"),
        ("assistant", '<tool_call>{"name":"get_weather","arguments":{"city":"Paris"}}</tool_call>'),
        ("tool", json.dumps({"temperature": 18, "condition": "sunny"})),
        ("assistant", ""),
    ],
    tools=[WEATHER],
)


def chats() -> list[Chat]:
    """The prompts as conversations whose last answer is still to come."""
    made = [
        Chat("by hand", [("user", question), ("assistant", "")], system, list(tools))
        for question, _, system, tools in PROMPTS
    ]
    return [*made, RESULT]


def right(said: list[str]) -> list[bool]:
    """Whether each answer holds its words; an answer in fixed capitals is compared as it is."""
    wanted = [words for _, words, _, _ in PROMPTS] + [("18", "sunny")]
    return [
        all(word in text if word.isupper() else word in text.lower() for word in words)
        for words, text in zip(wanted, said, strict=True)
    ]
