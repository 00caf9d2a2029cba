"""Is a short review positive or negative? Must not know other tasks."""

from __future__ import annotations

from recipes.chat import words
from recipes.chat.draw import Draw
from recipes.chat.turns import Chat, ask

GOODS = ("I love this {x}!", "The {x} was {g}.", "What a {g} {x}.", "I really enjoyed the {x}, it was {g}.", "{g} {x}!",
         "This is the best {x} I ever had.", "The {x} is {g} and {g2}.", "I would buy this {x} again.", "Very happy with the {x}.",
         "The {x} works well.", "My family loved the {x}.", "I recommend this {x} to everyone.", "The {x} made my day.",
         "Great {x}, thank you!", "I like the {x} a lot.", "It is a {g} {x} and I am happy.", "Not bad at all, a {g} {x}.")  # fmt: skip
BADS = ("I hate this {x}!", "The {x} was {b}.", "What a {b} {x}.", "I did not enjoy the {x}, it was {b}.", "{b} {x}!",
        "This is the worst {x} I ever had.", "The {x} is {b} and {b2}.", "I would never buy this {x} again.",
        "Very unhappy with the {x}.", "The {x} broke after one day.", "My family hated the {x}.", "I want my money back.",
        "The {x} ruined my day.", "Do not buy this {x}.", "I do not like the {x}.", "It is a {b} {x} and I am angry.",
        "Not good at all, a {b} {x}.")  # fmt: skip
ASKS = ("Is this review positive or negative? {t}", "Sentiment: {t}", "What is the sentiment of this text? {t}",
        "Classify the sentiment as positive or negative: {t}", "Positive or negative?\n{t}", 'Review: "{t}"\nSentiment:',
        "{t}\n\nIs this positive or negative?", "Tell me if this is positive or negative: {t}",
        "Classify the following review as positive or negative.\n\n{t}", "Decide whether the review is positive or negative: {t}",
        'What is the sentiment of "{t}"?', "Text: {t}\nSentiment (positive or negative)?",
        "Analyze the sentiment of this sentence: {t}", "How does the writer feel, positive or negative? {t}",
        "Label this review positive or negative: {t}", "Determine the sentiment: {t}", "sentiment of: {t}")  # fmt: skip


def judge(d: Draw) -> Chat:
    good = d.chance(0.5)
    thing = (
        d.of(words.THINGS + words.FOODS)
        if d.chance(0.6)
        else d.any(("movie", "book", "food", "service", "hotel", "game"))
    )
    slots = {"x": thing, "g": d.of(words.GOOD), "b": d.of(words.BAD), "g2": d.of(words.GOOD), "b2": d.of(words.BAD)}
    text = " ".join(d.way(GOODS if good else BADS).format(**slots) for _ in range(1 if d.chance(0.7) else 2))
    text = text[0].upper() + text[1:]
    return ask("sentiment", d.phrase(ASKS, t=text), "Positive" if good else "Negative")
