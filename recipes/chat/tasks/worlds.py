"""Small invented worlds: things with attributes, told in sentences. Passages and extraction both draw from here.

This file owns attributes, how they are told, asked and answered. It must not know prompts or JSON.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from recipes.chat import words
from recipes.chat.draw import Draw


@dataclass(frozen=True, slots=True)
class Attribute:
    """One property: `told` and `asked` are templates of {n} (the thing's name) and {v}; `answer` states it in a sentence.

    `nouns` are its names, with bars between, for questions that ask for "the {a} of {n}".
    """

    key: str
    nouns: str
    told: tuple[str, ...]
    asked: tuple[str, ...]
    answer: str


# Ways to ask for any attribute by a noun, and to tell it: {a} the noun, {n} the thing, {v} the value.
ASKED = (
    "[What is|What's|Tell me|Give me|Name|Find|State|I need|Do you know|Can you tell me|Say|What was] the {a} of {n}?",
    "[What|Which] {a} does {n} have?", "{n}[: what {a}?|: {a}?|'s {a}?|, what {a}?| - {a}?| has what {a}?|: which {a}?]",
    "[What|Which {a}] [does the text give|is given|is stated|is told|do we learn|does it say|stands there|is named] for {n}?",
    "[According to the text|From this|In the passage|Here|As told|By this text], what is the {a} of {n}?",
    "[What is|Tell me|Give me|What's|Find|I want to know|Do you know] {n}'s {a}?",
)  # fmt: skip
TOLD = (
    "[The|As for the|We know the] {a} of {n}[ is|: it is| - that is] {v}.", "{n}'s {a} is {v}.", "{n}: {a} {v}.", "{n} ({a}: {v}).",
    "[Everyone knows|It is said|They say|We read|Records show|Note] that the {a} of {n} is {v}.",
)  # fmt: skip
CLAIMED = (
    "[Is|Was] the {a} of {n} {v}?", "[Is|Was] {v} the {a} of {n}?", "[Is|Would you say] {n}'s {a} {v}?",
    "[Is|Does the text give|Do we read|Do they say|Is it|Does it say] {v} [as|for] the {a} of {n}?",
)  # fmt: skip
PERSON = (
    Attribute("city", "city|home town|place of residence|home", ("{n} lives in {v}.", "{n} is from {v}.", "{n} has a house in {v}.", "The home of {n} is in {v}.",
                       "{n} moved to {v} last year."),
              ("Where does {n} live?", "In which city does {n} live?", "Which city does {n} live in?", "What city is {n} in?",
               "What is the home town of {n}?"), "{n} lives in {v}."),
    Attribute("job", "job|profession|occupation|trade|work", ("{n} works as a {v}.", "{n} is a {v}.", "{n} has been a {v} for years.", "The job of {n} is {v}.",
                      "{n} found work as a {v}."),
              ("What is the job of {n}?", "What does {n} do for a living?", "What does {n} work as?", "Which job does {n} have?",
               "What is {n}'s profession?"), "{n} is a {v}."),
    Attribute("age", "age", ("{n} is {v} years old.", "{n} turned {v} this year.", "The age of {n} is {v}.", "{n} is aged {v}."),
              ("How old is {n}?", "What is the age of {n}?", "What is {n}'s age?", "Which age is {n}?"), "{n} is {v} years old."),
    Attribute("pet", "pet|animal", ("{n} has a {v}.", "{n} owns a {v}.", "{n} keeps a {v} at home.", "The pet of {n} is a {v}."),
              ("What pet does {n} have?", "Which animal does {n} own?", "What animal does {n} keep?", "What is {n}'s pet?"),
              "{n} has a {v}."),
    Attribute("hobby", "hobby|pastime|favorite activity|interest", ("{n} likes {v}.", "{n} enjoys {v}.", "The hobby of {n} is {v}.", "In the evening {n} goes {v}.",
                        "{n} loves {v} most of all."),
              ("What does {n} like?", "What is the hobby of {n}?", "What does {n} enjoy?", "Which hobby does {n} have?",
               "What is {n}'s hobby?"), "{n} likes {v}."),
    Attribute("food", "favorite food|meal|dish|food", ("{n} eats {v} every day.", "The favorite food of {n} is {v}.", "{n} often cooks {v}.",
                       "For lunch {n} had {v}."),
              ("What does {n} eat?", "What is the favorite food of {n}?", "Which food does {n} eat?", "What did {n} cook?"),
              "{n} eats {v}."),
    Attribute("color", "favorite color|color|preferred color|colour", ("The favorite color of {n} is {v}.", "{n} always wears {v}.", "{n} chose the color {v}.",
                        "{n} painted the door {v}."),
              ("What is the favorite color of {n}?", "Which color does {n} wear?", "What color does {n} like?",
               "What is {n}'s color?"), "The color of {n} is {v}."),
    Attribute("thing", "thing|object|item|possession", ("{n} bought a {v}.", "{n} found a {v} on the street.", "{n} sold a {v}.", "{n} carries a {v}."),
              ("What did {n} buy?", "What did {n} find?", "What did {n} sell?", "What does {n} carry?"), "It was a {v}."),
)  # fmt: skip
COMPANY = (
    Attribute("city", "location|seat|home city|headquarters|office", ("{n} is based in {v}.", "{n} has its office in {v}.", "The headquarters of {n} are in {v}.",
                       "{n} is a company from {v}."),
              ("Where is {n} based?", "In which city is {n}?", "Where are the headquarters of {n}?", "Where is {n}?"),
              "{n} is based in {v}."),
    Attribute("founded", "founding year|year of foundation|start year|first year", ("{n} was founded in {v}.", "{n} started in {v}.", "Since {v}, {n} has been in business.",
                          "The year {v} saw the start of {n}."),
              ("When was {n} founded?", "When did {n} start?", "In which year was {n} founded?", "What year was {n} founded?"),
              "{n} was founded in {v}."),
    Attribute("product", "product|main product|best known product|goods", ("{n} makes {v}s.", "{n} sells {v}s.", "The main product of {n} is the {v}.",
                          "{n} is known for its {v}s."),
              ("What does {n} make?", "What does {n} sell?", "What is the main product of {n}?", "What is {n} known for?"),
              "{n} makes {v}s."),
    Attribute("boss", "boss|head|leader|director|chief", ("{n} is led by {v}.", "The head of {n} is {v}.", "{v} runs {n}.", "{v} is the director of {n}."),
              ("Who leads {n}?", "Who runs {n}?", "Who is the head of {n}?", "Who is the director of {n}?"), "{v} leads {n}."),
    Attribute("employees", "number of employees|staff size|head count|number of workers", ("{n} has {v} employees.", "{v} people work at {n}.", "{n} employs {v} people.",
                            "There are {v} workers at {n}."),
              ("How many employees does {n} have?", "How many people work at {n}?", "How many people does {n} employ?",
               "How big is the staff of {n}?"), "{n} has {v} employees."),
)  # fmt: skip
PLACE = (
    Attribute("population", "population|number of people|number of inhabitants|size", ("{n} has {v} inhabitants.", "{v} people live in {n}.", "The population of {n} is {v}.",
                             "{n} is home to {v} people."),
              ("How many people live in {n}?", "What is the population of {n}?", "How many inhabitants does {n} have?",
               "How big is {n}?"), "{n} has {v} inhabitants."),
    Attribute("river", "river", ("{n} lies on the river {v}.", "The river {v} flows through {n}.", "The {v} is the river of {n}.",
                        "Boats reach {n} on the river {v}."),
              ("Which river flows through {n}?", "On which river is {n}?", "What is the river of {n}?",
               "What river is {n} on?"), "{n} lies on the river {v}."),
    Attribute("known", "attraction|main attraction|famous thing|claim to fame", ("{n} is famous for its {v}.", "{n} is known for its {v}.", "Visitors come to {n} for its {v}.",
                        "People love {n} for its {v}."),
              ("What is {n} famous for?", "What is {n} known for?", "Why do visitors come to {n}?", "What do people love {n} for?"),
              "{n} is known for its {v}."),
    Attribute("mayor", "mayor|head", ("The mayor of {n} is {v}.", "{v} is the mayor of {n}.", "{n} elected {v} as mayor.",
                        "{v} became mayor of {n}."),
              ("Who is the mayor of {n}?", "Who became mayor of {n}?", "Who did {n} elect?", "What is the name of the mayor of {n}?"),
              "The mayor of {n} is {v}."),
)  # fmt: skip
ARTICLE = (
    Attribute("price", "price|cost|amount to pay", ("The {n} costs {v} dollars.", "The price of the {n} is {v} dollars.", "You pay {v} dollars for the {n}.",
                        "The {n} is sold for {v} dollars."),
              ("How much does the {n} cost?", "What is the price of the {n}?", "How much is the {n}?", "What do I pay for the {n}?"),
              "The {n} costs {v} dollars."),
    Attribute("color", "color|colour|paint", ("The {n} is {v}.", "The {n} comes in {v}.", "The color of the {n} is {v}.", "They sell the {n} in {v}."),
              ("What color is the {n}?", "What is the color of the {n}?", "Which color does the {n} have?", "In which color is the {n} sold?"),
              "The {n} is {v}."),
    Attribute("weight", "weight|mass", ("The {n} weighs {v} kilograms.", "The weight of the {n} is {v} kilograms.", "With {v} kilograms, the {n} is not light.",
                         "The {n} has a weight of {v} kilograms."),
              ("How heavy is the {n}?", "What is the weight of the {n}?", "How much does the {n} weigh?", "What does the {n} weigh?"),
              "The {n} weighs {v} kilograms."),
    Attribute("day", "delivery day|arrival|delivery date|day of arrival", ("The {n} arrives on {v}.", "The {n} will be delivered on {v}.", "On {v} the {n} is delivered.",
                      "Expect the {n} on {v}."),
              ("When does the {n} arrive?", "When is the {n} delivered?", "On which day does the {n} come?", "What day does the {n} arrive?"),
              "The {n} arrives on {v}."),
    Attribute("warranty", "warranty|guarantee|warranty period|length of the warranty", ("The {n} has a warranty of {v} months.", "The warranty of the {n} lasts {v} months.",
                           "You can return the {n} within {v} months.", "The {n} is covered for {v} months."),
              ("How long is the warranty of the {n}?", "How long does the warranty of the {n} last?", "How many months is the {n} covered?",
               "How long can I return the {n}?"), "The {n} has {v} months of warranty."),
)  # fmt: skip
MEETING = (
    Attribute("day", "day|date", ("The {n} is on {v}.", "The {n} takes place on {v}.", "On {v} there is the {n}.", "They moved the {n} to {v}."),
              ("When is the {n}?", "On which day is the {n}?", "What day is the {n}?", "When does the {n} take place?"), "The {n} is on {v}."),
    Attribute("room", "room|place|location", ("The {n} is held in room {v}.", "The {n} is in room {v}.", "Room {v} is reserved for the {n}.", "Come to room {v} for the {n}."),
              ("Where is the {n}?", "In which room is the {n}?", "Which room is the {n} in?", "What room is reserved for the {n}?"),
              "The {n} is in room {v}."),
    Attribute("time", "time|start|hour|starting time", ("The {n} starts at {v}.", "The {n} begins at {v}.", "At {v} the {n} starts.", "Be there at {v} for the {n}."),
              ("At what time does the {n} start?", "When does the {n} begin?", "What time is the {n}?", "What time does the {n} start?"),
              "The {n} starts at {v}."),
    Attribute("host", "host|organizer|person in charge|leader", ("{v} hosts the {n}.", "The {n} is organized by {v}.", "{v} invited everyone to the {n}.", "The host of the {n} is {v}."),
              ("Who hosts the {n}?", "Who organizes the {n}?", "Who invited people to the {n}?", "Who is the host of the {n}?"), "{v} hosts the {n}."),
)  # fmt: skip
KINDS = {"person": PERSON, "company": COMPANY, "place": PLACE, "article": ARTICLE, "meeting": MEETING}
NUMERIC = frozenset(("age", "founded", "employees", "population", "price", "weight", "warranty", "room"))
EVENTS = words.bank("""meeting concert lecture party workshop exam wedding dinner training review interview auction parade
rehearsal picnic tournament conference""")
FLAVOUR = words.bank(
    """market old bridge|warm springs|blue lamps|bread|carpets|tall tower|gardens|music|narrow streets|silver mines|
glass museum|stone harbor|wine|quiet beaches|apple trees|clock tower|dancing horses""",
    "|",
)


@dataclass(frozen=True, slots=True)
class Thing:
    """One invented thing: `has` maps an attribute to its value, as text."""

    kind: str
    name: str
    has: dict[Attribute, str]


def person_name(d: Draw) -> str:
    first = d.nonce().capitalize() if d.chance(0.4) else d.of(words.NAMES)
    if d.chance(0.65):
        return first
    return f"{first} {d.nonce().capitalize() if d.chance(0.4) else d.of(words.SURNAMES)}"


def name_of(d: Draw, kind: str) -> str:
    if kind == "person":
        return person_name(d)
    if kind == "article":
        return (
            f"{d.of(words.ADJECTIVES)} {d.of(words.THINGS)}" if d.chance(0.6) else f"{d.nonce()} {d.of(words.THINGS)}"
        )
    if kind == "meeting":
        return d.of(EVENTS) if d.chance(0.5) else f"{d.of(words.NOUNS)} {d.of(EVENTS)}"
    name = d.nonce().capitalize()
    if kind == "company" and d.chance(0.4):
        name += d.any((" Ltd", " Inc", " Systems", " Foods", " Labs", " & Sons"))
    return name


def value_of(d: Draw, key: str) -> str:
    """A value for an attribute, from this side of the wall."""
    banks = {"job": words.JOBS, "pet": words.PETS, "hobby": words.HOBBIES, "food": words.FOODS, "color": words.COLOURS,
             "thing": words.THINGS, "product": words.THINGS, "known": FLAVOUR}  # fmt: skip
    if key in banks:
        return d.of(banks[key])
    if key == "city":
        return d.of(words.CITIES) if d.chance(0.6) else d.nonce().capitalize()
    if key in ("boss", "mayor", "host"):
        return person_name(d)
    if key == "river":
        return d.nonce().capitalize()
    if key == "day":
        return d.any(words.DAYS) if d.chance(0.5) else f"{d.any(words.MONTHS)} {d.number(1, 28)}"
    if key == "time":
        return (
            f"{d.number(7, 21)}:{d.any(('00', '15', '30', '45'))}"
            if d.chance(0.6)
            else f"{d.number(1, 12)} {d.any(('am', 'pm'))}"
        )
    low, high = {"age": (5, 95), "founded": (1750, 2024), "employees": (3, 9000), "population": (90, 90000), "price": (2, 900),
                 "weight": (1, 80), "warranty": (2, 48), "room": (1, 420)}[key]  # fmt: skip
    return str(d.number(low, high))


def thing(d: Draw, kind: str, most: int = 3) -> Thing:
    """A thing with one to `most` attributes told (of `product`, no plural that ends in s twice)."""
    chosen = d.random.sample(KINDS[kind], min(len(KINDS[kind]), d.number(1, most)))
    return Thing(kind, name_of(d, kind), {attribute: value_of(d, attribute.key) for attribute in chosen})


def things(d: Draw, count: int, most: int = 3) -> list[Thing]:
    """`count` things of one kind mostly, with different names."""
    kind, found = d.any(tuple(KINDS)), dict[str, Thing]()
    while len(found) < count:
        one = thing(d, kind if d.chance(0.7) else d.any(tuple(KINDS)), most)
        if not any(one.name in name or name in one.name for name in found):
            found[one.name] = one
    return list(found.values())


def tell(d: Draw, attribute: Attribute, name: str, value: str) -> str:
    if d.chance(0.15):
        text = d.way(TOLD).format(n=called(attribute, name), v=value, a=noun(d, attribute))
    else:
        text = d.way(attribute.told).format(n=name, v=value)
    return text[0].upper() + text[1:]


def inverted(template: str) -> str | None:
    """A statement about {n} or {v} as a question that yes or no answers; None for one whose form is not known here."""
    if found := re.fullmatch(r"(?:The|the) (.+ of \{n\}) (is|was) (.+)\.", template):
        return f"{found[2].capitalize()} the {found[1]} {found[3]}?"
    found = re.fullmatch(r"(The |)(\{[nv]\}) (\w+) (.+)\.", template)
    if not found or found[3] == "always" or found[4].startswith("been "):
        return None
    subject, verb, rest = found[1].lower() + found[2], found[3], found[4]
    if verb in ("is", "was", "will"):
        return f"{verb.capitalize()} {subject} {rest}?"
    if verb == "has":
        return f"Does {subject} have {rest}?"
    return f"Does {subject} {verb[:-1]} {rest}?" if verb.endswith("s") and not verb.endswith("ries") else None


def claim(d: Draw, attribute: Attribute, name: str, value: str) -> str | None:
    """Whether it is so that the attribute has this value, asked as a question; None where a template has no such form."""
    if d.chance(0.3):
        return d.phrase(CLAIMED, n=called(attribute, name), v=value, a=noun(d, attribute))
    template = inverted(d.way(attribute.told) if d.chance(0.7) else attribute.answer)
    return None if template is None else d.phrase((template,), n=name, v=value)


def noun(d: Draw, attribute: Attribute) -> str:
    options = attribute.nouns.split("|")
    return d.way(options)


def question(d: Draw, attribute: Attribute, name: str) -> str:
    if d.chance(0.35):
        return d.phrase(ASKED, n=called(attribute, name), a=noun(d, attribute))
    return d.phrase(attribute.asked, n=name)


def called(attribute: Attribute, name: str) -> str:
    """A thing's name where no template says its article: a person and a place have none."""
    return f"the {name}" if attribute in ARTICLE + MEETING else name


def answer(attribute: Attribute, name: str, value: str) -> str:
    text = attribute.answer.format(n=name, v=value)
    return text[0].upper() + text[1:]


def filler(d: Draw) -> str:
    """A sentence about nothing that is ever asked."""
    return d.any((
        f"The {d.any(words.ADJECTIVES)} {d.any(words.NOUNS)} was near the {d.any(words.NOUNS)}.",
        f"It was a {d.any(words.ADJECTIVES)} day.", f"People talk about the {d.any(words.NOUNS)}.",
        f"Nobody saw the {d.any(words.ADJECTIVES)} {d.any(words.NOUNS)}.",
        f"Many {d.any(words.NOUNS)}s are {d.any(words.ADJECTIVES)}.", "That was a long time ago.", "This is well known.",
        f"A {d.any(words.NOUNS)} can be {d.any(words.ADJECTIVES)} and {d.any(words.ADJECTIVES)}.",
    ))  # fmt: skip
