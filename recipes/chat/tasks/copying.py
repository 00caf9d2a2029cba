"""Copying and look-up without meaning: the circuits on which passages, JSON and tools rest. Also echo and upper case."""

from __future__ import annotations

from recipes.chat import words
from recipes.chat.draw import Draw
from recipes.chat.turns import Chat, ask, compact

ECHO = (
    "Repeat: {text}", "Say {text}", "Echo {text}", 'Repeat the word "{text}".', 'Say "{text}".', "Please repeat: {text}",
    "Repeat after me: {text}", "Write {text}", "echo: {text}", "Copy this: {text}", "Repeat this exactly: {text}",
    "Type {text}", 'Print "{text}".', "Reply with {text}", 'Reply with exactly "{text}"', "Answer with the word {text}",
    "Respond with: {text}", "Just say {text}", "Say this back to me: {text}", "Output: {text}", "Can you say {text}",
    "Say the following: {text}", 'Return "{text}".', "Reply with only this: {text}", "Say only {text}",
    "[Please |Could you |Can you |Would you |Now |Hey, |Hi! |I want you to |I need you to |Kindly |Go on and |][repeat|say|write|type|print|output|echo|copy|return|send back|spell out|state][:| the text| this| the words| exactly|] {text}",
    "[Repeat|Say|Write|Type|Print|Output|Echo|Copy|Return|Give back|Send back][ the following| this text| this sentence| this phrase| my words| the line| these words| what I write| what follows][:|,] {text}",
    'Your [reply|answer|response|output|message|whole answer|only answer] [must be|should be|is|shall be|has to be|will be] [exactly |only |just |]["{text}"|{text}|: {text}|<{text}>][.|]',
    "[Answer|Reply|Respond] [only |exactly |just |]with[:| the words| the text| the phrase| this line| this|] {text}",
    "[I say|I write|I type|The words are|The text is|My text is|Here is a line|Input]: {text}[. Say it back.| - repeat it.|\nRepeat.|\nCopy it.|. Now you.| - your turn to say it|\nEcho it back.]",
    "[Please |Could you |Can you |Would you |Now |I want you to |I need you to |Kindly |Just |Quickly |][parrot|mirror|reproduce|duplicate|recite|transcribe|quote|read out|pass on|retype|reprint|give me] [the following|this|these words|my text|what I wrote|the line|the phrase|exactly][:|,|:\n] {text}",
    "[I want to see|I want to read|I would like to hear|Let me see|Let me hear|All I want to read is|Nothing but|I expect] [exactly |only |the text |the words |just |]{text}[.|, nothing else.| please.|]",
    'Your [next message|text|words|reaction|next reply|line|full reply|only words] [must be|should be|is|shall be|has to be|will be|should read|must read] [exactly |only |just |nothing but |][{text}|"{text}"|<{text}>|: {text}|({text})][.|]',
    '[Answer|Reply|Respond|React|Speak|Come back] [with nothing but|with no more than|using only|by writing|by saying|simply with|with these words:|with the following:] [{text}|"{text}"][.|]',
    '["{text}"|{text}|<{text}>] [- say that.|- repeat this.|is what you should say.|is what I want to hear.|- now write it.|is the text to repeat.|must be your answer.|, say it.]',
)  # fmt: skip
UPPER = (
    "Write {text} in upper case.", "Upper case: {text}", "Make this upper case: {text}", 'Write "{text}" in capitals.',
    "Put {text} in capital letters.", "Uppercase {text}", "Convert {text} to upper case.", "{text} in capital letters, please",
    "Write {text} in capital letters.", "Turn {text} into upper case.", "Capitalize every letter of {text}.",
    'Convert to uppercase: "{text}"', "Say {text} in upper case.",
    "[Please |Could you |Can you |Would you |Now |Hey, |Hi! |I want you to |I need you to |Kindly |Go on and |][write|put|turn|convert|change|print|make|set|type|transform] {text} [in|into|to] [upper case|capitals|capital letters|uppercase|all caps|block letters|big letters][.|]",
    "{text} [in upper case|in capitals|in all caps|in capital letters|as uppercase|to upper case|in big letters][.| please|?|]",
    "[Upper case|Uppercase|Capitals|All caps|Capital letters|In caps|To upper]: {text}",
    "[What is|What's|How do I write|How do you write|Show me|Give me|Say|I need] [the word |]{text} in [upper case|capitals|capital letters|all caps|uppercase][.|?|]",
    "[Please |Could you |Can you |Would you |Now |I want you to |I need you to |Kindly |Just |Quickly |][capitalize|uppercase|shout|raise|yell] [all letters of |every letter in |the text |the words |all of |each letter of ]{text}[.|]",
    "[In|Using|With] [capitals|upper case|capital letters|all caps|big letters|only capitals]: {text}",
    "{text} [but in capitals|but in upper case|with capital letters|written big|all in caps|as capitals|in block capitals][.|, please.|]",
    "[I want|I need|Give me|Show me|Let me see|Return|Produce] [the upper case of|the uppercase form of|the capitals of|the big letters of|an all caps version of] {text}[.|]",
)  # fmt: skip
LOWER = ("Write {text} in lower case.", "Lower case: {text}", "Make this lower case: {text}", "Lowercase {text}",
         "Convert {text} to lower case.", "Put {text} in lower case letters.", "Turn {text} into lower case.",
    "[Please |Could you |Can you |Would you |Now |Hey, |Hi! |I want you to |I need you to |Kindly |Go on and |][write|put|turn|convert|change|make|type] {text} [in|into|to] [lower case|lowercase|small letters|little letters][.|]",
    "[Lower case|Lowercase|Small letters|No capitals|To lower]: {text}",
)  # fmt: skip
SPELL = ("Spell {text}.", "How do you spell {text}?", "Spell the word {text}.", 'Spell "{text}".', "Spell it: {text}",
         "What are the letters of {text}?")  # fmt: skip
