"""Sentences about anything with a question each: the answer is the span that the question asks for.

The relation may be any noun ("The harvest of Sooria is 12 tons."), so what is learned is to find the sentence that a
question is about and what in it is asked for, not a list of relations. Must not know how passages are dressed.
"""

from __future__ import annotations

from recipes.chat.draw import Draw
from recipes.chat.tasks import worlds

# (told, asked, answer): {n} the subject, {r} a noun, {v} a value, {k} a number, {c} a place, {y} a year, {p} a person, {o} a thing,
# {t} a time, {d} a day, {a} an adjective. Choices in brackets as in every template.
PAIRS = (
    ("The {r} of {n} [is|was|remains|has always been] {v}.", "[What is|What was|Tell me|Name|Give me|What's|Do you know|State|Find|Say|I need|Tell us|Which is|Please name|Can you name] the {r} of {n}?", "{v}"),
    ("{n} has {k} {r}s.", "[How many|What number of|What count of|How large a number of|Tell me how many|Say how many|How big a number of] {r}s does {n} [have|own|count|hold]?", "{k}"),
    ("There are {k} {r}s in {n}.", "How many {r}s are [there |]in {n}?", "{k}"),
    ("{n} has a {a} {r}.", "[What kind of|Which kind of|What sort of] {r} does {n} have?", "{a}"),
    ("{n} was [built|finished|opened|founded] in {y}.", "[When|In which year|In what year|What year|Since when|At what time|Tell me when|In which of the years] was {n} [built|finished|opened|founded]?", "{y}"),
    ("{n} was [built|designed|made|planned] by {p}.", "[Who|Which person|What person|Tell me who|Which of the people|Say who|Who is it that] [built|designed|made|planned] {n}?", "{p}"),
    ("{p} [built|designed|made|planned] {n}.", "[Who|Which person|What person|Tell me who|Which of the people|Say who|Who is it that|Whose work is it: who] [built|designed|made|planned] {n}?", "{p}"),
    ("{n} is {k} meters tall.", "[How tall is {n}|What is the height of {n}|How high is {n}|How tall, in meters, is {n}|How many meters tall is {n}|How many meters high is {n}|How far up does {n} go|What height does {n} have|What is said of the height of {n}]?", "{k} meters"),
    ("{n} is {k} kilometers long.", "[How long is {n}|What is the length of {n}|What length does {n} have|How many kilometers is {n}|How many kilometers long is {n}|How far does {n} reach|What is told of the length of {n}|Over how many kilometers does {n} go]?", "{k} kilometers"),
    ("{n} is [located |found |]in {c}.", "[Where is {n} located|Where is {n}|In which place is {n}|Where do I find {n}|Where can one see {n}|In which town is {n}|What is the place of {n}|Where could I see {n}|Where would you find {n}|To which place must I go to see {n}|What place has {n}]?", "{c}"),
    ("You [can find|will see|find|can visit] {n} in {c}.", "[Where is {n}|Where do I find {n}|Where can I visit {n}|In which place is {n}|Where can I find {n}|Where can one see {n}|In which town can I see {n}|Where must I go for {n}|Where is {n} to be found|What place has {n}]?", "{c}"),
    ("{n} was [invented|discovered|found|described] by {p}[ in {y}|].", "[Who|Which person|What person|Tell me who|Which of the people|Say who|Who is it that] [invented|discovered|found|described] {n}?", "{p}"),
    ("{n} was [invented|discovered|found|described] in {y}.", "[When|In which year|What year|In what year|Tell me when|At what time|In which of the years] was {n} [invented|discovered|found|described]?", "{y}"),
    ("{n} opens at {t}.", "[When|At what time|What time|From when on|At which hour|At what hour|Tell me when|How late] does {n} open?", "{t}"),
    ("{n} closes at {t}.", "[When|At what time|What time|From when on|At which hour|At what hour|Tell me when|How late] does {n} close?", "{t}"),
    ("{n} opens at {t} and closes at {x}.", "[When|At what time|What time|From when on|At which hour|At what hour|Tell me when|How late] does {n} close?", "{x}"),
    ("{n} opens at {t} and closes at {x}.", "[When|At what time|What time|From when on|At which hour|At what hour|Tell me when|How late] does {n} open?", "{t}"),
    ("{n} is made of {o}.", "[What is {n} made of|Of what is {n} made|What material is {n} made of|Which material is used for {n}|From what is {n} made|What do they make {n} from|Of which material is {n}|What stuff is {n} of|What was used to make {n}|What is the material of {n}|What is {n} built from]?", "{o}"),
    ("{n} belongs to {p}.", "[Who owns {n}|To whom does {n} belong|Who is the owner of {n}|Whose is {n}|Who has {n}|To which person does {n} belong|Whose property is {n}|Who possesses {n}|Who holds {n}|Who can call {n} theirs|Which person owns {n}]?", "{p}"),
    ("{p} [owns|bought|sold|repaired] {n}.", "Who [owns|bought|sold|repaired] {n}?", "{p}"),
    ("{n} was [written|painted|composed|drawn] by {p}.", "Who [wrote|painted|composed|drew|is the author of|created|made|is the creator of|did|is the maker of|is behind] {n}?", "{p}"),
    ("{n} was born in {c}[ in {y}|].", "[Where was {n} born|In which place was {n} born|What is the birthplace of {n}|Where does {n} come from|In what town was {n} born|Which place is the birthplace of {n}|Where did {n} come into the world|From where is {n}|Which town does {n} come from|Where did the life of {n} begin]?", "{c}"),
    ("{n} was born in {y}[ in {c}|].", "[When was {n} born|In which year was {n} born|What year was {n} born|What is the birth year of {n}|In what year was {n} born|Which year was {n} born|Since when does {n} live|When did {n} come into the world|What is the year of birth of {n}|When did the life of {n} begin]?", "{y}"),
    ("{n} died in {y}.", "[When did {n} die|In which year did {n} die|What year did {n} die|When was the death of {n}|In what year did {n} pass away|What is the year of death of {n}|When did the life of {n} end|Until when did {n} live]?", "{y}"),
    ("{n} won the {r} in {y}.", "[When|In which year|What year|In what year|Tell me when|At what time|In which of the years] did {n} win the {r}?", "{y}"),
    ("{n} won the {r} in {y}.", "[What|Which prize|What prize] did {n} win[ in {y}|]?", "the {r}"),
    ("{n} costs {k} dollars.", "[How much does {n} cost|What is the price of {n}|What does {n} cost|How much is {n}|How expensive is {n}|What do I pay for {n}|For how much is {n} sold|What must one pay for {n}|What is the cost of {n}|How much money is {n}|What price does {n} have]?", "{k} dollars"),
    ("{n} [supports|offers|needs|holds] {k} {r}s.", "How many {r}s does {n} [support|offer|need|hold]?", "{k}"),
    ("{n} takes {k} minutes.", "[How long does {n} take|How many minutes does {n} take|What time does {n} need|How long will {n} take|How many minutes does {n} need|How much time does {n} take|How much time is needed for {n}|What is the length of {n}|How many minutes is {n}|For how long does {n} go on]?", "{k} minutes"),
    ("Refunds for {n} are accepted within {k} days.", "[Within how many days are refunds for {n} accepted|How long can I return {n}|How many days do I have to return {n}|For how many days can I return {n}|Until when are refunds for {n} accepted|How long are refunds for {n} accepted|What is the time for refunds for {n}|In how many days must I return {n}|How many days are there for refunds for {n}]?", "{k} days"),
    ("You can reset {n} in the {r} menu.", "[How can I reset {n}|Where can I reset {n}|Where do I reset {n}|In which menu can I reset {n}|Where is {n} reset|How is {n} reset|What is the place to reset {n}|Where must I go to reset {n}|In what menu is {n} reset|How do I reset {n}]?", "in the {r} menu"),
    ("To start {n}, press the {a} button.", "[How do I start {n}|Which button starts {n}|What starts {n}|What must I press to start {n}|How is {n} started|What do I press to start {n}|What button must I press for {n}|With which button is {n} started|How does one start {n}|By what is {n} started]?", "the {a} button"),
    ("{n} needs {o}.", "[What does {n} need|What is needed by {n}|What must {n} have|What is it that {n} needs|What do we have to give {n}|What does {n} require|What is required by {n}|Without what is {n} not complete]?", "{o}"),
    ("{n} eats {o}.", "[What does {n} eat|What is the food of {n}|What is eaten by {n}|What does {n} feed on|On what does {n} live|What is it that {n} eats|What is the meal of {n}|What must I feed {n}|What food does {n} eat]?", "{o}"),
    ("{n} lives in the {r}.", "[Where does {n} live|Where is {n} living|In which place does {n} live|Where is the home of {n}|What is the home of {n}|In what place is {n} at home|Where can {n} be found|Where does {n} have its home|Where would I find {n}]?", "in the {r}"),
    ("{n} weighs {k} tons.", "[How much does {n} weigh|What is the weight of {n}|How heavy is {n}|What does {n} weigh|How many tons does {n} weigh|How many tons is {n}|What weight does {n} have|What is told of the weight of {n}|How much weight does {n} have]?", "{k} tons"),
    ("{n} is the [largest|oldest|best|tallest] {r} of {c}.", "[What|Which] is the [largest|oldest|best|tallest] {r} of {c}?", "{n}"),
    ("{n} was the first {r} of {c}.", "[Who|What] was the first {r} of {c}?", "{n}"),
    ("{n} uses {o} for the {r}.", "What does {n} use for the {r}?", "{o}"),
    ("{n} speaks {k} languages.", "[How many languages does {n} speak|How many languages are spoken by {n}|What number of languages does {n} speak|In how many languages can {n} speak|How many languages does {n} know|How many languages has {n} learned]?", "{k}"),
    ("{n} met {p} in {c}.", "[Where did {n} meet {p}|In which place did {n} meet {p}|In what town did {n} meet {p}|At which place did {n} meet {p}|Where was it that {n} met {p}|Where did {n} and {p} meet|Which place saw {n} meet {p}]?", "{c}"),
    ("{n} met {p} in {c}.", "[Whom|Who|Which person|What person|Tell me whom|And whom|With whom, I ask,|Say whom] did {n} meet[ in {c}|]?", "{p}"),
    ("{p} gave {n} a {o}.", "[What did {p} give {n}|What did {n} get from {p}|What was it that {p} gave {n}|What did {n} receive from {p}|What was given to {n} by {p}|What has {n} got from {p}|What was the gift of {p}]?", "a {o}"),
    ("{p} gave {n} a {o}.", "Who gave {n} a {o}?", "{p}"),
    ("{n} starts on {d}.", "[When does {n} start|On which day does {n} start|When does {n} begin|What day does {n} start|On what day does {n} begin|When is the start of {n}|What is the first day of {n}|On which day is the start of {n}|From which day on is {n}|What day is the start of {n}]?", "{d}"),
    ("{n} ends on {d}.", "[When does {n} end|On which day does {n} end|What day does {n} end|When is the end of {n}|On what day is {n} over|When is {n} over|What is the last day of {n}|On which day is the end of {n}|Until which day does {n} go on|When does {n} come to its end]?", "{d}"),
    ("The best time for {n} is {d}.", "[What is|When is] the best time for {n}?", "{d}"),
    ("{n} is [also |]known as {v}.", "[What is {n} known as|What is {n} called|What is another name of {n}|How else is {n} called|By what name is {n} known|What do people call {n}|Under which name is {n} known|What other name does {n} have|What is {n} also known as|As what do people know {n}]?", "{v}"),
    ("The {r} of {n} works as a {j}.", "What [is the job of the {r} of {n}|does the {r} of {n} do|does the {r} of {n} work as|work does the {r} of {n} do|is the work of the {r} of {n}|job does the {r} of {n} have|is the profession of the {r} of {n}|does the {r} of {n} do for a living]?", "{j}"),
    ("{n} is [ruled|led|run|directed] by {p}.", "[Who|Which person|What person|Tell me who|Which of the people|Say who|Who is it that] [rules|leads|runs|directs] {n}?", "{p}"),
    ("In {y}, {n} moved to {c}.", "[Where did {n} move|Where did {n} go in {y}|To which place did {n} move|To what town did {n} move|Where did {n} move to|What place did {n} move to in {y}|Where is it that {n} moved|Which town did {n} go to]?", "{c}"),
    ("In {y}, {n} moved to {c}.", "[When|In which year|What year|In what year|Tell me when|At what time|In which of the years] did {n} move[ to {c}|]?", "{y}"),
    ("{n} plays the {o}.", "[What does {n} play|Which instrument does {n} play|What is played by {n}|What instrument does {n} play|What is it that {n} plays|On what does {n} play|What can {n} play|Which instrument is played by {n}]?", "the {o}"),
    ("{n} can carry {k} {r}s.", "[How many {r}s can {n} carry|What number of {r}s can {n} carry|What count of {r}s can {n} carry|Up to how many {r}s can {n} carry|How many {r}s does {n} carry|How many {r}s fit on {n}|For how many {r}s is there room on {n}]?", "{k}"),
    ("The {r} of {n} [comes|was brought|arrived] from {c}.", "[Where does the {r} of {n} come from|From where is the {r} of {n}|From which place is the {r} of {n}|What is the origin of the {r} of {n}|Where is the {r} of {n} from|Which town does the {r} of {n} come from]?", "{c}"),
    ("{n} [stands|lies|sits] [behind|beside|above|below] the {r}.", "[Where does {n} stand|Where is {n}|Where can {n} be found|What is the place of {n}|Where do I find {n}|Next to what is {n}]?", "the {r}"),
    ("{n} [holds|keeps|hides|contains] a {a} {r}.", "[What does {n} hold|What is in {n}|What can be found in {n}|What does {n} contain|What is kept in {n}|What is there in {n}]?", "a {a} {r}"),
    ("{p} is the {r} of {n}.", "[Who is the {r} of {n}|Which person is the {r} of {n}|What is the name of the {r} of {n}|Name the {r} of {n}|Tell me the {r} of {n}|Whom does {n} have as {r}]?", "{p}"),
    ("{n} [became|was made] the {r} of {c} in {y}.", "[When did {n} become the {r} of {c}|In which year did {n} become the {r} of {c}|Since when is {n} the {r} of {c}|What year made {n} the {r} of {c}|In what year was {n} made the {r} of {c}|From when on was {n} the {r} of {c}]?", "{y}"),
    ("{n} [likes|loves|collects|prefers] {o}.", "[What does {n} like|What is it that {n} likes|What does {n} love|What does {n} collect|What is dear to {n}|What does {n} prefer]?", "{o}"),
    ("{n} was {w} by {p}.", "[Who {w} {n}|By whom was {n} {w}|Which person {w} {n}|Who was it that {w} {n}|Tell me who {w} {n}|Say who {w} {n}]?", "{p}"),
    ("{p} {w} {n}.", "[Who {w} {n}|By whom was {n} {w}|Which person {w} {n}|Who was it that {w} {n}|Tell me who {w} {n}|Say who {w} {n}]?", "{p}"),
    ("{n} {w} the {a} {r}.", "[Which one {w} the {r}|Who {w} the {r}|By whom was the {r} {w}|Which of them {w} the {r}|Who was it that {w} the {r}|Tell me who {w} the {r}]?", "{n}"),
    ("{n} has the {r} {v}.", "[What is the {r} of {n}|Which {r} does {n} have|What {r} does {n} have|Name the {r} of {n}|Tell me the {r} of {n}|What {r} is there for {n}]?", "{v}"),
    ("At {t}, {n} left for {c}.", "[When did {n} leave|At what time did {n} leave|What time did {n} go|At which hour did {n} leave|When did {n} leave for {c}|How late was it when {n} left]?", "{t}"),
    ("At {t}, {n} left for {c}.", "[Where did {n} go|For which place did {n} leave|To where did {n} leave|What place did {n} leave for|Where did {n} leave for|Which town did {n} go to]?", "{c}"),
    ("{n} lost {k} {r}s in {y}.", "[How many {r}s did {n} lose|What number of {r}s did {n} lose|How many {r}s were lost by {n}|Say how many {r}s {n} lost|How many {r}s did {n} lose in {y}|What count of {r}s did {n} lose]?", "{k}"),
    ("{n} is written in {v}.", "[In what is {n} written|What is {n} written in|Which language is {n} in|In which language is {n} written|What language was used for {n}|In what language was {n} written]?", "{v}"),
)  # fmt: skip


