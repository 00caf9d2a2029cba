"""OpenAI Responses: what OpenAI's own models speak besides chat, and what its newer clients speak alone."""
