"""The tools that the generator hands to the model: known ones with natural questions, and made-up ones.

This file owns definitions and how their arguments are asked for. It must not know conversations.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from recipes.chat import words
from recipes.chat.draw import Draw
from recipes.chat.tasks import worlds


@dataclass(frozen=True, slots=True)
class Tool:
    """A tool: `names` it may have, parameters as (names they may have, type, kind of value), and questions about it."""

    names: tuple[str, ...]
    about: tuple[str, ...]
    parameters: tuple[tuple[tuple[str, ...], str, str], ...]
    asked: tuple[str, ...]
    results: tuple[tuple[str, str], ...]


CITY = (("city", "location", "place", "city_name"), "string", "city")
TOOLS = (
    Tool(("get_weather", "weather", "current_weather", "get_current_weather", "getWeather"),
         ("Get the weather of a city.", "Get the current weather for a location.", "Current weather", "Returns the weather in a city.", "Weather service", "Tells the weather of a place.", "Look up temperature and sky for a city.", "Forecast for a city"),
         (CITY,),
         ("What's the weather in {0}?", "What is the weather like in {0}?", "How is the weather in {0}?", "Weather in {0}?",
          "Is it raining in {0}?", "Tell me the weather in {0}.", "Is it cold in {0} today?", "What's the weather like in {0} today?",
          "Do I need an umbrella in {0}?", "Will it be warm in {0}?", "weather {0}", "How warm is it in {0}?",
          "[Tell me|Check|Show me|I need|Look up|Get|Give me] the [weather|forecast|weather report|temperature|conditions] [in|for|of|at] {0}[ now| today| please|][.|?|]",
          "[How|What] [is it like outside|does the sky look|are the conditions] in {0}[ now| today|]?", "[Should I|Must I|Do I have to|Can I|Is it wise to|Will I need to] [take a coat|wear a hat|bring an umbrella|go out|stay inside|dress warm] in {0}[ today|]?", "[Does it rain|Is it sunny|Is it snowing|Is it windy|Is there fog|Is it hot|Does the sun shine] in {0}[ now| today|]?"),
         (("temperature", "int"), ("condition", "sky"), ("humidity", "int"), ("wind", "int"))),
    Tool(("top_song", "get_top_song", "most_popular_song"),
         ("Get the most popular song played on a radio station.", "Most popular song of a station", "Top of the charts of a station", "Hit list of a radio station"),
         ((("sign", "station", "call_sign"), "string", "station"),),
         ("What is the most popular song on {0}?", "Which song is on top at {0}?", "What's the top song on {0}?",
          "What is the number one song on {0}?", "Tell me the top song on {0}.", "Which song does {0} play most?",
          "[Which|What] [song|track|hit|tune] [leads|is number one|is played most|is the favorite|is most popular|tops the list] [on|at] [station |]{0}?",
          "[What|Which song] [is the hit|is first|comes first|is the best|is most loved|is most wanted] [on|at] {0}[ now| today|]?", "[Show me|Give me|Find|Get|I want|Look up] the [best|top|first|most popular|number one|most played] song [of|on|at|from] {0}[.|]"),
         (("song", "title"), ("artist", "person"))),
    Tool(("calculator", "calculate", "math", "evaluate"),
         ("Evaluate an arithmetic expression.", "A calculator", "Calculates the result of an expression.", "Do arithmetic.", "Works out sums.", "Math tool"),
         ((("expression", "formula", "input"), "string", "sum"),),
         ("What is {0}?", "Calculate {0}.", "How much is {0}?", "Compute {0}", "{0}", "What's the result of {0}?", "Work out {0}.",
          "[Calculate|Compute|Evaluate|Solve|Work out|Find|Give me][ the value of| the result of|] {0}[.| please|]",
          "[How much does|What does] {0} [make|give|come to|equal|amount to|result in]?", "{0} [= ?|is what?|gives?|equals?|makes?|- how much?]"),
         (("result", "int"),)),
    Tool(("search", "web_search", "search_web", "google_search", "search_documents"),
         ("Search the web.", "Search the internet for a query.", "Full text search", "Find documents.", "Query a search engine.", "Look something up.", "Find pages"),
         ((("query", "q", "search_query", "text"), "string", "topic"),),
         ("Search for {0}.", "Look up {0} on the web.", "Find information about {0}.", "Search the web for {0}.", "google {0}",
          "Please search {0}.", "Find documents about {0}.", "Can you look up {0}?",
          "[Search|Look|Google|Hunt|Check the web|Find pages|Browse] [for|about] {0}[.| online| please|]",
          "[What can you find|What is there|What do you find|Is there anything|Find me something|What is written] [about|on] {0}[?|]", "[I need|I want|Get me|Show me|Give me|Bring] [pages|articles|results|documents|news|information] [about|on] {0}[.|]"),
         (("title", "title"), ("count", "int"))),
    Tool(("get_stock_price", "stock_price", "get_price", "quote"),
         ("Get the price of a stock.", "Current stock price for a ticker symbol", "Get a stock quote.", "Look up a share price.", "Market price of a share"),
         ((("ticker", "symbol", "ticker_symbol", "stock"), "string", "ticker"),),
         ("What is the stock price of {0}?", "How much is {0} stock?", "Price of {0}?", "What's the price of {0} shares?",
          "Get the stock price for {0}.", "What does {0} trade at?", "How is {0} doing on the market?",
          "[What|How much] [is|are] [the quote for|the shares of|one share of|the share price of|the stock of|the market price of] {0}[ now| today| worth|]?",
          "[Show me|Check|Look up|Tell me|I need|Give me] the [stock|share|market|current|latest|stock market] price [of|for] {0}[.|]", "[How|Where] [is|stands|trades|goes] [the stock of |the share of |]{0}[ now| today|]?"),
         (("price", "decimal"), ("currency", "currency"))),
    Tool(("send_email", "email", "send_mail", "send_message"),
         ("Send an email.", "Sends a message to a recipient.", "Send mail", "Write a mail.", "Deliver a message to an address."),
         ((("to", "recipient", "address"), "string", "email"), (("subject", "title", "topic"), "string", "phrase")),
         ("Send an email to {0} about {1}.", "Email {0} with the subject {1}.", "Write to {0} about {1}.",
          "Send {0} a mail about {1}.", "Please send a message to {0} with the subject {1}.", "Mail {0}, subject {1}.",
          "[Send|Write|Compose|Dispatch|Mail|Deliver] [a message|an email|a mail|a note|a letter] to {0} [about|on|regarding|with the subject|titled] {1}[.|]",
          "[Let|Please let] {0} know about {1}[.|]", "[Tell|Inform|Notify|Message|Write|Contact] {0} [about|with the subject|on the topic|regarding|on] {1}[.|]"),
         (("status", "sent"),)),
    Tool(("book_flight", "find_flight", "search_flights", "get_flights"),
         ("Book a flight.", "Find flights between two cities.", "Search flights", "Plane tickets", "Get a plane from one city to another."),
         ((("origin", "from", "from_city", "departure"), "string", "city"), (("destination", "to", "to_city", "arrival"), "string", "city")),
         ("Book a flight from {0} to {1}.", "I want to fly from {0} to {1}.", "Find me a flight from {0} to {1}.",
          "Flights from {0} to {1}?", "I need to get from {0} to {1} by plane.", "How do I fly from {0} to {1}?",
          "Is there a flight from {0} to {1}?",
          "[Book|Find|Get|Search|Reserve|Look for|Show] [me |][a flight|a plane|a ticket|flights|a seat] from {0} to {1}[.| please|]",
          "[I have to|We want to|I would like to|We need to|Help me|I plan to] [fly|travel|go|get] from {0} to {1}[.|]", "[Is there|Do you have|Can I get|Are there|Give me|Show] [a plane|any flights|a connection|a seat|flights|a ticket] from {0} to {1}[?|]"),
         (("flight", "code"), ("price", "int"))),
    Tool(("get_time", "current_time", "time_in", "get_current_time"),
         ("Get the current time of a city.", "Current time in a location", "What time is it somewhere?", "Clock of a place", "Tells the hour in a city."), (CITY,),
         ("What time is it in {0}?", "Time in {0}?", "Tell me the time in {0}.", "What is the current time in {0}?",
          "How late is it in {0}?", "What's the time in {0}?",
          "[Tell me|Check|Show me|I need|Look up|Get|Give me] the [time|local time|current time|hour|clock time] [in|for|at] {0}[.|]",
          "[What|Which] [hour|time] [do they have|is it now|do people have|does the clock show|is it right now] in {0}?", "[How late|What o'clock|Morning or evening,] is it [now |]in {0}?"),
         (("time", "time"),)),
    Tool(("get_user", "find_user", "lookup_user", "get_customer"),
         ("Find a user by name.", "Look up a user", "Returns a customer.", "Find an account.", "Customer search"),
         ((("name", "user", "username", "user_name"), "string", "person"),),
         ("Find the user {0}.", "Look up {0}.", "Who is the user {0}?", "Get the account of {0}.", "Show me the customer {0}.",
          "Is {0} a user?",
          "[Find|Get|Show|Open|Load|Fetch|Look up] the [user|account|customer|profile|record] [of|named|called|for] {0}[.|]",
          "[Who is|Do we know|Is there|Do we have|Tell me about|Give me] [a user called|the customer|the user|a customer named|the account of|the person] {0}[?|]", "[Search|Check|Retrieve|Display|Pull up|Read] [the account of|the user|the profile of|the customer|the data of] {0}[.|]"),
         (("id", "int"), ("email", "email"))),
    Tool(("get_order", "order_status", "track_order", "get_order_status"),
         ("Get the status of an order.", "Track an order by its id.", "Order status", "Follow a parcel.", "Delivery state of an order"),
         ((("order_id", "id", "order", "number"), "string", "code"),),
         ("Where is my order {0}?", "What is the status of order {0}?", "Track order {0}.", "Has order {0} been sent?",
          "Check order {0} for me.", "When does order {0} come?",
          "[Check|Track|Find|Look up|Show me|Tell me] [the status of|where is|the state of|what happened to|the delivery of] [my |the |]order {0}[.|]",
          "[Did|Has] order {0} [arrive|ship|leave|been shipped|arrived|left]?", "[I am waiting for|I ask about|I want news of|What about|Tell me about|How is] [my |the |]order {0}[.|?|]"),
         (("status", "sent"), ("day", "day"))),
    Tool(("set_timer", "start_timer", "timer"),
         ("Set a timer in minutes.", "Starts a timer.", "Timer", "Count down.", "Alarm after some minutes"),
         ((("minutes", "duration", "duration_minutes"), "integer", "int"),),
         ("Set a timer for {0} minutes.", "Start a {0} minute timer.", "Timer for {0} minutes", "Wake me in {0} minutes.",
          "Remind me in {0} minutes.",
          "[Set|Start|Make|Give me|Put|Run|I need] a timer [of|for|over] {0} minutes[.| please| now|]",
          "[Count down|Wait|Ring in|Alarm in|Beep after|Tell me when it was|Call me in] {0} minutes[.|]", "[I need|Please give me|Can I have|Let me have|Could you set|Make] [an alarm|a timer|a countdown|a reminder] [in|of|for|after] {0} minutes[.|]"),
         (("status", "set"),)),
    Tool(("add", "sum", "add_numbers"),
         ("Add two numbers.", "Returns the sum of a and b.", "Adds numbers", "Sum of two numbers", "Plus"),
         ((("a", "x", "first"), "integer", "int"), (("b", "y", "second"), "integer", "int")),
         ("Add {0} and {1}.", "What is {0} plus {1}?", "What is {0} + {1}?", "Sum {0} and {1}.", "How much is {0} plus {1}?",
          "[Add|Sum|Add up|Total|Put together|Please add|Can you add] {0} and {1}[.|?|]",
          "[What|How much] [do|will|would] {0} and {1} [make|give|sum to|add up to|come to]?", "[Put|Take|Bring|Count|Sum|Add] {0} and {1} together[.|]"),
         (("result", "int"),)),
    Tool(("translate", "translate_text", "translation"),
         ("Translate a text.", "Translates text to a language.", "Translation", "Turn a text into another language.", "Language service"),
         ((("text", "input", "sentence"), "string", "phrase"), (("language", "target_language", "to"), "string", "language")),
         ("Translate {0} to {1}.", 'Translate "{0}" into {1}.', "How do you say {0} in {1}?", "What is {0} in {1}?",
          "Put {0} into {1}.",
          "[Translate|Turn|Put|Render|Convert|Bring|Write] [the words |the text |]{0} [into|in|to] {1}[.| please|]",
          "[What|How] [do they say|is the word for|would one say|does one write|do you write] {0} in {1}?", "[I need|I want|Give me|Tell me|Show me|Write] {0} in {1}[.|, please.|]"),
         (("translation", "phrase"),)),
    Tool(("create_task", "add_task", "add_todo", "create_reminder"),
         ("Create a task.", "Adds an item to the list.", "New reminder", "Put something on a list.", "Reminder for a day"),
         ((("title", "task", "text", "name"), "string", "phrase"), (("day", "date", "due"), "string", "day")),
         ("Add a task {0} on {1}.", "Remind me of {0} on {1}.", "Create the task {0} for {1}.", "Put {0} on my list for {1}.",
          "I must not forget {0} on {1}.",
          "[Add|Create|Make|Put|Note|Save|Write down] [a task|a reminder|an entry|a todo] {0} [for|on] {1}[.|]",
          "[Schedule|Plan|Set|Enter|Book|Mark] {0} [for|on] {1}[.|]", "[On|For] {1}[,|] [note|plan|remember|remind me of|put down|write down] {0}[.|]"),
         (("id", "int"), ("status", "set"))),
    Tool(("convert_currency", "exchange", "currency_converter"),
         ("Convert an amount from one currency to another.", "Currency conversion", "Exchange money", "Change money.", "Rates of money"),
         ((("amount", "value"), "number", "int"), (("from", "from_currency", "source"), "string", "currency"),
          (("to", "to_currency", "target"), "string", "currency")),
         ("Convert {0} {1} to {2}.", "How much is {0} {1} in {2}?", "What are {0} {1} in {2}?", "Change {0} {1} into {2}.",
          "{0} {1} in {2}?",
          "[Convert|Change|Exchange|Turn|Swap|Express|Put] {0} {1} [to|into|in] {2}[.| please|]",
          "[I have|Here are|Take|Say I own|Suppose I have|We got] {0} {1}. [How much is that in|What is it in|Make it|Change it to|Give it to me in|Convert it to] {2}[?|]", "[What|How many {2}] [do I get|is it|will I get|are] for {0} {1} in {2}?"),
         (("result", "decimal"),)),
    Tool(("turn_on", "switch_on", "turn_on_device", "activate"),
         ("Turn on a device.", "Switches a device on.", "Activate a device in the house", "Power a device.", "Start something at home"),
         ((("device", "name", "entity"), "string", "thing"),),
         ("Turn on the {0}.", "Switch on the {0}, please.", "Switch the {0} on.", "Can you turn on the {0}?", "Activate the {0}.",
          "[Turn|Switch|Please turn|Can you turn|Please switch|Could you switch|Put] on [the|my|our] {0}[.| now| please|]",
          "[Start|Enable|Power|Power up|Light up|Wake] [the|my|our] {0}[.| please|]", "[The|My|Our] {0} [should be on|must be on|on, please|has to go on|should run|needs to be switched on][.|]"),
         (("status", "set"),)),
    Tool(("get_population", "population", "city_population"),
         ("Get the population of a city.", "Population of a place", "How many people live somewhere", "Inhabitants of a city", "Number of people in a town"), (CITY,),
         ("What is the population of {0}?", "How many people live in {0}?", "Population of {0}?", "How big is {0}?",
          "How many inhabitants does {0} have?",
          "[Tell me|Give me|Look up|Find|What is|Show|Get] the [population|number of people|number of inhabitants|head count|size] of {0}[.|]",
          "[How many|What number of] [inhabitants|residents|citizens|souls|people] [are in|are there in|has|does one count in|live in|belong to] {0}?", "[Is|Would you call] {0} [big|large|a big city|small|a large town|a village]?"),
         (("population", "int"),)),
    Tool(("book_hotel", "find_hotel", "reserve_room", "search_hotels"),
         ("Book a hotel room.", "Find a hotel in a city.", "Reserve a room", "Find a room.", "Rooms in a city for some nights"),
         (CITY, (("nights", "number_of_nights", "days"), "integer", "int")),
         ("Book a hotel in {0} for {1} nights.", "I need a room in {0} for {1} nights.", "Find me a hotel in {0} for {1} nights.",
          "Reserve a room in {0} for {1} days.", "We stay {1} nights in {0}, find a hotel.",
          "[Book|Find|Reserve|Get|Search|Look for|I need] [a hotel|a room|a place to stay|a bed|a stay] in {0} for {1} [nights|days][.|]",
          "[I will be|We are|I am|My family is|We will be|Two of us are] in {0} for {1} nights[, book a room|, find a hotel|. Get us a room|. Where can we sleep|, reserve a hotel|. Find a bed][.|?|]", "[Is there|Do you have|Can I get|Could we have|Is it possible to get] [a room|a hotel|a bed] in {0} for {1} nights?"),
         (("hotel", "title"), ("price", "int"))),
    Tool(("play_music", "play", "play_song", "start_playback"),
         ("Play a song.", "Plays music of an artist.", "Music player", "Start a song.", "Music of a singer"),
         ((("artist", "singer", "name"), "string", "person"),),
         ("Play something by {0}.", "Play {0}.", "I want to hear {0}.", "Put on some music by {0}.", "Play a song of {0}, please.",
          "[Play|Put on|Start|Let me hear|I want|Turn on|Give me] [some music|a song|something|the best songs|an album] [by|of|from] {0}[.|]",
          "[Could I hear|Let us hear|Can you play|Let me listen to|I feel like|Time for|I would like] [something by|music of|songs by|a song by|music from|the hits of] {0}[.|?|]", "[Music|Songs|A song|The hits|An album|The best] [by|of|from] {0}[, please|][.|]"),
         (("status", "set"), ("song", "title"))),
    Tool(("get_product", "find_product", "product_info", "check_stock"),
         ("Get a product by name.", "Look up a product in the shop.", "Stock of a product", "Shop search", "Price and stock of an item"),
         ((("product", "item", "product_name", "name"), "string", "thing"),),
         ("Do you have a {0}?", "How much is the {0}?", "Is the {0} in stock?", "Look up the {0}.", "What does a {0} cost?",
          "Show me the {0}.",
          "[Look up|Show me|Find|Check|Get|Search|Open] the [product|item|article|entry] {0}[.|]",
          "[Can I|Could I|May I|Where can I|How can I] [buy|order|get|find|see] [a|the] {0}[?|]", "[Are there|Have you got|Is there|Do you still have|Do you sell|Do you stock] [any {0} left|a {0}|the {0}|some {0}]?"),
         (("price", "decimal"), ("stock", "int"))),
)  # fmt: skip
MADE_UP = ("Use {t} with {k} {0}.", "Call {t} for {0}.", "Run {t} on {0}.", "{t} {0}", "I need {t} for the {k} {0}.",
           "Get the {k} {0} from {t}.", "Please {t} the {k} {0}.", "What does {t} say for {k} {0}?",
    "[Use|Call|Run|Invoke|Apply|Start|Execute|Try] [the tool |the function |]{t} [with|on|for|using] [the {k} |{k} = |{k}: |]{0}[.|]",
    "[Ask|Query|Check|Consult] {t} [about|for|with] [the {k} |]{0}[.|]",
)  # fmt: skip


def city(d: Draw) -> str:
    """A city as people type it into a question: one word, two words, with a country, in lower case, or made up."""
    kind = d.number(0, 9)
    if kind < 5:
        return d.term("city")
    if kind < 7:
        return d.of(words.TWO_WORD_CITIES)
    return d.term("city").lower() if kind == 7 else d.nonce().capitalize()


Maker = Callable[[Draw], object]
VALUES: dict[str, Maker] = {
    "city": city,
    "station": lambda d: "".join(d.any("ABCDEFGHKLMNPQRSTVWXYZ") for _ in range(d.number(3, 4))),
    "sum": lambda d: f"{d.number(2, 999)} {d.any('+-*/')} {d.number(2, 999)}",
    "topic": lambda d: " ".join(d.terms("adjective", 1) + d.terms("noun", d.number(1, 2))) if d.chance(0.7) else d.nonce(),
    "ticker": lambda d: "".join(d.any("ABCDEFGHIJKLMNOPQRSTUVWXYZ") for _ in range(d.number(2, 4))) if d.chance(0.6) else d.nonce().capitalize(),
    "email": lambda d: f"{(d.of(words.NAMES) if d.chance(0.5) else d.nonce()).lower()}@{d.any(('example', 'mail', d.nonce(2)))}.{d.any(('com', 'org', 'net'))}",
    "phrase": lambda d: " ".join(d.terms("adjective", 1) + d.terms("noun", 1)) if d.chance(0.6) else d.term("noun"),
    "person": worlds.person_name,
    "code": lambda d: f"{d.nonce(1).upper()}-{d.number(10, 9999)}" if d.chance(0.4) else str(d.number(100, 99999)),
    "int": lambda d: d.number(1, 99) if d.chance(0.7) else d.number(100, 9999),
    "language": lambda d: d.any(("French", "Spanish", "German", "Italian", "Japanese", "Portuguese", "Dutch", "Polish")),
    "day": lambda d: d.any(words.DAYS) if d.chance(0.6) else f"{d.any(words.MONTHS)} {d.number(1, 28)}",
    "currency": lambda d: d.any(("USD", "EUR", "GBP", "JPY", "CHF", "dollars", "euros", "pounds")),
    "thing": lambda d: d.term("thing") if d.chance(0.7) else f"{d.term('adjective')} {d.term('thing')}",
    "word": lambda d: d.nonce() if d.chance(0.6) else d.term("noun"),
    "sky": lambda d: d.any(("sunny", "cloudy", "rainy", "windy", "snowy", "clear", "foggy", "hot", "cold")),
    "title": lambda d: " ".join(word.capitalize() for word in [d.term("adjective"), d.term("noun")]),
    "decimal": lambda d: round(d.number(100, 99999) / 100, 2),
    "sent": lambda d: d.any(("sent", "delivered", "on the way", "accepted", "delayed", "queued")),
    "set": lambda d: d.any(("ok", "done", "started", "created", "success")),
    "time": lambda d: f"{d.number(0, 23)}:{d.number(0, 59):02d}",
}  # fmt: skip


SPOKEN = ("The {k}", "the {k}.", "{k} to use", "Name of the {k}", "The {k}, e.g. {e}", "The {k} for which you want the result. Examples are {e} and so on.",
          "The {k}, for example {e}.")  # fmt: skip
OPTIONS: tuple[dict[str, Any], ...] = (
    {"unit": {"type": "string", "enum": ["celsius", "fahrenheit"]}}, {"limit": {"type": "integer"}}, {"format": {"type": "string"}},
    {"verbose": {"type": "boolean", "description": "More detail"}}, {"language": {"type": "string", "description": "Language of the reply"}},
    {"unit": {"type": "string", "enum": ["metric", "imperial"], "description": "The unit"}}, {"page": {"type": "integer", "description": "Page number"}},
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Ready:
    """A tool as handed to the model: its JSON definition, and the ways to ask for it with the kinds of its values."""

    definition: dict[str, Any]
    keys: tuple[str, ...]
    kinds: tuple[str, ...]
    asked: tuple[str, ...]
    results: tuple[tuple[str, str], ...]

    @property
    def name(self) -> str:
        return str(self.definition["name"])


def define(d: Draw, name: str, about: str, keys: list[str], types: list[str]) -> dict[str, Any]:
    """A definition as people write it: descriptions or none, required or not, further keywords."""
    properties: dict[str, Any] = {}
    for key, kind in zip(keys, types, strict=True):
        properties[key] = {"type": kind}
        if d.chance(0.4):
            spoken = key.replace("_", " ")
            properties[key]["description"] = d.any(SPOKEN).format(k=spoken, e=d.nonce().capitalize())
    if d.chance(0.15):
        # An option that the question does not mention is left out of the call.
        properties |= d.any(OPTIONS)
    schema: dict[str, Any] = {"type": "object", "properties": properties}
    if d.chance(0.85) or len(properties) > len(keys):
        schema["required"] = list(keys)
    if d.chance(0.1):
        schema["additionalProperties"] = False
    return (
        {"name": name, "description": about, "parameters": schema}
        if d.chance(0.93)
        else {"name": name, "parameters": schema}
    )


def known(d: Draw, tool: Tool) -> Ready:
    keys: list[str] = []
    for names, _, _ in tool.parameters:
        keys.append(next(name for name in (names[0] if d.chance(0.5) else d.any(names), *names) if name not in keys))
    name = tool.names[0] if d.chance(0.4) and not d.held_out else d.of(tool.names)
    if not d.held_out and d.chance(0.5):
        name, keys = (
            coined(d, name),
            [f"{d.any(PREFIXES)}{key}{d.any(SUFFIXES)}" if d.chance(0.3) else key for key in keys],
        )
    definition = define(d, name, d.of(tool.about), keys, [kind for _, kind, _ in tool.parameters])
    return Ready(definition, tuple(keys), tuple(kind for _, _, kind in tool.parameters), tool.asked, tool.results)


PREFIXES = ("", "", "target_", "the_", "my_", "input_", "user_", "wanted_")
SUFFIXES = ("", "", "_name", "_value", "_text", "_1", "_of_interest", "_in")
DEEDS = words.bank("get find run check lookup make do fetch query call api tool new handle quick my")


def coined(d: Draw, name: str) -> str:
    """A name that no list holds, so that names are read from the definitions: a deed, the old name's parts, any word."""
    parts = [part.lower() for part in re.findall("[A-Z]?[a-z]+", name)]
    parts = [d.any(DEEDS), *d.random.sample(parts, d.number(0, len(parts)))]
    if len(parts) == 1 or d.chance(0.5):
        parts.append(d.nonce() if d.chance(0.5) else d.term("noun"))
    if d.chance(0.2):
        parts.append(d.any(("v2", "now", "tool", "api", "info", "service")))
    if d.chance(0.3):
        d.random.shuffle(parts)
    style = d.number(0, 5)
    if style > 1:
        return d.any(("_", "_", "_", "-")).join(parts)
    return "".join(part.capitalize() if style or at else part for at, part in enumerate(parts))


