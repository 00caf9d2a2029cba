"""Small invented worlds: things with attributes, told in sentences. Passages and extraction both draw from here.

This file owns attributes, how they are told, asked and answered. It must not know prompts or JSON.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from recipes.chat import words
from recipes.chat.draw import Draw
from recipes.chat.lexicon import LEXICON


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
    "[For|About|Regarding|Concerning|With|As to|On] {n}: [what is|which is|what's|tell me|give me|name|find|state] the {a}[?|, please?|]",
    "[What|Which] {a} [belongs to|goes with|is that of|is given to|is listed for|is noted for|is written for] {n}?",
    "[The|Which is the|And the|Now the|Just the|Only the|So the] {a} of {n}[?|, please?| is?| is what?]",
)  # fmt: skip
TOLD = (
    "[The|As for the|We know the] {a} of {n}[ is|: it is| - that is] {v}.", "{n}'s {a} is {v}.", "{n}: {a} {v}.", "{n} ({a}: {v}).",
    "[Everyone knows|It is said|They say|We read|Records show|Note] that the {a} of {n} is {v}.",
    "[The text gives|You should know that|It is a fact that|I can tell you that|People say that|Remember that|One reads that] the {a} of {n} is {v}.",
    "{n} has the {a} {v}.", "It seems that {v} is the {a} of {n}.", "As {a}, {n} has {v}.", "The {a} of {n}, as it is, is {v}.",
)  # fmt: skip
CLAIMED = (
    "[Is|Was] the {a} of {n} {v}?", "[Is|Was] {v} the {a} of {n}?", "[Is|Would you say] {n}'s {a} {v}?",
    "[Is|Does the text give|Do we read|Do they say|Is it|Does it say] {v} [as|for] the {a} of {n}?",
    "[Is it true that|Does the text say that|Do you agree that|Is it right that|Is it so that|Can we say that|Do we read that] the {a} of {n} is {v}?",
    "{n}: [is|was] the {a} {v}?", "{v} [is|was] the {a} of {n}, [right|yes|correct|true|is it not|no]?",
)  # fmt: skip
PERSON = (
    Attribute("city", "city|home town|place of residence|home", ("{n} lives in {v}.", "{n} is from {v}.", "{n} has a house in {v}.", "The home of {n} is in {v}.",
                       "{n} moved to {v} last year.", "{n} settled in {v}.", "{n} has lived in {v} for years.", "You can visit {n} in {v}.", "{v} is where {n} lives."),
              ("Where does {n} live?", "In which city does {n} live?", "Which city does {n} live in?", "What city is {n} in?",
               "What is the home town of {n}?", "[Where is {n} from|Where is {n} at home|Where is the home of {n}|What place does {n} live in|In what town does {n} live|Where has {n} settled|From which town is {n}|Where can I visit {n}]?"), "{n} lives in {v}."),
    Attribute("job", "job|profession|occupation|trade|work", ("{n} works as a {v}.", "{n} is a {v}.", "{n} has been a {v} for years.", "The job of {n} is {v}.",
                      "{n} found work as a {v}.", "{n} earns money as a {v}.", "By trade, {n} is a {v}.", "{n} trained to be a {v}.", "As a {v}, {n} is busy all day."),
              ("What is the job of {n}?", "What does {n} do for a living?", "What does {n} work as?", "Which job does {n} have?",
               "What is {n}'s profession?", "[What is the work of {n}|What work does {n} do|How does {n} earn money|What is {n} by trade|As what does {n} work|What kind of work does {n} do|What did {n} train to be|What is {n}]?"), "{n} is a {v}."),
    Attribute("age", "age", ("{n} is {v} years old.", "{n} turned {v} this year.", "The age of {n} is {v}.", "{n} is aged {v}.", "{n}, {v} years old, is here.", "At {v}, {n} is still young at heart.", "{n} is {v}.", "{n} had birthday number {v}."),
              ("How old is {n}?", "What is the age of {n}?", "What is {n}'s age?", "Which age is {n}?", "[How many years old is {n}|How many years has {n} lived|What age does {n} have|What age is {n}|At what age is {n} now|Tell me how old {n} is|Say the age of {n}|How old has {n} become]?"), "{n} is {v} years old."),
    Attribute("pet", "pet|animal", ("{n} has a {v}.", "{n} owns a {v}.", "{n} keeps a {v} at home.", "The pet of {n} is a {v}.", "{n} looks after a {v}.", "At home, {n} feeds a {v}.", "{n} shares the house with a {v}.", "{n} plays with a {v}."),
              ("What pet does {n} have?", "Which animal does {n} own?", "What animal does {n} keep?", "What is {n}'s pet?", "[What animal has {n}|Which pet has {n}|What kind of pet does {n} have|What does {n} keep at home|What animal does {n} look after|Which pet does {n} own|What animal lives with {n}|What animal does {n} feed]?"),
              "{n} has a {v}."),
    Attribute("hobby", "hobby|pastime|favorite activity|interest", ("{n} likes {v}.", "{n} enjoys {v}.", "The hobby of {n} is {v}.", "In the evening {n} goes {v}.",
                        "{n} loves {v} most of all.", "{n} spends weekends with {v}.", "{n} is good at {v}.", "Nothing beats {v} for {n}.", "{n} is a fan of {v}."),
              ("What does {n} like?", "What is the hobby of {n}?", "What does {n} enjoy?", "Which hobby does {n} have?",
               "What is {n}'s hobby?", "[What does {n} love|What is {n} good at|What does {n} do for fun|What does {n} do at weekends|What is {n} a fan of|What is the pastime of {n}|Which pastime does {n} have|How does {n} spend free time]?"), "{n} likes {v}."),
    Attribute("food", "favorite food|meal|dish|food", ("{n} eats {v} every day.", "The favorite food of {n} is {v}.", "{n} often cooks {v}.",
                       "For lunch {n} had {v}.", "{n} ordered {v}.", "{n} never says no to {v}.", "On Sundays {n} makes {v}.", "{n} is hungry for {v}."),
              ("What does {n} eat?", "What is the favorite food of {n}?", "Which food does {n} eat?", "What did {n} cook?", "[What does {n} cook|What did {n} have for lunch|What food does {n} like|What did {n} order|What is {n} hungry for|Which dish does {n} like|What does {n} like to eat|What was on the plate of {n}]?"),
              "{n} eats {v}."),
    Attribute("color", "favorite color|color|preferred color|colour", ("The favorite color of {n} is {v}.", "{n} always wears {v}.", "{n} chose the color {v}.",
                        "{n} painted the door {v}.", "{n} loves the color {v}.", "They say {v} is the color of {n}.", "{n} has a {v} coat.", "For the wall {n} took {v}."),
              ("What is the favorite color of {n}?", "Which color does {n} wear?", "What color does {n} like?",
               "What is {n}'s color?", "[Which color does {n} like|What color does {n} wear|What color did {n} choose|Which color did {n} take|What is the color of {n}|Which color is loved by {n}|What color does {n} love|In which color is {n} dressed]?"), "The color of {n} is {v}."),
    Attribute("thing", "thing|object|item|possession", ("{n} bought a {v}.", "{n} found a {v} on the street.", "{n} sold a {v}.", "{n} carries a {v}.", "{n} lost a {v}.", "{n} needs a {v}.", "{n} repaired a {v}.", "In the bag of {n} is a {v}."),
              ("What did {n} buy?", "What did {n} find?", "What did {n} sell?", "What does {n} carry?", "[Which thing did {n} buy|What does {n} have|What did {n} get|Which thing does {n} carry|What thing did {n} find|What is it that {n} has|What object does {n} have|What item is with {n}]?"), "It was a {v}."),
)  # fmt: skip
COMPANY = (
    Attribute("city", "location|seat|home city|headquarters|office", ("{n} is based in {v}.", "{n} has its office in {v}.", "The headquarters of {n} are in {v}.",
                       "{n} is a company from {v}.", "{n} works out of {v}.", "You find {n} in {v}.", "{v} is the home of {n}.", "{n} moved its office to {v}."),
              ("Where is {n} based?", "In which city is {n}?", "Where are the headquarters of {n}?", "Where is {n}?", "[What is the home of {n}|From which town is {n}|Where does {n} have its office|Where is the office of {n}|Where do I find {n}|Where does {n} work|In what city is {n} based|What is the seat of {n}]?"),
              "{n} is based in {v}."),
    Attribute("founded", "founding year|year of foundation|start year|first year", ("{n} was founded in {v}.", "{n} started in {v}.", "Since {v}, {n} has been in business.",
                          "The year {v} saw the start of {n}.", "{n} was set up in {v}.", "{n} opened its doors in {v}.", "{n} goes back to {v}.", "In {v}, {n} began."),
              ("When was {n} founded?", "When did {n} start?", "In which year was {n} founded?", "What year was {n} founded?", "[Since when does {n} exist|When did {n} begin|When was {n} set up|When was {n} opened|In what year did {n} start|How far back does {n} go|Which year saw the start of {n}|What year did {n} begin]?"),
              "{n} was founded in {v}."),
    Attribute("product", "product|main product|best known product|goods", ("{n} makes {v}s.", "{n} sells {v}s.", "The main product of {n} is the {v}.",
                          "{n} is known for its {v}s.", "{n} builds {v}s.", "Buy your {v}s from {n}.", "{n} ships {v}s all over the world.", "{n} exports {v}s."),
              ("What does {n} make?", "What does {n} sell?", "What is the main product of {n}?", "What is {n} known for?", "[What does {n} build|What can I buy from {n}|What does {n} ship|What does {n} export|Which product does {n} make|What goods come from {n}|What is made by {n}|What is sold by {n}]?"),
              "{n} makes {v}s."),
    Attribute("boss", "boss|head|leader|director|chief", ("{n} is led by {v}.", "The head of {n} is {v}.", "{v} runs {n}.", "{v} is the director of {n}.", "{n} listens to its chief, {v}.", "{v} is in charge of {n}.", "{v} took over {n}.", "At {n}, {v} decides."),
              ("Who leads {n}?", "Who runs {n}?", "Who is the head of {n}?", "Who is the director of {n}?", "[Who is in charge of {n}|Who is the boss of {n}|Who decides at {n}|By whom is {n} led|Who took over {n}|Who is the chief of {n}|Which person leads {n}|Who manages {n}]?"), "{v} leads {n}."),
    Attribute("employees", "number of employees|staff size|head count|number of workers", ("{n} has {v} employees.", "{v} people work at {n}.", "{n} employs {v} people.",
                            "There are {v} workers at {n}.", "{n} pays {v} people.", "{n} has a staff of {v}.", "The staff of {n} counts {v}.", "{v} workers are with {n}."),
              ("How many employees does {n} have?", "How many people work at {n}?", "How many people does {n} employ?",
               "How big is the staff of {n}?", "[How many workers does {n} have|How many workers are at {n}|What number of people work at {n}|How large is the staff of {n}|How many people are with {n}|How many does {n} employ|What is the head count of {n}|How many people does {n} pay]?"), "{n} has {v} employees."),
)  # fmt: skip
PLACE = (
    Attribute("population", "population|number of people|number of inhabitants|size", ("{n} has {v} inhabitants.", "{v} people live in {n}.", "The population of {n} is {v}.",
                             "{n} is home to {v} people.", "{v} people call {n} home.", "{n} counts {v} people.", "In {n} there are {v} inhabitants.", "{n} has grown to {v} people."),
              ("How many people live in {n}?", "What is the population of {n}?", "How many inhabitants does {n} have?",
               "How big is {n}?", "[How many people call {n} home|How many people are in {n}|What number of people live in {n}|How many inhabitants are in {n}|How large is {n}|How many live in {n}|What size is {n}|How many people does {n} have]?"), "{n} has {v} inhabitants."),
    Attribute("river", "river", ("{n} lies on the river {v}.", "The river {v} flows through {n}.", "The {v} is the river of {n}.",
                        "Boats reach {n} on the river {v}.", "{n} was built on the {v}.", "The bridge of {n} crosses the {v}.", "At {n} flows the {v}.", "{n} gets its water from the {v}."),
              ("Which river flows through {n}?", "On which river is {n}?", "What is the river of {n}?",
               "What river is {n} on?", "[What is the name of the river of {n}|Which river is {n} on|What river flows through {n}|Which river passes {n}|On what river does {n} lie|Which river crosses {n}|What river is at {n}|What river do I find at {n}]?"), "{n} lies on the river {v}."),
    Attribute("known", "attraction|main attraction|famous thing|claim to fame", ("{n} is famous for its {v}.", "{n} is known for its {v}.", "Visitors come to {n} for its {v}.",
                        "People love {n} for its {v}.", "{n} is proud of its {v}.", "See the {v} of {n}.", "{n} has the best {v}.", "Tourists in {n} want to see its {v}."),
              ("What is {n} famous for?", "What is {n} known for?", "Why do visitors come to {n}?", "What do people love {n} for?", "[What should I see in {n}|What is {n} proud of|What do visitors see in {n}|For what is {n} famous|For what is {n} known|What makes {n} famous|What do tourists want to see in {n}|What is the best of {n}]?"),
              "{n} is known for its {v}."),
    Attribute("mayor", "mayor|head", ("The mayor of {n} is {v}.", "{v} is the mayor of {n}.", "{n} elected {v} as mayor.",
                        "{v} became mayor of {n}.", "{n} is governed by {v}.", "{v} governs {n}.", "People in {n} voted for {v}.", "The town hall of {n} belongs to {v}."),
              ("Who is the mayor of {n}?", "Who became mayor of {n}?", "Who did {n} elect?", "What is the name of the mayor of {n}?", "[Who governs {n}|Who is mayor in {n}|Who was elected in {n}|Whom did {n} elect|By whom is {n} governed|Which person is the mayor of {n}|Who did people in {n} vote for|Who heads {n}]?"),
              "The mayor of {n} is {v}."),
)  # fmt: skip
ARTICLE = (
    Attribute("price", "price|cost|amount to pay", ("The {n} costs {v} dollars.", "The price of the {n} is {v} dollars.", "You pay {v} dollars for the {n}.",
                        "The {n} is sold for {v} dollars.", "Get the {n} for {v} dollars.", "For {v} dollars, the {n} is yours.", "We ask {v} dollars for the {n}.", "The {n} is {v} dollars."),
              ("How much does the {n} cost?", "What is the price of the {n}?", "How much is the {n}?", "What do I pay for the {n}?", "[What does the {n} cost|What is the cost of the {n}|How expensive is the {n}|For how much is the {n} sold|How many dollars is the {n}|What must I pay for the {n}|What do they ask for the {n}|How many dollars does the {n} cost]?"),
              "The {n} costs {v} dollars."),
    Attribute("color", "color|colour|paint", ("The {n} is {v}.", "The {n} comes in {v}.", "The color of the {n} is {v}.", "They sell the {n} in {v}.", "We have the {n} in {v}.", "The {n} was painted {v}.", "A {v} coat of paint covers the {n}.", "The {n} looks {v}."),
              ("What color is the {n}?", "What is the color of the {n}?", "Which color does the {n} have?", "In which color is the {n} sold?", "[Which color is the {n}|What color has the {n}|What color does the {n} have|In what color does the {n} come|How does the {n} look|What color was the {n} painted|Which color has the {n}|What paint covers the {n}]?"),
              "The {n} is {v}."),
    Attribute("weight", "weight|mass", ("The {n} weighs {v} kilograms.", "The weight of the {n} is {v} kilograms.", "With {v} kilograms, the {n} is not light.",
                         "The {n} has a weight of {v} kilograms.", "The {n} brings {v} kilograms to the scale.", "You carry {v} kilograms with the {n}.", "The {n} is {v} kilograms heavy.", "It takes strength: the {n} has {v} kilograms."),
              ("How heavy is the {n}?", "What is the weight of the {n}?", "How much does the {n} weigh?", "What does the {n} weigh?", "[How many kilograms does the {n} weigh|How many kilograms is the {n}|What weight has the {n}|What weight does the {n} have|How many kilograms has the {n}|What is the mass of the {n}|Which weight does the {n} have|How many kilograms do I carry with the {n}]?"),
              "The {n} weighs {v} kilograms."),
    Attribute("day", "delivery day|arrival|delivery date|day of arrival", ("The {n} arrives on {v}.", "The {n} will be delivered on {v}.", "On {v} the {n} is delivered.",
                      "Expect the {n} on {v}.", "We ship the {n} on {v}.", "The {n} comes on {v}.", "You get the {n} on {v}.", "So {v} is the day for the {n}."),
              ("When does the {n} arrive?", "When is the {n} delivered?", "On which day does the {n} come?", "What day does the {n} arrive?", "[What day does the {n} come|When do I get the {n}|When will the {n} be delivered|When will the {n} arrive|When does the {n} come|On what day is the {n} delivered|Which day does the {n} arrive|When can I expect the {n}]?"),
              "The {n} arrives on {v}."),
    Attribute("warranty", "warranty|guarantee|warranty period|length of the warranty", ("The {n} has a warranty of {v} months.", "The warranty of the {n} lasts {v} months.",
                           "You can return the {n} within {v} months.", "The {n} is covered for {v} months.", "For {v} months the {n} is under warranty.", "We repair the {n} free for {v} months.", "The {n} comes with {v} months of warranty.", "The guarantee of the {n} runs {v} months."),
              ("How long is the warranty of the {n}?", "How long does the warranty of the {n} last?", "How many months is the {n} covered?",
               "How long can I return the {n}?", "[How many months of warranty does the {n} have|How long is the {n} covered|What is the warranty of the {n}|For how long is the {n} under warranty|How long does the guarantee of the {n} run|How many months of guarantee has the {n}|For how many months is the {n} covered|What warranty does the {n} have]?"), "The {n} has {v} months of warranty."),
)  # fmt: skip
MEETING = (
    Attribute("day", "day|date", ("The {n} is on {v}.", "The {n} takes place on {v}.", "On {v} there is the {n}.", "They moved the {n} to {v}.", "The {n} was set for {v}.", "Join the {n} on {v}.", "Keep {v} free for the {n}.", "{v} is the day of the {n}."),
              ("When is the {n}?", "On which day is the {n}?", "What day is the {n}?", "When does the {n} take place?", "[What is the day of the {n}|On what day is the {n}|Which day is the {n}|For which day was the {n} set|When do we have the {n}|When can I join the {n}|What date is the {n}|On which day does the {n} take place]?"), "The {n} is on {v}."),
    Attribute("room", "room|place|location", ("The {n} is held in room {v}.", "The {n} is in room {v}.", "Room {v} is reserved for the {n}.", "Come to room {v} for the {n}.", "We meet for the {n} in room {v}.", "The {n} was moved to room {v}.", "Room {v} hosts people for the {n}.", "Look for the {n} in room {v}."),
              ("Where is the {n}?", "In which room is the {n}?", "Which room is the {n} in?", "What room is reserved for the {n}?", "[What room is the {n} in|In what room is the {n}|Where is the {n} held|Which room hosts the {n}|To which room must I go for the {n}|Where do we meet for the {n}|Which room is reserved for the {n}|Where does the {n} take place]?"),
              "The {n} is in room {v}."),
    Attribute("time", "time|start|hour|starting time", ("The {n} starts at {v}.", "The {n} begins at {v}.", "At {v} the {n} starts.", "Be there at {v} for the {n}.", "The {n} opens at {v}.", "Doors open at {v} for the {n}.", "The {n} is planned for {v}.", "We start the {n} at {v}."),
              ("At what time does the {n} start?", "When does the {n} begin?", "What time is the {n}?", "What time does the {n} start?", "[When does the {n} start|At what time is the {n}|What is the time of the {n}|When is the start of the {n}|At which hour does the {n} start|How late does the {n} begin|When must I be there for the {n}|At what time does the {n} begin]?"),
              "The {n} starts at {v}."),
    Attribute("host", "host|organizer|person in charge|leader", ("{v} hosts the {n}.", "The {n} is organized by {v}.", "{v} invited everyone to the {n}.", "The host of the {n} is {v}.", "{v} planned the {n}.", "{v} leads the {n}.", "{v} is in charge of the {n}.", "The {n} was the idea of {v}."),
              ("Who hosts the {n}?", "Who organizes the {n}?", "Who invited people to the {n}?", "Who is the host of the {n}?", "[Who leads the {n}|Who is in charge of the {n}|Who planned the {n}|By whom is the {n} organized|Which person hosts the {n}|Who holds the {n}|Who is the organizer of the {n}|Whose idea was the {n}]?"), "{v} hosts the {n}."),
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
        return f"{d.term('adjective')} {d.term('thing')}" if d.chance(0.6) else f"{d.nonce()} {d.term('thing')}"
    if kind == "meeting":
        return d.of(EVENTS) if d.chance(0.5) else f"{d.term('noun')} {d.of(EVENTS)}"
    name = d.nonce().capitalize()
    if kind == "company" and d.chance(0.4):
        name += d.any((" Ltd", " Inc", " Systems", " Foods", " Labs", " & Sons"))
    return name


def value_of(d: Draw, key: str) -> str:
    """A value for an attribute, from this side of the wall."""
    kind = "thing" if key == "product" else key
    if kind in LEXICON and kind != "city":
        return d.term(kind)
    if key == "known":
        return d.of(FLAVOUR) if d.held_out or d.chance(0.4) else f"{d.term('adjective')} {d.term('noun')}s"
    if key == "city":
        return d.term("city") if d.chance(0.6) else d.nonce().capitalize()
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
        f"The {d.term('adjective')} {d.term('noun')} was near the {d.term('noun')}.",
        f"It was a {d.term('adjective')} day.", f"People talk about the {d.term('noun')}.",
        f"Nobody saw the {d.term('adjective')} {d.term('noun')}.",
        f"Many {d.term('noun')}s are {d.term('adjective')}.", "That was a long time ago.", "This is well known.", "Nobody knows why.", "More will be told later.",
        f"A {d.term('noun')} can be {d.term('adjective')} and {d.term('adjective')}.",
    ))  # fmt: skip
