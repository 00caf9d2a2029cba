"""Extraction of JSON from a text, by key names or by a schema. Compact JSON, null for what is not told."""

from __future__ import annotations

import json

from recipes.chat.draw import Draw
from recipes.chat.tasks import worlds
from recipes.chat.turns import Chat, compact

BY_KEYS = (
    "Extract {keys} as JSON: {t}", "{t}\n\nReturn a JSON object with the keys {keys}.", "Text: {t}\nExtract {keys} as JSON.",
    "Extract the {keys} from this text as JSON.\n\n{t}", "Give me JSON with {keys}.\n{t}", "{t}\nJSON with {keys}, please.",
    "From the text below, extract {keys}. Answer in JSON only.\n\n{t}", "Read the text and fill in {keys} as JSON. {t}",
    "Return JSON with the fields {keys} for: {t}", "Parse into JSON ({keys}): {t}", "Fields: {keys}\nText: {t}\nJSON:",
    "Extract the following fields from the text and return them as JSON: {keys}\n\n{t}", "Turn this into JSON with {keys}: {t}",
    "JSON keys: {keys}. Text: {t}", "Find {keys} in the text. Reply with JSON.\n{t}",
    "[Please |Could you |Can you |Would you |Now |Hey, |Hi! |I want you to |I need you to |Kindly |Go on and |][extract|get|find|pull|collect|read|take|parse|gather] [the |the fields |the values of |]{keys} [from|out of|in] [this|the|the following] [text|sentence|note|message|paragraph|description|passage][ as JSON| into JSON| and return JSON|, as a JSON object| in JSON format| and answer in JSON][:|.\n|\n\n|.] {t}",
    "[Text|Input|Note|Message|Source|Document|Email|Content]: {t}\n[Keys|Fields|Wanted|Extract|JSON keys|Attributes|Output keys|Return]: {keys}[\nJSON:|\nOutput JSON.|\nAnswer in JSON.|\nReply with JSON only.|\nFormat: JSON|]",
    "{t}\n\n[Give me|Return|Write|Output|Produce|Make|Show|I need] [a JSON object with|JSON with|JSON containing|a JSON record of|as JSON] [the keys |the fields |]{keys}[.|]",
    "[JSON|As JSON|In JSON|JSON object|JSON please|JSON only]: {keys}[\n|.\n| - from this text: | of: | in: ]{t}",
    "[Please |Could you |Can you |Would you |Now |I want you to |I need you to |Kindly |Just |Quickly |][write|put|turn|convert|make|format|transform|bring|organize] [this|the text|the following|this text|this note] [into|as|to] [JSON|a JSON object|a JSON record|structured JSON] with [the keys |the fields |keys |fields |]{keys}[:|.\n|\n\n|:\n] {t}",
    "[I need|I want|Give me|Return|Send|Show] {keys} [from this|out of this|from the text below|from the following|of this] [text|note|sentence|message][, as JSON| as JSON| in JSON| in a JSON object][:|.\n|\n|:\n] {t}",
    "{t}\n[Extract|Get|Find|Pull|Take|List|Collect] {keys}[ as JSON.| in JSON.|. JSON only.|, JSON please.| as a JSON object.|. Use JSON.|. Reply in JSON.]",
    "[Keys|Fields|Columns|Attributes|Properties|Slots|Names][ wanted| needed|]: {keys}\n[Text|Input|Source|From|Data|Note|Message]: {t}\n[JSON|Output|Result|Answer|Object|JSON object]:",
    "[What are|Which are|Tell me|What is given for] {keys} [here|in this text|in the text]? [Answer in JSON.|Use JSON.|JSON only.|As JSON.|Reply with a JSON object.|Put it in JSON.][\n| ]{t}",
    "[JSON|A JSON object|One JSON object|A record|JSON data] [of|with|holding|containing|for] {keys} [from|out of|taken from|based on] [this|the text|the note][:|:\n|.\n] {t}",
)  # fmt: skip
BY_SCHEMA = (
    "Extract JSON by this schema: {s}\n\n{t}", "{t}\n\nReturn JSON that fits this schema:\n{s}", "Schema: {s}\nText: {t}",
    "Answer with JSON that matches {s}.\n{t}", "Fill this schema from the text.\n{s}\n\n{t}", "{s}\n{t}",
    "Here is a JSON schema:\n{s}\nExtract it from: {t}",
    "[Fill|Use|Follow|Apply|Complete|Match] [this|the] [schema|JSON schema|structure|format|shape][:|\n] {s}\n[Text|Input|Source|Note|Data]: {t}",
    "{t}\n[Schema|JSON schema|Format|Structure|Output schema]: {s}[\nJSON:|\nAnswer:|\nOutput:|]",
    "[Extract|Produce|Return|Write|Generate|Output|Give me|Build] [JSON|a JSON object|an object|a record|data] [by|for|from|following|using|with|under|that matches|that fits] [this schema|the schema|the schema below|the JSON schema]:[\n| ]{s}[\n|\n\n][{t}|Text: {t}|Input: {t}|From: {t}|Here is the text: {t}]",
    "[The text|Text|Input|Message|Here is a text|This is the text|Note]: {t}[\n|\n\n][The schema|Schema|JSON schema|Use this schema|Expected form|Wanted form|Target schema]: {s}",
    "{s}[\n|\n\n][Fill this|Use this schema|This is the schema|That is the form|Follow this] [for|with|from] [this text|the text|the following]: {t}",
    "[Read|Take|Parse|Analyze|Process|Use] [the text|this text|this|the note] [and fill|and complete|to fill|and return|into] {s}[\n|\n\n|: ]{t}",
)  # fmt: skip
SYSTEMS = ("You extract data and answer in JSON.", "Reply with JSON only.", "You are an information extraction tool.",
           "Always answer with a JSON object.", "Output valid JSON and nothing else.")  # fmt: skip
