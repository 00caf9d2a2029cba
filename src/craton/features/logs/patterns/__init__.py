"""Filter patterns: terms, conditions on JSON and on the fields of a line, as sieves for stored events."""