def subject(d: Draw) -> str:
    """What a sentence is about: a name, or a noun with an article."""
    kind = d.number(0, 4)
    if kind == 0:
        return worlds.person_name(d)
    if kind == 1:
        return d.nonce().capitalize() + (f" {d.term('noun').capitalize()}" if d.chance(0.5) else "")
    if kind == 2:
        return f"the {d.term('adjective')} {d.term('noun')}"
    return f"the {d.term('noun') if kind == 3 else d.nonce()}"


def value(d: Draw) -> str:
    kind = d.number(0, 4)
    if kind == 0:
        return str(d.number(1, 9999))
    if kind == 1:
        return d.nonce().capitalize() if d.chance(0.5) else d.nonce()
    if kind == 2:
        return f"{d.number(2, 400)} {d.term('noun')}s"
    return " ".join(d.terms("adjective", 1) + d.terms("noun", 1)) if kind == 3 else d.term("city")


def row(d: Draw) -> tuple[str, str, str, str]:
    """Sentence, question, the subject's name, and the span that answers."""
    told, asked, span = d.way(PAIRS)
    name = subject(d)
    slots = {
        "n": name, "r": d.term("noun"), "v": value(d), "k": d.number(2, 2000), "c": worlds.value_of(d, "city"), "y": d.number(1600, 2030),
        "p": worlds.person_name(d), "o": d.term(d.any(("thing", "food"))), "t": worlds.value_of(d, "time"), "x": worlds.value_of(d, "time"),
        "d": worlds.value_of(d, "day"), "a": d.term("adjective"), "w": d.term("verb"), "j": d.term("job"),
    }  # fmt: skip
    sentence = d.chosen(told)[0].format(**slots)
    return sentence[0].upper() + sentence[1:], d.phrase((asked,), **slots), name, span.format(**slots)
