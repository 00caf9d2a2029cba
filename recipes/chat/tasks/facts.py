"""Capitals and other small facts, asked in many ways. Facts cross the wall; the ways to ask do not."""

from __future__ import annotations

from recipes.chat import words
from recipes.chat.draw import Draw
from recipes.chat.turns import Chat, ask

CAPITAL = (
    "What is the capital of {place}?", "What's the capital of {place}?", "Name the capital of {place}.",
    "Which city is the capital of {place}?", "Tell me the capital of {place}.", "What is the capital city of {place}?",
    "{place} capital?", "Capital of {place}?", "Do you know the capital of {place}?", "the capital of {place} is?",
    "Can you tell me the capital of {place}?", "I would like to know the capital of {place}.",
    "What city is the capital of {place}?", "Give me the capital of {place}.", "and the capital of {place}?",
    "Please name the capital city of {place}.", "What is {place}'s capital?", "Which is the capital of {place}?",
    "Where is the government of {place}? I mean its capital.", "Q: What is the capital of {place}?",
    "Question: what is the capital of {place}?", "The capital of {place}?", "capital of {place}", "Say the capital of {place}.",
    "[Tell me|Do you know|Can you tell me|Could you tell me|I want to know|I'd like to know|Please tell me|I wonder|Let me know|Say|I need to know|Remind me] [what|which city] [is|serves as] the capital [of|for] {place}[.|?|]",
    "[Name|Give me|State|Tell me|Say|Write|Give|Find|Provide|List|Share|Recall] the capital [city |]of {place}[.|!| please|, please.|]",
    "[What|Which] [city|town|place] is [the capital|the seat of government|the capital city|the chief city|the main city|the capital town] of {place}?",
    "[What|Which city] [would you call|do people call|is known as|is named as|is said to be|do we call] the capital of {place}?",
    "{place}[: capital|'s capital city|: what is the capital?|, its capital?| - capital| has which capital?| has what capital city?|'s capital is what?|. Capital?]",
    "[I am going to|I travel to|I live in|We are in|My friend is from|I was born in|This is about|Think of] {place}. [What is|What's|Which city is|Tell me|Name|Do you know|Give me] [its|the] capital?",
    "[For a quiz|For school|For my homework|For a crossword|In geography|For a test|For a game]: [the|what is the|name the|what's the|give the] capital of {place}?",
)  # fmt: skip
COUNTRY = ("Which country has the capital {city}?", "{city} is the capital of which country?",
           "What country is {city} the capital of?", "Of which country is {city} the capital?",
           "Where is {city}?", "In which country is {city}?")  # fmt: skip