FIRST = ("What is the {which} word of: {text}", 'Give the {which} word of "{text}".', "{which} word of this: {text}",
         "Tell me the {which} word: {text}", "Which word is the {which} here: {text}")  # fmt: skip
WHAT_IS = ("What is the {key}?", "{key}?", "Give me the {key}.", "the {key}?", "Which {key} is it?", "Tell me the {key}.",
           "What's the {key}?",
    "[Tell me|Do you know|Can you tell me|Could you tell me|I want to know|I'd like to know|Please tell me|I wonder|Let me know|Say|I need to know|Remind me] [the|what is the|which is the] {key}[.|]",
    "[What|Which value] [is given for|stands for|is listed for|belongs to|does it say for|goes with|is next to|is stored under] {key}?",
    "[Find|Look up|Read|Give|Show|Return|Get|Fetch] [the |the value of |the entry for |]{key}[.|]",
    "[Value of|Entry for|The value for|And the|And|What about|How about] {key}?",
    "[What|Which value|What entry|Which entry|What thing] [do we have for|did I give for|was stored for|is written next to|stands next to|is set for|is noted for|is recorded for] {key}?",
    "[Please |Could you |Can you |Would you |Now |I want you to |I need you to |Kindly |Just |Quickly |][tell me|read out|give me|look for|print|report|name|say] [the value of|the entry of|what is stored for|what is given for|what stands for|the] {key}[.|?|]",
)  # fmt: skip
ROWS = ("Here is a list.\n{rows}\n", "{rows}\n", "Data:\n{rows}\n\n", "Look at this:\n{rows}\n", "Record: {rows}\n",
        "Table:\n{rows}\n")  # fmt: skip


def word(d: Draw) -> str:
    """A made-up word mostly, else one of the banks; sometimes capitalised."""
    if d.chance(0.6):
        text = d.nonce()
        return text.capitalize() if d.chance(0.3) else text
    kind = d.any(("noun", "adjective", "name", "city", "thing", "food", "color"))
    return d.of(words.NAMES) if kind == "name" else d.term(kind)


def some_words(d: Draw, most: int) -> str:
    return " ".join(word(d) for _ in range(d.number(1, most)))


def value(d: Draw) -> str:
    """Anything that stands in a record: words, a number, a date, a code, an address, a price."""
    kind = d.number(0, 11)
    if kind < 6:
        return some_words(d, 2)
    if kind < 8:
        return str(d.number(0, 10 ** d.number(1, 6)))
    return (
        f"20{d.number(10, 39)}-{d.number(1, 12):02d}-{d.number(1, 28):02d}",
        f"{d.nonce(1).upper()}-{d.number(10, 9999)}",
        f"{d.nonce(1)}@{d.nonce(2)}.{d.any(('com', 'org', 'net'))}",
        f"{d.number(1, 999)}.{d.number(10, 99)}",
    )[kind - 8]