def made_up(d: Draw) -> Ready:
    """A tool nobody has heard of: asked for by its own name, or by what it says it is about."""
    noun = d.nonce() if d.chance(0.4) else d.term("noun")
    name = d.any(("{}_{}", "{}_{}", "{1}_{0}", "{0}{2}")).format(
        d.any(("get", "find", "run", "check", "lookup", "make")), noun, noun.capitalize()
    )
    key = (d.nonce() if d.chance(0.4) else d.term("noun")) + d.any(("", "", "_id", "_name"))
    kind = d.any(("word", "word", "int", "code", "city", "phrase"))
    definition = define(d, name, f"{d.any(('Get', 'Find', 'Check', 'Returns'))} the {noun} of a {key.split('_')[0]}.", [key],
                        ["integer" if kind == "int" else "string"])  # fmt: skip
    slots = (("t", name), ("k", key.replace("_", " ")))
    asked = MADE_UP if d.chance(0.5) else ("What is the {n} of {0}?", "Get the {n} for {0}.", "Find the {n} of the {k} {0}.",
                                           "I need the {n} of {0}.", "Check the {n} of {0}, please.")  # fmt: skip
    ways = tuple(way.replace("{n}", noun).replace("{t}", slots[0][1]).replace("{k}", slots[1][1]) for way in asked)
    return Ready(definition, (key,), (kind,), ways, ((noun, d.any(("int", "word", "phrase"))),))


def kit(d: Draw, count: int) -> list[Ready]:
    """`count` tools that cannot be mistaken for one another."""
    chosen = [known(d, tool) for tool in d.random.sample(TOOLS, count)]
    if d.chance(0.3):
        chosen[d.number(0, count - 1)] = made_up(d)
    twins = ({"calculator", "add"}, {"search", "get_user"})
    firsts = {tool.names[0] for tool in TOOLS for one in chosen if one.asked == tool.asked}
    apart = len({one.name for one in chosen}) == count and not any(pair <= firsts for pair in twins)
    return chosen if apart else kit(d, count)


def values(d: Draw, tool: Ready) -> list[object]:
    return [VALUES[kind](d) for kind in tool.kinds]
