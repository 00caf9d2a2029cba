"""How chunks are found that answer a question: the query, its filter, the search, and the order of what was found."""
