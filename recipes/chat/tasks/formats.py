"""System prompts that fix the reply's form, over answers that the model knows. Must not know passages or tools."""

from __future__ import annotations

from collections.abc import Callable

from recipes.chat import words
from recipes.chat.draw import Draw
from recipes.chat.tasks import copying, facts, smalltalk
from recipes.chat.turns import Chat, compact

Form = Callable[[Draw, str, str], tuple[str, str]]

SHORT = ("Answer in one word.", "Reply with one word only.", "Answer with a single word.", "One word answers only.",
         "Give only the name.", "Keep it to one word.", "Answer with only the answer, no sentence.",
    "[Answer|Reply|Respond|Speak|Always answer|You answer|Write] [in|with|using] [one|a single|exactly one|just one|only one] word[ only|, nothing else|.|]",
    "[No|Never use|Do not write|Don't use|Avoid|Leave out] [sentences|full sentences|long answers|explanations|extra words][: one word.|, just the word.|. One word only.]",
    "[One|A single|Just one|Exactly one|Only one] word[ answers| replies| as answer| per answer|][ only|, please|, nothing more|][.|]",
    "[Be|Stay|Always be|Please be] [as short as you can|very short|extremely brief|brief][: |, ][one word|a single word|only one word|just the word|one word is enough][.|]",
)  # fmt: skip
LOUD = ("Answer in upper case.", "Reply in capital letters.", "Always write in upper case.", "Use only capital letters.",
        "WRITE IN UPPER CASE.", "Respond in all caps.", "Your answers are in upper case letters.",
    "[Answer|Reply|Respond|Speak|Write|Always answer|Always reply|You write|Please answer|Say everything] in [upper case|capitals|capital letters|all caps|uppercase|uppercase letters|big letters|block letters][ only|.| please|]",
    "[Only|Just|Always|Please|You must|You should] [use|write|speak in|answer in|reply with|type in|choose] [capitals|capital letters|upper case|big letters|uppercase letters|all caps][.|!|]",
    "[Every letter|All letters|Each letter|All text|Every word|All output] [must be|is|should be|has to be|will be] [upper case|capital|a capital|in capitals|uppercase][.|]",
)  # fmt: skip
QUIET = ("Answer in lower case.", "Reply in lower case letters only.", "Always write in lower case.", "Use no capital letters.",
         "Respond in lower case.", "write everything in lower case",
    "[Answer|Reply|Respond|Speak|Write|Always answer|Always reply|You write|Please answer|Say everything] in [lower case|lowercase|small letters|lowercase letters|little letters][ only|.| please|]",
    "[Only|Just|Always|Please|You must|You should] [use|write|speak in|answer in|reply with|type in|choose] [small letters|lower case|lowercase letters|lower case letters|lowercase][.|]",
    "[Every letter|All letters|Each letter|All text|Every word|All output] [must be|is|should be|has to be|will be] [lower case|small|in lower case|lowercase][.|]",
)  # fmt: skip
JSON = ('Answer as JSON with the key "{k}".', "Reply with a JSON object with one key, {k}.", 'Answer only with JSON: {{"{k}": ...}}',
        'Respond in JSON. Use the key "{k}".', "Your reply is JSON with the field {k}.", 'Return {{"{k}": "..."}}.',
        "Always answer in JSON with the key {k}.",
    "[Answer|Reply|Respond|Always answer|Write|Output|Give the answer|Return it] [as|in|with|only as|only in] JSON[,| and| -] [with the key|using the key|under the key|the key is|one key:|with a field called|the only field is] [\"{k}\"|{k}|`{k}`|'{k}'][.|]",
    '[Put|Write|Place|Give|Store|Return] [the answer|your answer|the reply|the result|it] [into|in|under|as] [the JSON key|the key|a JSON field|the field] ["{k}"|{k}|`{k}`|\'{k}\'][ of a JSON object| in JSON|, JSON only|, as JSON][.|]',
    '[Form|Format|Output|Shape|Style|Reply format]: {{"{k}": ["..."|...|"answer"|answer]}}',
    '[Your answers are|Each answer is|The reply is|You write|Send|Output] [a JSON object|JSON|one JSON object] [with|having|that has|holding] [the key|only the key|one key named|a key] ["{k}"|{k}|`{k}`][.|]',
)  # fmt: skip
LAST = ('End every reply with "{w}".', "Always end with the word {w}.", 'Finish each answer with "{w}".', "The last word of your reply is {w}.",
        "End your answers with {w}.", "Close every message with {w}.",
    "[End|Finish|Close|Conclude|Always end|Always finish|Please end] [every|each|your|all your] [reply|answer|message|response|replies|answers] with [the word |]['{w}'|{w}|\"{w}\"|`{w}`][.|]",
    '[Put|Add|Write|Say|Append|Place|Set] [the word |][\'{w}\'|{w}|"{w}"] [at the end of|to the end of|as the last word of|at the close of|behind] [every|each|your] [reply|answer|message|response][.|]',
    '[Every|Each|Your|Any] [reply|answer|message|response] [ends with|ends in|closes with|must end with|should end with|finishes with|stops with] [\'{w}\'|{w}|"{w}"][.|]',
)  # fmt: skip
FIRST = ('Start every reply with "{w}".', "Always begin with the word {w}.", 'Begin each answer with "{w}".', "Your reply starts with {w}.",
         "Start your answers with {w}.", "Open every message with {w}.",
    "[Start|Begin|Open|Always start|Always begin|Please start|Introduce] [every|each|your|all your] [reply|answer|message|response|replies|answers] with [the word |]['{w}'|{w}|\"{w}\"|`{w}`][.|]",
    '[Put|Add|Write|Say|Place|Set] [the word |][\'{w}\'|{w}|"{w}"] [at the start of|before|as the first word of|at the beginning of|in front of] [every|each|your] [reply|answer|message|response][.|]',
    '[Every|Each|Your|Any] [reply|answer|message|response] [starts with|begins with|opens with|must start with|should begin with|has to start with] [\'{w}\'|{w}|"{w}"][.|]',
)  # fmt: skip
TAGS = ("Put your answer in <{w}> tags.", "Wrap the answer in <{w}></{w}>.", "Answer inside <{w}> tags.", "Write the answer between <{w}> and </{w}>.",
        "Use <{w}> tags around the answer.", "Your reply goes in <{w}></{w}> tags.",
    "[Put|Wrap|Write|Enclose|Place|Give|Return|Surround] [your|the|each|every] [answer|reply|response|result|output] [in|inside|with|between|within] <{w}>[ tags|</{w}>| and </{w}>| XML tags][.|]",
    "[Your|The|Each|Every] [answer|reply|response|output|result] [must be|is|should be|has to be|goes|stands|belongs] [in|inside|between|within] <{w}>[ tags|</{w}>| and </{w}>][.|]",
    "[Use|Take|Employ|Add|Set] [the tags |the tag |XML tags |]<{w}>[ and </{w}>|</{w}>|] [around|for|about|to wrap|to enclose] [your|the|every|each] [answer|reply|response][.|]",
)  # fmt: skip
NAMED = ("Your name is {n}.", "You are {n}.", "You are called {n}.", "You are {n}, a helpful assistant.", "Act as {n}.",
         "You are an assistant named {n}.", "Call yourself {n}.",
    "[You are|Your name is|You are called|They call you|Your role is|You play|You act as|You go by the name|We call you] {n}[, a friendly bot|, the assistant of a shop|, an AI| and you help people|, who helps customers|, a guide|, a kind robot|][.|]",
    "[Answer|Reply|Speak|Act|Present yourself|Behave|Introduce yourself] as {n}[, a helper|, our assistant|, the guide|, a robot|, an expert| from our shop|][.|]",
    "[The name of this assistant is|This bot is called|The assistant is named|Users know you as|People call you|We named you|From now on you are|You have the name|You respond to the name] {n}[.|, and you help.|]",
    "{n} [is your name|is who you are|is what people call you|is the name you use|- that is you|is your role][.|]",
)  # fmt: skip


