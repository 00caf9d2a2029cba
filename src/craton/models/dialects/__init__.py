"""Dialects: one file per native schema, read and write, request, reply and stream; all of it pure."""
