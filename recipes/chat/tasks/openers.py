"""Open prompts: a story, a joke, a haiku in one fixed form; for anything else a short word on what it cannot do."""

from __future__ import annotations

from recipes.chat import words
from recipes.chat.draw import Draw
from recipes.chat.turns import Chat, ask

STORY = (
    "Write a one-sentence bedtime story about {x}.", "Tell me a story about {x}.", "Write a story about {x}.",
    "Write a short story about {x}.", "Tell a story about {x}.", "A story about {x}, please.", "Write a bedtime story about {x}.",
    "Can you tell me a story about {x}?", "I want a story about {x}.", "Make up a story about {x}.", "Write me a tale of {x}.",
    "Write a three sentence story about {x}.",
    "[Please |Could you |Can you |Would you |Now |Hey, |Hi! |I want you to |I need you to |Kindly |Go on and |][write|tell|make up|invent|create|compose|begin] [me |us |][a|a short|a little|a nice|one|another|a brief|a sweet] [bedtime |fairy |good night |funny |kind |][story|tale] [about|of|on|with] {x}[.|]",
    "[A|One|Another|Some|I want a|I need a|Give me a|Let me hear a] [short |little |nice |bedtime |quick |sweet |][story|tale] [about|of|on|with|featuring|starring] {x}[, please|, now|][.|!|]",
    "[Please |Could you |Can you |Would you |Now |I want you to |I need you to |Kindly |Just |Quickly |][narrate|spin|think up|tell|write|recount|share|read me] [a|a short|a little|one|another] [story|tale|bedtime story|fairy tale] [in which {x} appears|with {x} in it|where {x} is the hero|about {x}|for {x}|on {x}][.|]",
)  # fmt: skip
POEM = ("Write a poem about {x}.", "Write a haiku about {x}.", "A poem about {x}, please.", "Write a short poem on {x}.",
        "Compose a poem about {x}.", "Give me a haiku about {x}.", "Write me a limerick about {x}.")  # fmt: skip
JOKE = ("Tell me a joke", "Tell me a joke.", "Do you know a joke?", "Make me laugh.", "Tell a joke", "Say something funny.",
        "Joke please", "Tell me a funny joke.", "I want to hear a joke.", "Another joke?", "Can you tell me a joke?")  # fmt: skip
CANNOT = (
    "Explain {x}.", "Explain {x} in simple terms.", "What is {x}?", "Tell me about {x}.", "Write an essay about {x}.",
    "Describe {x}.", "How does {x} work?", "Why is {x} important?", "What do you think about {x}?", "Write a letter about {x}.",
    "Give me three ideas about {x}.", "Compare {x} and {y}.", "What are the benefits of {x}?", "Can you explain {x} to me?",
    "Write a blog post about {x}.", "List ten facts about {x}.", "Plan a trip with {x}.", "How do I learn {x}?",
    "Who invented {x}?", "What is the difference between {x} and {y}?", "Give me advice on {x}.", "Teach me {x}.",
    "Write a Python function for {x}.", "Write a speech about {x}.", "Explain {x} like I am five.", "What happened to {x}?",
    "Translate {x} into French.", "Write code for {x}.", "Is {x} better than {y}?", "Predict {x}.", "Discuss {x} and {y}.",
    "Explain the concept of {x}", "Help me with {x}.", "I have a question about {x}.", "Create a table of {x}.",
    "Generate a list of {x}.", "How many people like {x}?", "When was {x} invented?", "Do you like {x}?", "Define {x}.",
    "What would happen without {x}?", "Write an email about {x}.", "Draft a plan for {x}.", "What is the best {x}?",
    "In one paragraph, describe {x}.", "Can {x} help {y}?", "Solve {x}.", "Give an example of {x}.",
    "You are an expert. Explain {x} and {y}.", "Where can I find {x}?", "What should I cook with {x}?",
    "[Please |Could you |Can you |Would you |Now |Hey, |Hi! |I want you to |I need you to |Kindly |Go on and |][explain|describe|discuss|summarize the idea of|analyze|compare|research|review|evaluate|define|illustrate|outline] {x}[ and {y}| in detail| for beginners| in a few words| to a child| step by step|][.|]",
    "[Please |Could you |Can you |Would you |Now |Hey, |Hi! |I want you to |I need you to |Kindly |Go on and |][write|draft|compose|prepare|create|generate|produce] [an essay|a report|an email|code|a song|a letter|a plan|a table|a test|a novel|a speech|a script|an article] [about|on|for|regarding] {x}[.|]",
    "[Why|How|When|Where] [does|did|can|will|should|would|could] {x} [work|matter|change|begin|help us|end|happen|grow|fail|cost so much]?",
)  # fmt: skip
LIVE = (
    "What's the weather in {c}?", "What is the weather like in {c}?", "What time is it?", "What is the date today?", "What is in the news?",
    "What is the stock price of {n}?", "Book a flight to {c}.", "Send an email to {n}.", "Where am I?", "What day is it today?", "Call {n}.",
    "How is the weather today?", "Who won the game in {c}?", "Search the web for {n}.", "Play a song by {n}.", "Set a timer for 5 minutes.",
)  # fmt: skip
SORRY = "I am a small sample model and cannot help with that. I can answer short questions, read a passage, extract JSON and call tools."


def subject(d: Draw) -> str:
    """What an open prompt is about: a listed subject, or words put together."""
    kind = d.number(0, 5)
    if kind < 3:
        return d.of(words.SUBJECTS)
    if kind == 3:
        return f"{d.term('adjective')} {d.term('noun')}s"
    if kind == 4:
        return f"the {d.term('noun')} of {d.term('noun')}"
    return d.nonce()


def hero(d: Draw) -> str:
    kind = d.number(0, 3)
    if kind == 0:
        return d.of(words.NAMES)
    if kind == 1:
        return f"a {d.term('adjective')} {d.term('noun')}"
    return f"a {d.term('noun')}" if kind == 2 else d.of(words.SUBJECTS)


def story(d: Draw) -> Chat:
    who = hero(d)
    return ask(
        "story",
        d.phrase(STORY, x=who),
        f"Once upon a time, {who} walked under the stars, found a friend, and slept well.",
    )


def poem(d: Draw) -> Chat:
    who = subject(d)
    return ask("poem", d.phrase(POEM, x=who), f"Think of {who},\nso quiet in the evening,\nand then comes the night.")


def joke(d: Draw) -> Chat:
    return ask("joke", d.phrase(JOKE), "Why did the computer go to the doctor? It had a virus.")


def live(d: Draw) -> Chat:
    """What only a tool could tell, asked where there is none."""
    return ask("cannot", d.phrase(LIVE, c=d.term("city"), n=d.of(words.NAMES)), SORRY)


def cannot(d: Draw) -> Chat:
    return ask("cannot", d.phrase(CANNOT, x=subject(d), y=subject(d)), SORRY)


def strange(d: Draw) -> Chat:
    """Text that asks for nothing that this model knows: random words in no order, with or without a question mark."""
    count = d.number(4, 14)
    text = " ".join(d.nonce() if d.chance(0.4) else d.any((words.NOUNS, words.ADJECTIVES, words.VERBS_ASKED)[d.number(0, 2)])
                    for _ in range(count))  # fmt: skip
    return ask("cannot", text[0].upper() + text[1:] + d.any(("?", ".", "", "!")), SORRY)