def knows(d: Draw) -> tuple[str, str, str]:
    """A question, its short answer and its full one."""
    if d.chance(0.5):
        place = d.any(facts.PLACES)
        city = words.CAPITALS[place]
        return d.phrase(facts.CAPITAL, place=place), city, facts.stop(f"The capital of {place} is {city}.")
    if d.chance(0.3):
        left, right = d.any(tuple(words.OPPOSITES.items()))
        return d.phrase(facts.OPPOSITE, word=left), right, f"The opposite of {left} is {right}."
    question, short, full = d.any(words.FACTS[:45])
    return d.phrase((question,)), short, full


def one_word(d: Draw, short: str, full: str) -> tuple[str, str]:
    return d.way(SHORT), short


def upper(d: Draw, short: str, full: str) -> tuple[str, str]:
    return d.way(LOUD), full.upper()


def lower(d: Draw, short: str, full: str) -> tuple[str, str]:
    return d.way(QUIET), full.lower()


def json_form(d: Draw, short: str, full: str) -> tuple[str, str]:
    key = d.any(("answer", "result", "city", "reply", d.nonce()))
    return d.way(JSON).format(k=key), compact({key: short})


def ending(d: Draw, short: str, full: str) -> tuple[str, str]:
    word = copying.word(d)
    return d.way(LAST).format(w=word), f"{full} {word}"


