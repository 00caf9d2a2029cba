"""Passages written by hand, with span questions, claims, questions that they do not answer, and numbered sources.

Rows as in `plain.py`; {p} is the passage. Must not know the generator.
"""

from __future__ import annotations

DONT_KNOW = "don't know"
TOWER = (
    "The Eiffel Tower is in Paris. It was finished in 1889 and is 330 meters tall. Gustave Eiffel's company built it."
)
SHOP = "Our store accepts returns within 30 days. Shipping costs 5 dollars. The support team can be reached at help@shop.example."
MUSEUM = "The Brandholm Museum opens at 9:00 and closes at 17:30. Tickets cost 12 euros. The director is Ulla Berg."
LAKE = "Lake Orvanu is 14 kilometers long. Its water is salty. In winter, white herons live on the shore."
TEAM = "Priya works as a nurse in Leeds. Her brother Tom is a carpenter. Tom has two cats and plays the violin."
PHONE = "The Zetta 5 phone weighs 180 grams and comes in green and black. Its battery lasts two days. The warranty is 24 months."
VILLAGE = "Marnow has 4,200 inhabitants. The mayor is Jonas Falk. The village is famous for its blue pottery."
COURSE = "The course starts on Monday, 3 March. It takes place in room 12. Dr. Adeyemi teaches it in English."
PLANET = (
    "Kepra is the third moon of Zun. It was discovered in 2019 by Lina Ortiz. Its surface is covered with red dust."
)
RECIPE = "The cake needs 200 grams of sugar and three eggs. It bakes for 40 minutes. Grandma Elsa invented it in 1952."

