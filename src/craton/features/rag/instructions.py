"""Retrieval instructions as rows of the store: what a caller wants planners and answers to heed, and its numbered versions.

Owns the rows' bodies, their ARNs, and the sealing of the content, which is the customer's own text. It must not know HTTP,
nor how a planner reads it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from craton.aws.access.actions import arn_of

if TYPE_CHECKING:
    from craton.infra.cipher.port import Cipher
    from craton.infra.store.port import Resource

KIND, VERSION_KIND = "retrieval-instruction", "retrieval-instruction-version"
SHOWN, SHOWN_VERSION = "retrieval instruction", "retrieval instruction version"
ACTIVE = "ACTIVE"
DRAFT = "DRAFT"
PURPOSE = "retrieval instruction"


class Content(msgspec.Struct, frozen=True, omit_defaults=True):
    """The API's RetrievalInstructionContent; "" for a field that is not there."""

    retrieval_guidance: str = ""
    persona: str = ""
    answer_format: str = ""
    answer_policy: str = ""


class Instruction(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """The body of an instruction's row, and (without `tags` and `numbered`) of a version's.

    `sealed` is the content; `numbered` how many versions were ever made; `updated` whether it has changed since it was
    made.
    """

    sealed: bytes
    description: str | None = None
    kms_key: str | None = None
    tags: dict[str, str] = {}
    numbered: int = 0
    updated: bool = False


def instruction_arn(account: str, region: str, ident: str) -> str:
    return arn_of(KIND, region, account, id=ident)


def version_arn(account: str, region: str, ident: str, version: str) -> str:
    """The name of a version's row; DRAFT is the instruction's own."""
    arn = instruction_arn(account, region, ident)
    return arn if version == DRAFT else f"{arn}:{version}"


def version_name(ident: str, version: str) -> str:
    """A version's name among the rows of its kind, found by the instruction's id with its slash."""
    return f"{ident}/{version}"


def version_of(row: Resource) -> str:
    """Which version a row is."""
    return (row.name or "").rpartition("/")[2] if row.kind == VERSION_KIND else DRAFT


async def sealed(cipher: Cipher, account: str, region: str, arn: str, content: Content, key: str | None) -> bytes:
    """The content under the instruction's KMS key or (None) the account's own. Raises CipherError."""
    return await cipher.seal(account, PURPOSE, key, msgspec.json.encode(content), {KIND: arn}, region=region)


async def opened(cipher: Cipher, row: Resource) -> Content:
    """The content of an instruction's or a version's row. Raises CipherError."""
    arn = row.arn if row.kind == KIND else row.arn.rpartition(":")[0]
    plain = await cipher.open(row.account, PURPOSE, row.read(Instruction).sealed, {KIND: arn})
    return msgspec.json.decode(plain, type=Content)