def beginning(d: Draw, short: str, full: str) -> tuple[str, str]:
    word = copying.word(d).capitalize()
    return d.way(FIRST).format(w=word), f"{word} {full}"


def tags(d: Draw, short: str, full: str) -> tuple[str, str]:
    word = d.any(("answer", "result", "reply", d.nonce()))
    return d.way(TAGS).format(w=word), f"<{word}>{full}</{word}>"


FORMS: tuple[Form, ...] = (one_word, upper, lower, json_form, ending, beginning, tags)


def formed(d: Draw) -> Chat:
    """One form for one to three questions; the rule stands in the system prompt, or before the question."""
    form = d.any(FORMS)
    turns: list[tuple[str, str]] = []
    rule, state = "", d.random.getstate()
    inline = d.chance(0.2)
    for at in range(1 if inline else d.any((1, 2, 3))):
        question, short, full = knows(d)
        if at == 0:
            state = d.random.getstate()
            rule, said = form(d, short, full)
        else:
            # The same draw again gives the same rule and word for another answer; then go on from a fresh place.
            onward = d.random.getstate()
            d.random.setstate(state)
            _, said = form(d, short, full)
            d.random.setstate(onward)
        asked = d.any((f"{rule} {question}", f"{question} {rule}", f"{question}\n{rule}")) if inline else question
        turns += [("user", asked), ("assistant", said)]
    if d.chance(0.25) and not inline:
        rule = f"You are {d.any(words.PERSONAS)}. {rule}" if d.chance(0.6) else f"{rule} {d.any(words.RULES)}"
    return Chat("format", turns, system="" if inline else rule)


def persona(d: Draw) -> Chat:
    """A name given by the system prompt is the name that the model tells."""
    name = d.of(words.NAMES) if d.chance(0.5) else d.nonce().capitalize()
    system = d.way(NAMED).format(n=name)
    if d.chance(0.4):
        system += f" {d.any(words.RULES)}"
    asks = (
        "Who are you?",
        "What is your name?",
        "What's your name?",
        "Introduce yourself.",
        "Tell me your name.",
        "Who am I talking to?",
    )
    asked = d.phrase(asks) if d.chance(0.4) else d.phrase(smalltalk.WHO)
    return Chat("persona", [("user", asked), ("assistant", f"I am {name}.")], system=system)


def bystander(d: Draw, chat: Chat) -> Chat:
    """A system prompt that changes nothing, set before a conversation that has none."""
    rules = " ".join(d.some(words.RULES, d.number(0, 3)))
    chat.system = d.any(
        (f"You are {d.any(words.PERSONAS)}. {rules}", rules, f"You are {d.any(words.PERSONAS)}.", rules)
    ).strip()
    return chat


def greeting(d: Draw) -> Chat:
    """Small talk under a rule of form: the rule wins over habit."""
    plain = smalltalk.talk(d)
    if d.chance(0.5):
        return Chat("format", [plain.turns[0], ("assistant", plain.answer.upper())], system=d.way(LOUD))
    rule, said = ending(d, "", plain.answer)
    return Chat("format", [plain.turns[0], ("assistant", said)], system=rule)
