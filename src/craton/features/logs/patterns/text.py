"""A pattern while it is read: its text and how far one has come.

Owns the place, and the error of a pattern that cannot be read. It must not know any of the forms of patterns.
"""

from __future__ import annotations

import re

_SPACE = re.compile(r"\s*")


class BadPattern(ValueError):
    """The pattern cannot be read; the text says why, if there is more to say."""

    def __init__(self, why: str = "Invalid filter pattern") -> None:
        super().__init__(why)


class Text:
    """The rest of a pattern. Space before what is asked for is skipped."""

    def __init__(self, pattern: str) -> None:
        self._pattern = pattern
        self._at = 0

    @property
    def is_over(self) -> bool:
        self._skip()
        return self._at == len(self._pattern)

    def take(self, form: re.Pattern[str]) -> re.Match[str] | None:
        """What has the form at this place, which is then behind."""
        self._skip()
        found = form.match(self._pattern, self._at)
        if found is not None:
            self._at = found.end()
        return found

    def took(self, sign: str) -> bool:
        """Whether a sign stood here, which is then behind."""
        self._skip()
        if not self._pattern.startswith(sign, self._at):
            return False
        self._at += len(sign)
        return True

    def expect(self, sign: str) -> None:
        """Raises BadPattern unless the sign stood here."""
        if not self.took(sign):
            raise BadPattern

    def _skip(self) -> None:
        found = _SPACE.match(self._pattern, self._at)
        self._at = found.end() if found is not None else self._at
