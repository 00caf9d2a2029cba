"""JSON, tools and their results, written by hand. Rows as in `plain.py`. Must not know the generator."""

from __future__ import annotations

from typing import Any


def tool(name: str, about: str, **parameters: str) -> dict[str, Any]:
    properties = {key: {"type": kind} for key, kind in parameters.items()}
    return {
        "name": name,
        "description": about,
        "parameters": {"type": "object", "properties": properties, "required": list(properties)},
    }


WEATHER = tool("get_weather", "Get the current weather in a given location", city="string")
TOP_SONG = tool("top_song", "Get the most popular song played on a radio station.", sign="string")
CONVERT = tool("convert_temperature", "Convert a temperature", value="number", unit="string")
HOTEL = tool("book_hotel", "Book a hotel room in a city", city="string", nights="integer")
ORDER = tool("get_order_status", "Look up where an order is", order_id="string")
MAIL = tool("send_email", "Send an e-mail to somebody", to="string", subject="string")
STOCK = tool("stock_price", "Current price of a share", ticker="string")
TIMER = tool("set_timer", "Start a kitchen timer", minutes="integer")
WORD = tool("define_word", "Look a word up in the dictionary", word="string")
TRIP = (WEATHER, HOTEL, STOCK)
OFFICE = (ORDER, MAIL, TIMER)
HOME = (TOP_SONG, WORD, WEATHER)