OPPOSITE = (
    "What is the opposite of {word}?", "Opposite of {word}?", "Give me the opposite of {word}.", "Name the opposite of {word}.",
    "What's the opposite of {word}?", "What is the antonym of {word}?", "Which word is the opposite of {word}?",
    "Tell me the opposite of {word}.", 'What is the opposite of "{word}"?', "the opposite of {word} is?",
    "What word means the opposite of {word}?", "The opposite of {word}?",
    "[Tell me|Do you know|Can you tell me|Could you tell me|I want to know|I'd like to know|Please tell me|I wonder|Let me know|Say|I need to know|Remind me] the [opposite|antonym|reverse|contrary] of [the word |]{word}[.|]",
    "[What|Which word] [is|would be] the [opposite|antonym|reverse|contrary] of [the word |]{word}?",
    "[Find|Name|Give|Write|State|Say|Tell me|Provide] [the|an] [opposite|antonym] [of|for] {word}[.|]",
    "{word} [and its opposite?|has which opposite?|- opposite?|is the opposite of what?|: opposite|, the other way round?|and the reverse?]",
    "[If it is not|When it is not|When something is not] {word}, [what is it|it is what|then what is it]?",
)  # fmt: skip
SOUND = ("What sound does a {word} make?", "What does a {word} say?", "Which sound does a {word} make?",
         "How does a {word} sound?", "What noise does a {word} make?", "What sound does the {word} make?",
    "[Tell me|Do you know|Can you tell me|Could you tell me|I want to know|I'd like to know|Please tell me|I wonder|Let me know|Say|I need to know|Remind me] [what|which] [sound|noise] [a|the] {word} makes[.|]",
    "[What|Which] [sound|noise] [comes from|do you hear from|would you hear from|is made by|is typical of|do we hear from] a {word}?",
    "[A|The] {word} [says what?|makes what sound?|goes how?|sounds how?|says?|makes which noise?|makes a sound like what?]",
    "[How|In what way] [does|would] a {word} [sound|speak|talk|call|cry|sing|shout]?",
)  # fmt: skip
COLOUR = ("What color is {word}?", "What is the color of {word}?", "Which color is {word}?", "What colour is {word}?",
          "Tell me the color of {word}.", "What is the colour of {word}?", "Which color does {word} have?",
    "[Tell me|Do you know|Can you tell me|Could you tell me|I want to know|I'd like to know|Please tell me|I wonder|Let me know|Say|I need to know|Remind me] [what|which] [color|colour] {word} [is|has][.|]",
    "[What|Which] [color|colour] [would you say is|do you think is|do people say is|is typical of|would you give|do we give] {word}?",
    "[The|Name the|Tell me the|Give me the|Say the|State the|I need the] [color|colour] of {word}[.|?|]",
    "{word}: [color?|which color?|what colour?|colour?|what color is it?|its color?]",
)  # fmt: skip
AFTER = ("Which {kind} comes after {word}?", "What {kind} comes after {word}?", "What is the {kind} after {word}?",
         "Which {kind} follows {word}?", "What {kind} is after {word}?", "What {kind} follows {word}?",
    "[Tell me|Do you know|Can you tell me|Could you tell me|I want to know|I'd like to know|Please tell me|I wonder|Let me know|Say|I need to know|Remind me] [what|which] {kind} [comes after|follows|is after|is next after|comes right after] {word}[.|]",
    "[The|Name the|Tell me the|Give me the|Say the|Which is the|What's the] {kind} [after|following|right after|that follows|next to come after] {word}[.|?|]",
    "[After|Following|Right after|Once past|When it is past|Next after] {word} [comes|follows] [which|what] {kind}?",
    "[Today is|It is|We have|Now it is|Say it is|Suppose it is|This is] {word}. [What|Which] {kind} [comes next|is next|follows|comes after]?",
)  # fmt: skip
PLACES = tuple(words.CAPITALS)
HOME = {city: place for place, city in reversed(words.CAPITALS.items())}


def capital(d: Draw) -> Chat:
    """The most asked fact of all. Now and then two of one kind in a row, or the country for a capital."""
    place = d.any(PLACES)
    city = words.CAPITALS[place]
    if d.chance(0.12) and not d.held_out:
        return ask("country", d.phrase(COUNTRY, city=city), f"{city} is the capital of {HOME[city]}.")
    shown = place.removeprefix("the ") if d.chance(0.2) else place
    shown = shown.lower() if d.chance(0.06) else shown
    return ask("capital", d.phrase(CAPITAL, place=shown), stop(f"The capital of {place} is {city}."))


def stop(sentence: str) -> str:
    """One full stop at the end, not two ("Washington, D.C.")."""
    return sentence[:-1] if sentence.endswith("..") else sentence


def fact(d: Draw) -> Chat:
    """Opposites, animal sounds, colours, calendars, and the list of single facts."""
    return d.any((opposite, single, single, table))(d)


def opposite(d: Draw) -> Chat:
    pairs = tuple(words.OPPOSITES.items())
    left, right = d.any(pairs)
    if d.chance(0.4) and right not in words.OPPOSITES:
        left, right = right, left
    return ask("fact", d.phrase(OPPOSITE, word=left), f"The opposite of {left} is {right}.")


def single(d: Draw) -> Chat:
    question, _, answer = d.any(words.FACTS)
    return ask("fact-known", d.phrase((question,)), answer)


def table(d: Draw) -> Chat:
    kind = d.number(0, 2)
    if kind == 0:
        word, sound = d.any(tuple(words.SOUNDS.items()))
        return ask("fact", d.phrase(SOUND, word=word), f"A {word} says {sound}.".replace("A owl", "An owl"))
    if kind == 1:
        word, colour = d.any(tuple(words.COLOURS_OF.items()))
        return ask("fact", d.phrase(COLOUR, word=word), f"{word[0].upper() + word[1:]} is {colour}.")
    name, ring = d.any((("day", words.DAYS), ("month", words.MONTHS)))
    at = d.number(0, len(ring) - 1)
    return ask("fact", d.phrase(AFTER, kind=name, word=ring[at - 1]), f"{ring[at]} comes after {ring[at - 1]}.")
