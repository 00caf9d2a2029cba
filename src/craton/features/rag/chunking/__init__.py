"""Text to pieces: where a document may be cut, and the strategies of the API."""