CALLS: tuple[tuple[tuple[dict[str, Any], ...], str, str, dict[str, object]], ...] = (
    (TRIP, "What's the weather in Paris?", "get_weather", {"city": "Paris"}),
    (TRIP, "Do I need a coat in Oslo today?", "get_weather", {"city": "Oslo"}),
    (TRIP, "Tell me how warm it is in Lisbon.", "get_weather", {"city": "Lisbon"}),
    (TRIP, "Please book a hotel in Rome for 3 nights", "book_hotel", {"city": "Rome", "nights": 3}),
    (TRIP, "I need a room in Zurich, 5 nights", "book_hotel", {"city": "Zurich", "nights": 5}),
    (TRIP, "What does a share of AMZN cost?", "stock_price", {"ticker": "AMZN"}),
    (TRIP, "price of MSFT please", "stock_price", {"ticker": "MSFT"}),
    (OFFICE, "Where is my order 88213?", "get_order_status", {"order_id": "88213"}),
    (OFFICE, "has order A-1044 been shipped yet", "get_order_status", {"order_id": "A-1044"}),
    (OFFICE, "Can you check on order 5517?", "get_order_status", {"order_id": "5517"}),
    (OFFICE, "Send an email to ana@corp.example about lunch", "send_email", {"to": "ana@corp.example", "subject": "lunch"}),
    (OFFICE, "Write a mail to bob@site.example with the subject invoice", "send_email", {"to": "bob@site.example", "subject": "invoice"}),
    (OFFICE, "Set a timer for 12 minutes", "set_timer", {"minutes": 12}),
    (OFFICE, "timer 7 minutes please", "set_timer", {"minutes": 7}),
    (HOME, "What is the most popular song on WZPZ?", "top_song", {"sign": "WZPZ"}),
    (HOME, "Which tune is number one at KQRL?", "top_song", {"sign": "KQRL"}),
    (HOME, "What is the number 1 hit on station WABC", "top_song", {"sign": "WABC"}),
    (HOME, "What does the word ephemeral mean? Look it up.", "define_word", {"word": "ephemeral"}),
    (HOME, "Define the word quixotic", "define_word", {"word": "quixotic"}),
    (HOME, "What is the weather like in San Francisco today?", "get_weather", {"city": "San Francisco"}),
    ((CONVERT, WEATHER), "Convert 30 celsius please", "convert_temperature", {"value": 30, "unit": "celsius"}),
)  # fmt: skip
# Tool, arguments of the call that was made, question, result, words of the answer.
RESULTS: tuple[tuple[dict[str, Any], dict[str, object], str, object, str], ...] = (
    (WEATHER, {"city": "Paris"}, "What's the weather in Paris?", {"temperature": 18, "condition": "sunny"}, "18|sunny"),
    (WEATHER, {"city": "Oslo"}, "How is the weather in Oslo?", {"temperature": -4, "sky": "snow"}, "4|snow"),
    (WEATHER, {"city": "Cairo"}, "Weather in Cairo?", {"temp_c": 37}, "37"),
    (WEATHER, {"city": "Lima"}, "Is it raining in Lima?", "light rain", "rain"),
    (WEATHER, {"city": "Bern"}, "Weather in Bern", {"error": "city not found"}, "not found"),
    (TOP_SONG, {"sign": "WZPZ"}, "What is the most popular song on WZPZ?", {"song": "Elemental Hotel", "artist": "8 Storey Hike"}, "Elemental Hotel|8 Storey Hike"),
    (TOP_SONG, {"sign": "KQRL"}, "Top song on KQRL?", {"title": "Blue Rain"}, "Blue Rain"),
    (HOTEL, {"city": "Rome", "nights": 3}, "Book a hotel in Rome for 3 nights", {"hotel": "Aurora", "price": 240}, "Aurora|240"),
    (HOTEL, {"city": "Nice", "nights": 1}, "I need a room in Nice for 1 night", {"confirmation": "HX-771"}, "HX-771"),
    (ORDER, {"order_id": "88213"}, "Where is order 88213?", {"status": "in transit", "day": "Friday"}, "in transit|Friday"),
    (ORDER, {"order_id": "5517"}, "Status of order 5517?", {"status": "cancelled"}, "cancelled"),
    (ORDER, {"order_id": "9"}, "Where is order 9?", {"error": "timeout"}, "timeout"),
    (MAIL, {"to": "ana@corp.example", "subject": "lunch"}, "Email ana@corp.example about lunch", {"status": "sent"}, "sent"),
    (MAIL, {"to": "bo@x.example", "subject": "tea"}, "Mail bo@x.example, subject tea", {"id": 551}, "551"),
    (STOCK, {"ticker": "AMZN"}, "Price of AMZN?", {"price": 187.25, "currency": "USD"}, "187.25|USD"),
    (STOCK, {"ticker": "MSFT"}, "How much is MSFT?", {"price": 402.1}, "402.1"),
    (TIMER, {"minutes": 7}, "Timer 7 minutes", {"status": "started"}, "started"),
    (WORD, {"word": "ephemeral"}, "Define ephemeral", {"definition": "lasting a short time"}, "lasting a short time"),
    (WORD, {"word": "quixotic"}, "Define quixotic", "full of dreams", "full of dreams"),
    (CONVERT, {"value": 30, "unit": "celsius"}, "Convert 30 celsius", {"result": 86, "unit": "fahrenheit"}, "86|fahrenheit"),
)  # fmt: skip
# Text with its order, and the object that a right answer is.
JSON: tuple[tuple[str, dict[str, object]], ...] = (
    ("Extract name and age as JSON: Maria is 31 years old and lives in Porto.", {"name": "Maria", "age": 31}),
    ("Extract the city as JSON. Peter moved to Oslo last year.", {"city": "Oslo"}),
    ("Return JSON with keys name and job. Text: Hana Ito works as a dentist in Kobe.", {"name": "Hana Ito", "job": "dentist"}),
    ('Dr. Bell is a surgeon.\n\nFill in {"name": "string", "job": "string"}', {"name": "Dr. Bell", "job": "surgeon"}),
    ("The blue lamp costs 40 dollars. JSON with item, color, price.", {"item": "lamp", "color": "blue", "price": 40}),
    ("Parse into JSON (company, founded): Nordlys was founded in 1998.", {"company": "Nordlys", "founded": 1998}),
    ("Nordlys is based in Bergen and has 350 employees.\nGive me JSON with name, city and employees.", {"name": "Nordlys", "city": "Bergen", "employees": 350}),
    ("From this note, extract day and time as JSON: The meeting is on Tuesday at 14:30.", {"day": "Tuesday", "time": "14:30"}),
    ("JSON keys: room, host. Text: The workshop is in room 204. Amir hosts it.", {"room": 204, "host": "Amir"}),
    ("Please turn this into JSON with the fields name, pet: Olga has a parrot.", {"name": "Olga", "pet": "parrot"}),
    ('{"type": "object", "properties": {"name": {"type": "string"}, "age": {"type": "integer"}}}\nLuis turned 58 yesterday.', {"name": "Luis", "age": 58}),
    ("Text: Gravel Foods sells carpets.\nFields: company, product\nJSON:", {"company": "Gravel Foods", "product": "carpets"}),
    ("Which mayor and town does this name? Answer in JSON (mayor, town). The mayor of Elmsworth is Ida Crane.", {"mayor": "Ida Crane", "town": "Elmsworth"}),
    ('Extract "hobby" and "name" as JSON: On Sundays, Kemal goes fishing.', {"hobby": "fishing", "name": "Kemal"}),
    ("The kettle weighs 2 kilograms. Extract item and weight_kg as JSON.", {"item": "kettle", "weight_kg": 2}),
    ("I am Rosa, 44, and I live in Turin. JSON: name, age, city", {"name": "Rosa", "age": 44, "city": "Turin"}),
    ("Make a JSON object with river and city. Ferrun lies on the river Oda.", {"river": "Oda", "city": "Ferrun"}),
    ("Output JSON only, keys food and person: Samuel eats noodles every day.", {"food": "noodles", "person": "Samuel"}),
    ("Read the text and return the population as JSON: 8200 people live in Tarn.", {"population": 8200}),
    ("Order 5531 was sent to Helsinki. Give order and city as JSON.", {"order": 5531, "city": "Helsinki"}),
)  # fmt: skip
