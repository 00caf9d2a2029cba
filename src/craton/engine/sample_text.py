"""The text that quantisation is judged by: plain prose, an exchange, figures, a table, code and JSON.

Written for this purpose; it need not be new to a model, for only two forms of the same weights are compared on it.
"""

from __future__ import annotations

TEXTS = (
    """The harbour wakes before the town does. At five the first lorries come down the hill with ice, and the men who
stack the crates have been there for an hour already. Nobody talks much. A gull stands on the roof of the auction
hall and waits for what will fall. When the boats come in, everything happens at once: ropes are thrown, a radio is
turned up, somebody laughs at a story that must have begun far out at sea. By nine the hall is empty again, the floor
has been washed with salt water, and whoever walks past would think that nothing ever happens here.""",
    """Customer: My parcel was sent to an address where I have not lived for two years. What can I do?
Agent: I am sorry about that. The parcel is still at the depot in Leeds, so it can be sent on to you. May I have the
postcode of your present address?
Customer: It is LS6 3HN. Do I have to pay for it?
Agent: No, there is no charge. You will have it on Thursday before noon, and I have corrected the address in your
account, so that it does not happen again.
Customer: Thank you, that was quick.""",
    """In the third quarter the turnover rose from 4.2 to 4.9 million euros, an increase of 16.7 per cent. Costs of
material grew by 9 per cent, wages by 3.5 per cent. The number of employees was 312 at the end of September, after 298
a year before. For the whole year the board expects a turnover between 18.5 and 19.2 million euros.

| month | orders | returned |
|---|---|---|
| July | 1,204 | 31 |
| August | 1,187 | 28 |
| September | 1,422 | 40 |""",
    """Water boils at a lower temperature in the mountains, because the pressure of the air is lower there. On a summit
of three thousand metres it boils at about ninety degrees, and potatoes take half as long again to become soft. A lid
that is held down by a weight helps: the steam cannot leave, the pressure in the pot rises, and with it the
temperature. Questions: Why do potatoes take longer on a mountain? What does the weight on the lid do?""",
    """def longest_run(values):
    \"\"\"The length of the longest stretch of equal neighbours.\"\"\"
    best = run = 0
    previous = object()
    for value in values:
        run = run + 1 if value == previous else 1
        previous = value
        best = max(best, run)
    return best

assert longest_run([1, 1, 2, 2, 2, 3]) == 3
assert longest_run([]) == 0
""",
    """{"order": {"id": "A-20417", "placed": "2031-05-14T09:30:00Z", "customer": {"name": "Mina Okafor", "country": "NL"},
"lines": [{"article": "lamp, brass", "count": 2, "price": 48.5}, {"article": "bulb, warm white", "count": 4, "price":
3.2}], "shipping": {"method": "letterbox", "cost": 0}, "paid": true, "note": null}}""",
    """Der Zug nach Bergen fährt heute von Gleis vier ab. Le train pour Bergen part aujourd'hui de la voie quatre. El
tren a Bergen sale hoy de la vía cuatro. Reisende nach Voss steigen bitte in den vorderen Teil des Zuges ein.""",
)
