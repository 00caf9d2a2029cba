"""JSON files of a model, read without trust: objects whose keys come once, with numbers that are what they must be."""

from __future__ import annotations

import json
from typing import Any

from craton.features.importing.fault import BadModel


def document(name: str, data: bytes) -> dict[str, Any]:
    """The JSON object in a file. Raises BadModel."""

    def unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        made = dict(pairs)
        if len(made) != len(pairs):
            twice = next(key for index, (key, _) in enumerate(pairs) if key in dict(pairs[:index]))
            raise BadModel(f"{name}: the key {twice[:100]!r} stands there twice.")
        return made

    try:
        found = json.loads(data.decode(), object_pairs_hook=unique)
    except UnicodeDecodeError:
        raise BadModel(f"{name} is not JSON: it is not UTF-8.") from None
    except json.JSONDecodeError as error:
        raise BadModel(f"{name} is not JSON: {error.msg} at byte {error.pos}.") from None
    except ValueError:  # a number of thousands of digits
        raise BadModel(f"{name} is not JSON that can be read.") from None
    except RecursionError:
        raise BadModel(f"{name} is nested too deeply.") from None
    if not isinstance(found, dict):
        raise BadModel(f"{name} is not a JSON object.")
    return found


def number(name: str, of: dict[str, Any], key: str, most: int, default: int | None = None) -> int:
    """A whole number of a document, from 1 to `most`. Raises BadModel."""
    value = of.get(key)
    if value is None and default is not None:
        return default
    if isinstance(value, bool) or not isinstance(value, int) or not 1 <= value <= most:
        raise BadModel(f"{name}: {key} must be a whole number from 1 to {most}, not {str(value)[:50]}.")
    return value
