"""Sentences about anything with a question each: the answer is the sentence itself, said again.

The relation may be any noun ("The harvest of Sooria is 12 tons."), so what is learned is to find the sentence that a
question is about, not a list of relations. Must not know how passages are dressed.
"""

from __future__ import annotations

from recipes.chat import words
from recipes.chat.draw import Draw
from recipes.chat.tasks import worlds

# (told, asked): {n} the subject, {r} a noun, {v} a value, {k} a number, {c} a place, {y} a year, {p} a person, {o} a thing.
PAIRS = (
    ("The {r} of {n} is {v}.", "What is the {r} of {n}?"),
    ("The {r} of {n} is {v}.", "Tell me the {r} of {n}."),
    ("The {r} of {n} was {v}.", "What was the {r} of {n}?"),
    ("{n} has {k} {r}s.", "How many {r}s does {n} have?"),
    ("{n} has a {a} {r}.", "What kind of {r} does {n} have?"),
    ("{n} was built in {y}.", "When was {n} built?"),
    ("{n} was built by {p}.", "Who built {n}?"),
    ("{n} is {k} meters tall.", "How tall is {n}?"),
    ("{n} is {k} meters high.", "How high is {n}?"),
    ("{n} is {k} kilometers long.", "How long is {n}?"),
    ("{n} is located in {c}.", "Where is {n} located?"),
    ("{n} is in {c}.", "Where is {n}?"),
    ("{n} was invented by {p}.", "Who invented {n}?"),
    ("{n} was discovered in {y}.", "When was {n} discovered?"),
    ("{n} was discovered by {p} in {y}.", "Who discovered {n}?"),
    ("{n} opens at {t}.", "When does {n} open?"),
    ("{n} closes at {t}.", "When does {n} close?"),
    ("{n} is made of {o}.", "What is {n} made of?"),
    ("{n} belongs to {p}.", "Who owns {n}?"),
    ("{n} belongs to {p}.", "To whom does {n} belong?"),
    ("{n} was written by {p}.", "Who wrote {n}?"),
    ("{n} was painted in {y}.", "When was {n} painted?"),
    ("{n} was born in {c}.", "Where was {n} born?"),
    ("{n} was born in {y}.", "When was {n} born?"),
    ("{n} died in {y}.", "When did {n} die?"),
    ("{n} won the {r} in {y}.", "When did {n} win the {r}?"),
    ("{n} won the {r} in {y}.", "What did {n} win?"),
    ("{n} costs {k} dollars.", "How much does {n} cost?"),
    ("{n} supports {k} {r}s.", "How many {r}s does {n} support?"),
    ("{n} takes {k} minutes.", "How long does {n} take?"),
    ("Refunds for {n} are accepted within {k} days.", "Within how many days are refunds for {n} accepted?"),
    ("You can reset {n} in the {r} menu.", "How can I reset {n}?"),
    ("To start {n}, press the {a} button.", "How do I start {n}?"),
    ("{n} needs {o} and {v}.", "What does {n} need?"),
    ("{n} eats {o}.", "What does {n} eat?"),
    ("{n} lives in the {r}.", "Where does {n} live?"),
    ("{n} weighs {k} tons.", "How much does {n} weigh?"),
    ("{n} is the largest {r} of {c}.", "What is the largest {r} of {c}?"),
    ("{n} was the first {r} of {c}.", "Who was the first {r} of {c}?"),
    ("{n} uses {o} for the {r}.", "What does {n} use for the {r}?"),
    ("{n} speaks {k} languages.", "How many languages does {n} speak?"),
    ("{n} met {p} in {c}.", "Where did {n} meet {p}?"),
    ("{n} met {p} in {y}.", "Whom did {n} meet in {y}?"),
    ("{p} gave {n} a {o}.", "What did {p} give {n}?"),
    ("{n} starts on {d}.", "When does {n} start?"),
    ("{n} ends on {d}.", "When does {n} end?"),
    ("The best time for {n} is {d}.", "What is the best time for {n}?"),
    ("{n} is known as {v}.", "What is {n} known as?"),
)  # fmt: skip


def subject(d: Draw) -> str:
    """What a sentence is about: a name, or a noun with an article."""
    kind = d.number(0, 4)
    if kind == 0:
        return worlds.person_name(d)
    if kind == 1:
        return d.nonce().capitalize() + (f" {d.of(words.NOUNS).capitalize()}" if d.chance(0.5) else "")
    if kind == 2:
        return f"the {d.of(words.ADJECTIVES)} {d.of(words.NOUNS)}"
    return f"the {d.of(words.NOUNS) if kind == 3 else d.nonce()}"


def value(d: Draw) -> str:
    kind = d.number(0, 4)
    if kind == 0:
        return str(d.number(1, 9999))
    if kind == 1:
        return d.nonce().capitalize() if d.chance(0.5) else d.nonce()
    if kind == 2:
        return f"{d.number(2, 400)} {d.of(words.NOUNS)}s"
    return " ".join(d.some(words.ADJECTIVES, 1) + d.some(words.NOUNS, 1)) if kind == 3 else d.of(words.CITIES)


def row(d: Draw) -> tuple[str, str, str]:
    """Sentence, question template already filled, and the subject's name."""
    told, asked = d.way(PAIRS)
    name = subject(d)
    slots = {
        "n": name, "r": d.of(words.NOUNS), "v": value(d), "k": d.number(2, 2000), "c": worlds.value_of(d, "city"), "y": d.number(1600, 2030),
        "p": worlds.person_name(d), "o": d.of(words.THINGS + words.FOODS), "t": worlds.value_of(d, "time"), "d": worlds.value_of(d, "day"),
        "a": d.of(words.ADJECTIVES),
    }  # fmt: skip
    sentence = told.format(**slots)
    return sentence[0].upper() + sentence[1:], d.phrase((asked,), **slots), name