SPANS: tuple[tuple[str, str, str], ...] = (
    (TOWER, "{p}\n\nHow tall is the Eiffel Tower?", "330"), (TOWER, "Context: {p}\n\nQuestion: Where is the Eiffel Tower?", "Paris"),
    (TOWER, "{p} When was it finished?", "1889"), (SHOP, "{p}\n\nHow much is shipping?", "5"), (SHOP, "Within how many days can I return things? {p}", "30"),
    (SHOP, "Text: {p}\nHow do I reach the support team?", "help@shop.example"), (MUSEUM, "{p}\nWhen does the Brandholm Museum close?", "17:30"),
    (MUSEUM, "Read this:\n{p}\n\nWho is the director?", "Ulla Berg"), (MUSEUM, "{p}\n\nWhat is the price of a ticket?", "12"), (LAKE, "{p}\n\nHow long is Lake Orvanu?", "14"),
    (LAKE, "Passage: {p} Question: Which birds live on the shore?", "herons"), (TEAM, "{p}\n\nWhat is Priya's job?", "nurse"), (TEAM, "{p}\nWhich instrument does Tom play?", "violin"),
    (TEAM, "Who is a carpenter?\n\n{p}", "Tom"), (PHONE, "{p}\n\nHow much does the phone weigh?", "180"), (PHONE, "{p}\n\nHow long does the battery last?", "two days"),
    (VILLAGE, "{p}\n\nWho is the mayor of Marnow?", "Jonas Falk"), (VILLAGE, "Based on the text, what is Marnow famous for?\n{p}", "pottery"),
    (COURSE, "<text>{p}</text>\nWho teaches the course?", "Adeyemi"), (COURSE, "{p}\n\nIn which room is the course?", "12"), (PLANET, "{p}\n\nWho discovered Kepra?", "Lina Ortiz"),
    (PLANET, "Question: What covers the surface of Kepra?\nContext: {p}", "red dust"), (RECIPE, "{p}\n\nHow long does the cake bake?", "40"), (RECIPE, "{p}\nWho invented the cake?", "Elsa"),
)  # fmt: skip
CLAIMS: tuple[tuple[str, str, str], ...] = (
    (TOWER, "{p}\n\nIs the Eiffel Tower in Paris?", "yes"), (TOWER, "{p}\n\nIs the Eiffel Tower in London?", "no"), (TOWER, "{p} Was it finished in 1920? Yes or no?", "no"),
    (SHOP, "{p}\n\nDoes shipping cost 5 dollars?", "yes"), (SHOP, "True or false: returns are accepted within 90 days. {p}", "no"), (MUSEUM, "{p}\nDoes the museum open at 9:00?", "yes"),
    (MUSEUM, "{p}\nIs Karl Lund the director?", "no"), (LAKE, "{p}\n\nIs it true that Lake Orvanu is 14 kilometers long?", "yes"), (LAKE, "{p}\n\nIs it true that the water is sweet?", "no"),
    (TEAM, "{p}\n\nIs Priya a nurse?", "yes"), (TEAM, "{p}\n\nIs Tom a painter?", "no"), (PHONE, "{p}\n\nYes or no: the warranty is 24 months.", "yes"),
    (PHONE, "{p}\n\nYes or no: the phone comes in yellow.", "no"), (VILLAGE, "{p}\nMarnow has 4,200 inhabitants. Correct?", "yes"), (VILLAGE, "{p}\nThe mayor is Anna Falk. Correct?", "no"),
    (COURSE, "{p}\n\nDoes the course take place in room 12?", "yes"), (COURSE, "{p}\n\nDoes the course start on Friday?", "no"), (PLANET, "{p}\n\nWas Kepra discovered in 2019?", "yes"),
    (PLANET, "{p}\n\nIs the surface covered with ice?", "no"), (RECIPE, "{p}\n\nDoes the cake need three eggs?", "yes"), (RECIPE, "{p}\n\nWas it invented in 2001?", "no"),
)  # fmt: skip
UNTOLD: tuple[tuple[str, str], ...] = (
    (TOWER, "{p}\n\nHow many visitors come each year?"), (TOWER, "{p}\n\nWhat color is the tower?"), (SHOP, "{p}\n\nWho is the president of the store?"), (SHOP, "{p} What does the store sell?"),
    (MUSEUM, "{p}\n\nWho built the museum?"), (MUSEUM, "Text: {p}\nQuestion: How old is Ulla Berg?"), (LAKE, "{p}\n\nHow deep is the lake?"), (LAKE, "{p}\nWhich river flows into Lake Orvanu?"),
    (TEAM, "{p}\n\nHow old is Priya?"), (TEAM, "{p}\n\nWhat is the name of Tom's wife?"), (PHONE, "{p}\n\nHow much does the phone cost?"), (PHONE, "Who makes the Zetta 5? {p}"),
    (VILLAGE, "{p}\n\nWhich river is near Marnow?"), (VILLAGE, "{p}\n\nWhen was the village founded?"), (COURSE, "{p}\n\nHow much is the course?"), (COURSE, "{p}\n\nHow many students take part?"),
    (PLANET, "{p}\n\nHow far away is Kepra?"), (PLANET, "{p}\n\nWhat is the temperature on Kepra?"), (RECIPE, "{p}\n\nHow much flour does the cake need?"), (RECIPE, "{p}\nWhere did Elsa live?"),
)  # fmt: skip
SOURCES: tuple[tuple[tuple[str, str, str], tuple[tuple[str, str], ...]], ...] = (
    (("The city library is open from 8:00 to 20:00.", "The swimming pool costs 4 dollars.", "The zoo has two elephants."),
     (("When does the library open?", "8:00|[1]"), ("How much is the swimming pool?", "4|[2]"), ("How many elephants does the zoo have?", "two|[3]"))),
    (("Maya Lund wrote the book Glass Rain.", "The film Iron Tide was made in 1987.", "Peter Voss sings in the band Northfall."),
     (("Who wrote Glass Rain?", "Maya Lund|[1]"), ("When was Iron Tide made?", "1987|[2]"), ("In which band does Peter Voss sing?", "Northfall|[3]"))),
    (("Employees get 28 days of vacation.", "The office in Turin has 60 desks.", "Travel costs are paid by Nadia's team."),
     (("How many days of vacation do employees get?", "28|[1]"), ("How many desks are in the Turin office?", "60|[2]"), ("Who pays travel costs?", "Nadia|[3]"))),
    (("The Falken bridge is 310 meters long.", "The Osprey tower was built in 1931.", "The Heron tunnel lies under Lake Dorn."),
     (("How long is the Falken bridge?", "310|[1]"), ("When was the Osprey tower built?", "1931|[2]"), ("Under which lake is the Heron tunnel?", "Dorn|[3]"))),
    (("To reset the router, hold the red button.", "The camera needs two batteries.", "The printer uses blue ink."),
     (("Which button resets the router?", "red|[1]"), ("How many batteries does the camera need?", "two|[2]"), ("What ink does the printer use?", "blue|[3]"))),
    (("Tarsk is a planet with green seas.", "Vellor has three moons.", "Quill was discovered by Omar Reyes."),
     (("What color are the seas of Tarsk?", "green|[1]"), ("How many moons does Vellor have?", "three|[2]"), ("Who discovered Quill?", "Omar Reyes|[3]"))),
    (("Gold members pay 50 dollars a year.", "Silver members may bring one guest.", "Bronze members enter after 17:00."),
     (("What do gold members pay?", "50|[1]"), ("How many guests may silver members bring?", "one|[2]"), ("When may bronze members enter?", "17:00|[3]"))),
)  # fmt: skip
