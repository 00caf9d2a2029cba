"""Sentences about anything with a question each: the answer is the span that the question asks for.

The relation may be any noun ("The harvest of Sooria is 12 tons."), so what is learned is to find the sentence that a
question is about and what in it is asked for, not a list of relations. Must not know how passages are dressed.
"""

from __future__ import annotations

from recipes.chat import words
from recipes.chat.draw import Draw
from recipes.chat.tasks import worlds

# (told, asked, answer): {n} the subject, {r} a noun, {v} a value, {k} a number, {c} a place, {y} a year, {p} a person, {o} a thing,
# {t} a time, {d} a day, {a} an adjective. Choices in brackets as in every template.
PAIRS = (
    ("The {r} of {n} [is|was|remains|has always been] {v}.", "[What is|What was|Tell me|Name|Give me|What's|Do you know|State] the {r} of {n}?", "{v}"),
    ("{n} has {k} {r}s.", "[How many|What number of] {r}s does {n} [have|own|count|hold]?", "{k}"),
    ("There are {k} {r}s in {n}.", "How many {r}s are [there |]in {n}?", "{k}"),
    ("{n} has a {a} {r}.", "[What kind of|Which kind of|What sort of] {r} does {n} have?", "{a}"),
    ("{n} was [built|finished|opened|founded] in {y}.", "[When|In which year|In what year] was {n} [built|finished|opened|founded]?", "{y}"),
    ("{n} was [built|designed|made|planned] by {p}.", "[Who|Which person] [built|designed|made|planned] {n}?", "{p}"),
    ("{p} [built|designed|made|planned] {n}.", "[Who|Which person|What person] [built|designed|made|planned] {n}?", "{p}"),
    ("{n} is {k} meters tall.", "[How tall is {n}|What is the height of {n}|How high is {n}|How tall, in meters, is {n}]?", "{k} meters"),
    ("{n} is {k} kilometers long.", "[How long is {n}|What is the length of {n}|What length does {n} have|How many kilometers is {n}]?", "{k} kilometers"),
    ("{n} is [located |found |]in {c}.", "[Where is {n} located|Where is {n}|In which place is {n}|Where do I find {n}|Where can one see {n}]?", "{c}"),
    ("You [can find|will see|find|can visit] {n} in {c}.", "[Where is {n}|Where do I find {n}|Where can I visit {n}|In which place is {n}]?", "{c}"),
    ("{n} was [invented|discovered|found|described] by {p}[ in {y}|].", "[Who|Which person] [invented|discovered|found|described] {n}?", "{p}"),
    ("{n} was [invented|discovered|found|described] in {y}.", "[When|In which year] was {n} [invented|discovered|found|described]?", "{y}"),
    ("{n} opens at {t}.", "[When|At what time|What time] does {n} open?", "{t}"),
    ("{n} closes at {t}.", "[When|At what time|What time] does {n} close?", "{t}"),
    ("{n} opens at {t} and closes at {x}.", "[When|At what time|What time] does {n} close?", "{x}"),
    ("{n} opens at {t} and closes at {x}.", "[When|At what time|What time] does {n} open?", "{t}"),
    ("{n} is made of {o}.", "[What is {n} made of|Of what is {n} made|What material is {n} made of|Which material is used for {n}]?", "{o}"),
    ("{n} belongs to {p}.", "[Who owns {n}|To whom does {n} belong|Who is the owner of {n}|Whose is {n}|Who has {n}]?", "{p}"),
    ("{p} [owns|bought|sold|repaired] {n}.", "Who [owns|bought|sold|repaired] {n}?", "{p}"),
    ("{n} was [written|painted|composed|drawn] by {p}.", "Who [wrote|painted|composed|drew|is the author of|created] {n}?", "{p}"),
    ("{n} was born in {c}[ in {y}|].", "[Where was {n} born|In which place was {n} born|What is the birthplace of {n}|Where does {n} come from]?", "{c}"),
    ("{n} was born in {y}[ in {c}|].", "[When was {n} born|In which year was {n} born|What year was {n} born|What is the birth year of {n}]?", "{y}"),
    ("{n} died in {y}.", "[When did {n} die|In which year did {n} die|What year did {n} die]?", "{y}"),
    ("{n} won the {r} in {y}.", "[When|In which year] did {n} win the {r}?", "{y}"),
    ("{n} won the {r} in {y}.", "[What|Which prize|What prize] did {n} win[ in {y}|]?", "the {r}"),
    ("{n} costs {k} dollars.", "[How much does {n} cost|What is the price of {n}|What does {n} cost|How much is {n}|How expensive is {n}]?", "{k} dollars"),
    ("{n} [supports|offers|needs|holds] {k} {r}s.", "How many {r}s does {n} [support|offer|need|hold]?", "{k}"),
    ("{n} takes {k} minutes.", "[How long does {n} take|How many minutes does {n} take|What time does {n} need|How long will {n} take]?", "{k} minutes"),
    ("Refunds for {n} are accepted within {k} days.", "[Within how many days are refunds for {n} accepted|How long can I return {n}|How many days do I have to return {n}]?", "{k} days"),
    ("You can reset {n} in the {r} menu.", "[How can I reset {n}|Where can I reset {n}|Where do I reset {n}|In which menu can I reset {n}]?", "in the {r} menu"),
    ("To start {n}, press the {a} button.", "[How do I start {n}|Which button starts {n}|What starts {n}|What must I press to start {n}]?", "the {a} button"),
    ("{n} needs {o}.", "[What does {n} need|What is needed by {n}|What must {n} have]?", "{o}"),
    ("{n} eats {o}.", "[What does {n} eat|What is the food of {n}|What is eaten by {n}]?", "{o}"),
    ("{n} lives in the {r}.", "[Where does {n} live|Where is {n} living|In which place does {n} live]?", "in the {r}"),
    ("{n} weighs {k} tons.", "[How much does {n} weigh|What is the weight of {n}|How heavy is {n}|What does {n} weigh]?", "{k} tons"),
    ("{n} is the [largest|oldest|best|tallest] {r} of {c}.", "[What|Which] is the [largest|oldest|best|tallest] {r} of {c}?", "{n}"),
    ("{n} was the first {r} of {c}.", "[Who|What] was the first {r} of {c}?", "{n}"),
    ("{n} uses {o} for the {r}.", "What does {n} use for the {r}?", "{o}"),
    ("{n} speaks {k} languages.", "[How many languages does {n} speak|How many languages are spoken by {n}]?", "{k}"),
    ("{n} met {p} in {c}.", "[Where did {n} meet {p}|In which place did {n} meet {p}]?", "{c}"),
    ("{n} met {p} in {c}.", "[Whom|Who] did {n} meet[ in {c}|]?", "{p}"),
    ("{p} gave {n} a {o}.", "[What did {p} give {n}|What did {n} get from {p}]?", "a {o}"),
    ("{p} gave {n} a {o}.", "Who gave {n} a {o}?", "{p}"),
    ("{n} starts on {d}.", "[When does {n} start|On which day does {n} start|When does {n} begin|What day does {n} start]?", "{d}"),
    ("{n} ends on {d}.", "[When does {n} end|On which day does {n} end|What day does {n} end|When is the end of {n}]?", "{d}"),
    ("The best time for {n} is {d}.", "[What is|When is] the best time for {n}?", "{d}"),
    ("{n} is [also |]known as {v}.", "[What is {n} known as|What is {n} called|What is another name of {n}|How else is {n} called]?", "{v}"),
    ("The {r} of {n} works as a {j}.", "What [is the job of the {r} of {n}|does the {r} of {n} do|does the {r} of {n} work as]?", "{j}"),
    ("{n} is [ruled|led|run|directed] by {p}.", "[Who|Which person] [rules|leads|runs|directs] {n}?", "{p}"),
    ("In {y}, {n} moved to {c}.", "[Where did {n} move|Where did {n} go in {y}|To which place did {n} move]?", "{c}"),
    ("In {y}, {n} moved to {c}.", "[When|In which year] did {n} move[ to {c}|]?", "{y}"),
    ("{n} plays the {o}.", "[What does {n} play|Which instrument does {n} play|What is played by {n}]?", "the {o}"),
    ("{n} can carry {k} {r}s.", "[How many {r}s can {n} carry|What number of {r}s can {n} carry]?", "{k}"),
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


def row(d: Draw) -> tuple[str, str, str, str]:
    """Sentence, question, the subject's name, and the span that answers."""
    told, asked, span = d.way(PAIRS)
    name = subject(d)
    slots = {
        "n": name, "r": d.of(words.NOUNS), "v": value(d), "k": d.number(2, 2000), "c": worlds.value_of(d, "city"), "y": d.number(1600, 2030),
        "p": worlds.person_name(d), "o": d.of(words.THINGS + words.FOODS), "t": worlds.value_of(d, "time"), "x": worlds.value_of(d, "time"),
        "d": worlds.value_of(d, "day"), "a": d.of(words.ADJECTIVES), "j": d.of(words.JOBS),
    }  # fmt: skip
    sentence = d.chosen(told)[0].format(**slots)
    return sentence[0].upper() + sentence[1:], d.phrase((asked,), **slots), name, span.format(**slots)