NAME_OF = {"person": ("name", "name", "person", "full_name", "who", "person_name"), "company": ("name", "company", "company_name"),
           "place": ("name", "place", "town", "place_name"), "article": ("item", "product_name", "name"), "meeting": ("event", "title", "name")}  # fmt: skip
ALSO = {"city": ("city", "location", "town"), "job": ("job", "profession", "occupation"), "food": ("food", "favorite_food"),
        "color": ("color", "colour"), "thing": ("item", "thing", "object"), "founded": ("founded", "year", "founding_year"),
        "boss": ("boss", "director", "ceo"), "employees": ("employees", "staff", "employee_count"), "day": ("day", "date"),
        "known": ("known_for", "famous_for"), "warranty": ("warranty", "warranty_months"), "host": ("host", "organizer"),
        "weight": ("weight", "weight_kg"), "price": ("price", "cost"), "age": ("age", "age_years"),
        "pet": ("pet", "animal", "pet_type"), "hobby": ("hobby", "interest", "pastime"), "population": ("population", "inhabitants"),
        "river": ("river", "river_name"), "mayor": ("mayor", "mayor_name"), "time": ("time", "start_time", "begins_at"), "room": ("room", "room_number"),
        "product": ("product", "main_product", "sells")}  # fmt: skip


def listed(d: Draw, keys: list[str]) -> str:
    quoted = [f'"{key}"' for key in keys] if d.chance(0.3) else keys
    if len(quoted) == 1:
        return quoted[0]
    return d.any((", ".join(quoted), ", ".join(quoted[:-1]) + " and " + quoted[-1]))


def schema(d: Draw, fields: dict[str, object]) -> str:
    """A JSON schema in one of the ways in which people write it down."""
    properties = {key: {"type": "integer" if isinstance(found, int) else "string"} for key, found in fields.items()}
    whole: dict[str, object] = {"type": "object", "properties": properties}
    if d.chance(0.6):
        whole["required"] = list(fields)
    if d.chance(0.2):
        whole["additionalProperties"] = False
    kind = d.number(0, 3)
    if kind == 0:
        return json.dumps({key: found["type"] for key, found in properties.items()})
    return json.dumps(whole) if kind < 3 else json.dumps(whole, indent=2)


def fields(d: Draw) -> Chat:
    """One thing (and others beside it) told in sentences; some of its attributes wanted, now and then one not told."""
    one = worlds.thing(d, d.any(tuple(worlds.KINDS)), d.any((2, 3, 4)))
    told = [worlds.tell(d, attribute, one.name, value) for attribute, value in one.has.items()]
    wanted: dict[str, object] = {}
    if d.chance(0.85):
        wanted[d.any(NAME_OF[one.kind])] = one.name
    rows = list(one.has.items())
    d.random.shuffle(rows)
    for attribute, value in rows[: d.number(1, len(rows))]:
        key = d.any(ALSO.get(attribute.key, (attribute.key,))) if d.chance(0.5) else attribute.key
        wanted.setdefault(key, int(value) if attribute.key in worlds.NUMERIC else value)
    if d.chance(0.06):
        unseen = [other for other in worlds.KINDS[one.kind] if other not in one.has]
        if unseen:
            wanted.setdefault(d.any(unseen).key, None)
    text = " ".join(told + ([worlds.filler(d)] if d.chance(0.3) else []))
    if d.chance(0.25) and None not in wanted.values():
        question = d.phrase(BY_SCHEMA, s=schema(d, wanted), t=text)
    else:
        question = d.phrase(BY_KEYS, keys=listed(d, list(wanted)), t=text)
    system = d.way(SYSTEMS) if d.chance(0.2) else ""
    return Chat("extract", [("user", question), ("assistant", compact(wanted))], system=system)
