"""What whoever stores a customer's content asks of encryption: seal and open, whole or as a stream.

Owns the Protocol and the errors that its users can meet. It must not know how keys are kept, which algorithm is used,
nor who asks. Everything sealed is bound to its account, purpose and context: opened under any other it is `Tampered`.

Errors::

    CipherError
    ├── NoSuchKey          no key of that name, or one whose deletion is over: what it sealed is lost
    ├── KeyUnusable        the key is disabled or awaits its deletion: what it sealed is unreadable for now
    ├── Tampered           the bytes are not what was sealed, or not for this account, purpose and context
    └── RootUnavailable    the root key cannot be had, or is another than the one that sealed the keys
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, AsyncIterable, Callable, Mapping
from typing import TYPE_CHECKING, Protocol, TypeAlias

if TYPE_CHECKING:
    from craton.infra.cipher.keyring import Keyring, Named

NO_CONTEXT: Mapping[str, str] = {}
SealedReader: TypeAlias = Callable[[int, int | None], AsyncGenerator[bytes]]
"""Reads sealed bytes from a position to before another (None: the end), fewer where there are no more."""


class CipherError(Exception):
    """Something cannot be sealed or opened; the text names keys, never content."""


class NoSuchKey(CipherError):
    """No key answers to `key`."""

    def __init__(self, key: str) -> None:
        super().__init__(f"Key '{key}' does not exist")
        self.key = key


class KeyUnusable(CipherError):
    """The key with the ARN `key` is there, but in a state (`Disabled`, `PendingDeletion`) in which it does nothing."""

    def __init__(self, key: str, state: str) -> None:
        words = {"Disabled": "disabled", "PendingDeletion": "pending deletion"}
        super().__init__(f"{key} is {words.get(state, state)}.")
        self.key = key
        self.state = state


class Tampered(CipherError):
    """The bytes were changed, cut, or belong to somebody or something else."""

    def __init__(self) -> None:
        super().__init__("the sealed data is damaged or does not belong here")


class RootUnavailable(CipherError):
    """The root key cannot be had, or another root key sealed what is to be opened."""


class Cipher(Protocol):
    """Envelope encryption under the customer's KMS key, or under the account's own default key.

    `key` is a key id, key ARN, alias or alias ARN of the account; None means the default key, which is made when it is
    first needed. `purpose` names what is sealed ("responses"), `context` which one of them; both are authenticated and
    not kept in the clear. Whether the caller may use the key is for the caller's own side to check (`services.kms.use`).
    """

    @property
    def keyring(self) -> Keyring:
        """The keys' own encryption, for the operations of KMS."""
        ...

    async def named(self, blob: bytes) -> Named:
        """Whose ciphertext this is, also of one from before the root key was rotated. Raises Tampered, RootUnavailable."""
        ...

    async def seal(
        self, account: str, purpose: str, key: str | None, plaintext: bytes,
        context: Mapping[str, str] = NO_CONTEXT, *, region: str | None = None,
    ) -> bytes:  # fmt: skip
        """The sealed bytes. Raises NoSuchKey, KeyUnusable, RootUnavailable."""
        ...

    async def open(self, account: str, purpose: str, sealed: bytes, context: Mapping[str, str] = NO_CONTEXT) -> bytes:
        """What was sealed. Raises NoSuchKey, KeyUnusable, Tampered, RootUnavailable."""
        ...

    def seal_stream(
        self, account: str, purpose: str, key: str | None, pieces: AsyncIterable[bytes],
        context: Mapping[str, str] = NO_CONTEXT, *, region: str | None = None,
    ) -> AsyncGenerator[bytes]:  # fmt: skip
        """The same for files of any size, in constant memory. Raises as `seal`, before the first piece."""
        ...

    def open_stream(
        self, account: str, purpose: str, pieces: AsyncIterable[bytes], context: Mapping[str, str] = NO_CONTEXT
    ) -> AsyncGenerator[bytes]:
        """What `seal_stream` sealed. Raises as `open`; pieces that came before a fault are genuine, but not all."""
        ...

    def open_range(
        self, account: str, purpose: str, sealed: SealedReader, start: int = 0, stop: int | None = None,
        context: Mapping[str, str] = NO_CONTEXT,
    ) -> AsyncGenerator[bytes]:  # fmt: skip
        """Of what `seal_stream` sealed the bytes from `start` to before `stop`, reading little more than these.

        What lies behind the end is left out. Raises as `open_stream`, and what `sealed` raises.
        """
        ...
