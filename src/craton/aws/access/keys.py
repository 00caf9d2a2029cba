"""The condition context of a request, made when the first condition asks for it.

Owns in which order the values are looked for: what belongs to the resource, what the request says of itself, what
belongs to the caller, what surrounds the request. Most policies ask for nothing, and then nothing is made. It must not
know policies. Pure: the clock and the connection are those of whom it is asked about.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from datetime import datetime
from functools import lru_cache
from typing import Final, Protocol

from craton.aws.access.credentials import Principal
from craton.aws.access.variables import Keys, Value

NOTHING: Final[Keys] = {}
_RESOURCE_TAG: Final = "aws:resourcetag/"
_RESOURCE_ACCOUNT: Final = "aws:resourceaccount"


class Circumstances(Protocol):
    """What is known of a request besides what it asks."""

    @property
    def caller(self) -> Principal: ...

    @property
    def region(self) -> str: ...

    @property
    def source_ip(self) -> str | None: ...

    @property
    def secure(self) -> bool:
        """Whether it came through TLS."""
        ...

    def now(self) -> datetime:
        """The time in UTC."""
        ...

    def header(self, name: bytes) -> str | None:
        """A header of the request; `name` is in lower case."""
        ...

    def resource_tags(self, resource: str) -> Mapping[str, str]:
        """The tags of a resource, empty for what has none."""
        ...


class RequestKeys(Mapping[str, Value]):
    """The context of one request, put to one resource after the other.

    `resource` and `about_resource` (the keys that belong to it) are set before each decision. `given` is what the
    request says of itself, `of_caller` what belongs to the caller. All names are in lower case.
    """

    __slots__ = ("_circumstances", "about_resource", "given", "of_caller", "resource")

    def __init__(self, circumstances: Circumstances, of_caller: Keys, given: Keys = NOTHING) -> None:
        self.about_resource: Keys = NOTHING
        self.given = given
        self.of_caller = of_caller
        self.resource = "*"
        self._circumstances = circumstances

    def get(self, key: str, default: Value | None = None) -> Value | None:  # type: ignore[override]
        """The value of a key, `default` where the request has none."""
        if key in self.about_resource:
            return self.about_resource[key]
        if key in self.given:
            return self.given[key]
        if key in self.of_caller:
            return self.of_caller[key]
        found = AROUND[key](self._circumstances) if key in AROUND else self._of_resource(key)
        return default if found is None else found

    def _of_resource(self, key: str) -> Value | None:
        if key == _RESOURCE_ACCOUNT:
            return account_of(self.resource)
        if key.startswith(_RESOURCE_TAG):
            wanted = key[len(_RESOURCE_TAG) :]
            tags = self._circumstances.resource_tags(self.resource)
            return next((value for name, value in tags.items() if name.lower() == wanted), None)
        return None

    def __getitem__(self, key: str) -> Value:
        found = self.get(key)
        if found is None:
            raise KeyError(key)
        return found

    def __iter__(self) -> Iterator[str]:
        around = {key: None for key, make in AROUND.items() if make(self._circumstances) is not None}
        return iter({**around, **self.of_caller, **self.given, **self.about_resource})

    def __len__(self) -> int:
        return len(list(iter(self)))


class Watched(Mapping[str, Value]):
    """A context that remembers which keys were asked for, and with what result; for explanations."""

    __slots__ = ("_keys", "asked")

    def __init__(self, keys: Keys) -> None:
        self._keys = keys
        self.asked: dict[str, Value | None] = {}

    def get(self, key: str, default: Value | None = None) -> Value | None:  # type: ignore[override]
        found = self.asked[key] = self._keys.get(key)
        return default if found is None else found

    def __getitem__(self, key: str) -> Value:
        return self._keys[key]

    def __iter__(self) -> Iterator[str]:
        return iter(self._keys)

    def __len__(self) -> int:
        return len(self._keys)


def _token_issued(about: Circumstances) -> str | None:
    issued_at = about.caller.issued_at
    return None if issued_at is None else _iso(issued_at)


def _second_factor(about: Circumstances) -> str | None:
    """Temporary credentials alone have the key, as on AWS: a policy that asks with BoolIfExists relies on that."""
    return None if about.caller.issued_at is None else "false"


def _iso(moment: datetime) -> str:
    return moment.strftime("%Y-%m-%dT%H:%M:%SZ")


AROUND: Final[Mapping[str, Callable[[Circumstances], Value | None]]] = {
    "aws:currenttime": lambda about: _iso(about.now()),
    "aws:epochtime": lambda about: str(int(about.now().timestamp())),
    "aws:multifactorauthpresent": _second_factor,
    "aws:referer": lambda about: about.header(b"referer"),
    "aws:requestedregion": lambda about: about.region,
    "aws:securetransport": lambda about: "true" if about.secure else "false",
    "aws:sourceip": lambda about: about.source_ip,
    "aws:tokenissuetime": _token_issued,
    "aws:useragent": lambda about: about.header(b"user-agent"),
    "aws:viaawsservice": lambda _: "false",
}
"""What surrounds a request, whoever makes it and whatever it asks: key → how it is made."""


@lru_cache(maxsize=1024)
def account_of(resource: str) -> str | None:
    """The account in an ARN; None where nobody owns the resource (``*``, foundation models, AWS's own policies)."""
    fields = resource.split(":", 5)
    return fields[4] if len(fields) == 6 and fields[4].isdigit() else None