def echo(d: Draw) -> Chat:
    text = some_words(d, 3)
    if d.chance(0.08):
        text = value(d)
    return ask("echo", d.phrase(ECHO, text=text), text)


def case(d: Draw) -> Chat:
    """Upper and lower case and spelling: all three teach which letters a piece is made of."""
    text, kind = some_words(d, 2 if d.chance(0.3) else 1), d.number(0, 9)
    if kind < 6:
        return ask("upper", d.phrase(UPPER, text=text), text.upper())
    if kind < 8:
        return ask("lower", d.phrase(LOWER, text=text.upper()), text.lower())
    single = text.split(" ")[0].lower()
    return ask("spell", d.phrase(SPELL, text=single), " ".join(single))


def letters(d: Draw) -> Chat:
    """Many words to upper case in one row (or back, or spelled): which letters a piece is made of."""
    text, kind = " ".join(word(d) for _ in range(d.number(6, 16))), d.number(0, 5)
    if kind < 4:
        return ask("uppers", d.phrase(UPPER, text=text), text.upper())
    if kind == 4:
        return ask("lowers", d.phrase(LOWER, text=text.upper()), text.lower())
    return Chat(
        "spells",
        [
            turn
            for one in text.lower().split(" ")
            for turn in (("user", d.phrase(SPELL, text=one)), ("assistant", " ".join(one)))
        ],
    )


def which_word(d: Draw) -> Chat:
    text = " ".join(word(d) for _ in range(d.number(2, 7)))
    which = d.any(("first", "last"))
    return ask("which", d.phrase(FIRST, which=which, text=text), text.split(" ")[0 if which == "first" else -1])


def parrot(d: Draw) -> Chat:
    """Several lines said back word for word: the plainest exercise of an induction head."""
    lines = [some_words(d, 6) for _ in range(d.number(1, 4))]
    text = d.any((" ", "\n", ", ", ". ")).join(lines)
    return ask("parrot", d.phrase(ECHO, text=text), text)


def record(d: Draw, rows: int) -> list[tuple[str, str]]:
    keys: dict[str, str] = {}
    while len(keys) < rows:
        keys[word(d).lower()] = value(d)
    return list(keys.items())


def lookup(d: Draw) -> Chat:
    """Rows of key and value in one of many dresses, then questions by key: associative recall."""
    rows = record(d, d.number(2, 7))
    dress = d.any(("{0}: {1}", "{0} = {1}", "{0} is {1}.", "{0} - {1}", "The {0} is {1}.", '"{0}": "{1}"', "{0}\t{1}"))
    shown = d.any(("\n", "\n", "; ", ", ", " ")).join(dress.format(*row) for row in rows)
    asked = d.random.sample(rows, min(len(rows), d.number(1, 3)))
    turns: list[tuple[str, str]] = []
    for at, (key, found) in enumerate(asked):
        before = d.way(ROWS).format(rows=shown) if at == 0 else ""
        turns += [("user", before + d.phrase(WHAT_IS, key=key)), ("assistant", found)]
    return Chat("lookup", turns)


def to_json(d: Draw) -> Chat:
    """Rows of key and value, written as one JSON object."""
    rows = record(d, d.number(1, 5))
    dress = d.any(("{0}: {1}", "{0} = {1}", "{0} is {1}.", "The {0} is {1}.", "{0} - {1}"))
    shown = d.any(("\n", "; ", ", ", " ")).join(dress.format(*row) for row in rows)
    asked = d.phrase(("As JSON: {text}", "Write this as JSON: {text}", "Turn it into JSON:\n{text}", "JSON of {text}",
                      "{text}\n\nReturn this as a JSON object.", "Convert to JSON:\n{text}", "{text}\nAs JSON, please."),
                     text=shown)  # fmt: skip
    return ask("rows-json", asked, compact({key: as_value(found) for key, found in rows}))


def as_value(text: str) -> str | int:
    """A whole number becomes a number, anything else stays text."""
    return int(text) if text.isdecimal() and (text == "0" or text[0] != "0") else text
