"""What keys are for: encrypt, decrypt, data keys, random bytes.

Owns these operations. A ciphertext names its own key; a KeyId that comes along must mean the same one. Plaintext lives
only in the request and its answer. It must not know policies (`access`) or the ciphertext's form (`infra.cipher`).
"""

from __future__ import annotations

import secrets
from typing import TYPE_CHECKING

from craton.aws.wire.faults import Fault
from craton.context import Call
from craton.infra.cipher import rows
from craton.infra.cipher.keyring import Named
from craton.infra.cipher.port import NoSuchKey
from craton.infra.cipher.rows import Key, Place
from craton.infra.store.port import Transaction
from craton.services.kms import asked
from craton.services.kms.asked import ONLY_ENABLED, Need
from craton.services.kms.faults import DRY_RUN, as_faults, incorrect_key, invalid_ciphertext, unsupported, validation
from craton.services.operation import operation

if TYPE_CHECKING:
    from craton.aws.shapes.kms import (
        DecryptRequest,
        DecryptResponse,
        EncryptRequest,
        EncryptResponse,
        GenerateDataKeyRequest,
        GenerateDataKeyResponse,
        GenerateDataKeyWithoutPlaintextRequest,
        GenerateDataKeyWithoutPlaintextResponse,
        GenerateRandomRequest,
        GenerateRandomResponse,
        ReEncryptRequest,
        ReEncryptResponse,
    )

SYMMETRIC = "SYMMETRIC_DEFAULT"
_SPEC_BYTES = {"AES_256": 32, "AES_128": 16}
ONE_OF_BOTH = "Please specify either number of bytes or key spec."
NO_ENCLAVES = "Recipient (Nitro Enclaves) is not implemented by this server."
BAD_ALGORITHM = "The encryption algorithm {name} is not valid for this key: it has SYMMETRIC_DEFAULT."


def dry(run: bool | None) -> None:  # noqa: FBT001 - a member of the request
    """Raise DryRunOperationException where the caller only wanted to know."""
    if run:
        raise Fault("DryRunOperationException", DRY_RUN)


def check_algorithm(*names: str | None) -> None:
    for name in names:
        if name not in (None, SYMMETRIC):
            raise Fault("InvalidKeyUsageException", BAD_ALGORITHM.format(name=name))


async def for_encryption(call: Call, name: str, action: str, context: dict[str, str]) -> Key:
    """The key to encrypt with, its material renewed if the calendar asks for it."""
    need = Need(action=action, states=ONLY_ENABLED, aliases=True, context=context)
    key = await asked.usable(call, name, need)
    if key.due(call.now()):
        keyring = call.app.cipher.keyring
        where = Place(key.row.account, key.row.region, f"key/{key.row.id}")

        def renew(transaction: Transaction) -> Key:
            return rows.renewed(transaction, keyring, rows.find(transaction, where, call.now()), call.now())

        with as_faults():
            key = await call.app.storage.write(renew)
    return key


def sealed(call: Call, key: Key, plaintext: bytes, context: dict[str, str]) -> bytes:
    with as_faults():
        return call.app.cipher.keyring.encrypt(key.arn, key.material, plaintext, context)


@operation("kms", "Encrypt")
async def encrypt(call: Call, req: EncryptRequest) -> EncryptResponse:
    check_algorithm(req.EncryptionAlgorithm)
    context = req.EncryptionContext or {}
    key = await for_encryption(call, req.KeyId, "kms:Encrypt", context)
    dry(req.DryRun)
    blob = sealed(call, key, req.Plaintext, context)
    return {"CiphertextBlob": blob, "KeyId": key.arn, "EncryptionAlgorithm": SYMMETRIC}


@operation("kms", "GenerateDataKey")
async def generate_data_key(call: Call, req: GenerateDataKeyRequest) -> GenerateDataKeyResponse:
    if req.Recipient is not None:
        raise unsupported(NO_ENCLAVES)
    plaintext, blob, key = await data_key(call, req, "kms:GenerateDataKey")
    return {"CiphertextBlob": blob, "Plaintext": plaintext, "KeyId": key.arn, "KeyMaterialId": key.material.id}


@operation("kms", "GenerateDataKeyWithoutPlaintext")
async def generate_data_key_without_plaintext(
    call: Call, req: GenerateDataKeyWithoutPlaintextRequest
) -> GenerateDataKeyWithoutPlaintextResponse:
    _, blob, key = await data_key(call, req, "kms:GenerateDataKeyWithoutPlaintext")
    return {"CiphertextBlob": blob, "KeyId": key.arn, "KeyMaterialId": key.material.id}


async def data_key(
    call: Call, req: GenerateDataKeyRequest | GenerateDataKeyWithoutPlaintextRequest, action: str
) -> tuple[bytes, bytes, Key]:
    """A new data key, clear and encrypted, and the key that encrypted it."""
    if (req.KeySpec is None) == (req.NumberOfBytes is None):
        raise validation(ONE_OF_BOTH)
    size = _SPEC_BYTES[req.KeySpec] if req.KeySpec is not None else req.NumberOfBytes or 0
    context = req.EncryptionContext or {}
    key = await for_encryption(call, req.KeyId, action, context)
    dry(req.DryRun)
    plaintext = secrets.token_bytes(size)
    return plaintext, sealed(call, key, plaintext, context), key


@operation("kms", "GenerateRandom")
async def generate_random(call: Call, req: GenerateRandomRequest) -> GenerateRandomResponse:
    call.authorize("kms:GenerateRandom", "*")
    if req.Recipient is not None:
        raise unsupported(NO_ENCLAVES)
    if req.CustomKeyStoreId is not None:
        raise unsupported("Custom key stores are not implemented by this server.")
    if req.NumberOfBytes is None:
        raise validation("NumberOfBytes is required.")
    return {"Plaintext": secrets.token_bytes(req.NumberOfBytes)}


@operation("kms", "Decrypt")
async def decrypt(call: Call, req: DecryptRequest) -> DecryptResponse:
    check_algorithm(req.EncryptionAlgorithm)
    if req.Recipient is not None:
        raise unsupported(NO_ENCLAVES)
    context = req.EncryptionContext or {}
    blob = req.CiphertextBlob or b""
    key, named = await key_of(call, blob, req.KeyId, "kms:Decrypt", context, ignored=bool(req.DryRunModifiers))
    dry(req.DryRun)
    return {
        "KeyId": key.arn,
        "Plaintext": opened(call, key, blob, context),
        "EncryptionAlgorithm": SYMMETRIC,
        "KeyMaterialId": named.material_id,
    }


async def key_of(
    call: Call, blob: bytes, name: str | None, action: str, context: dict[str, str], *, ignored: bool = False
) -> tuple[Key, Named]:
    """The key that a ciphertext names, for the caller to decrypt with.

    Raises InvalidCiphertextException, and IncorrectKeyException where `name` means another key. `ignored`: a dry run
    that brings no ciphertext, only the key's name.
    """
    if ignored:
        raise unsupported("DryRunModifiers are not implemented by this server.")
    if not blob:
        raise validation(
            "1 validation error detected: Value null at 'ciphertextBlob' failed to satisfy constraint: "
            "Member must not be null"
        )
    with as_faults():
        named = await call.app.cipher.named(blob)
    if named.region != call.region:
        raise invalid_ciphertext()
    need = Need(action=action, states=ONLY_ENABLED, aliases=True, context=context)
    if name is None:
        return await asked.usable(call, named.key_arn, need), named
    where = asked.place(call, name, need)
    if where.resource.startswith("alias/") and await leads_to(call, where) != named.key_arn:
        raise incorrect_key()
    if where.resource.startswith("key/") and where.arn != named.key_arn:
        raise incorrect_key()
    return await asked.usable(call, name, need), named


async def leads_to(call: Call, where: Place) -> str:
    """The ARN of the key behind an alias."""
    with as_faults():
        try:
            return (await call.app.storage.read(lambda reader: rows.find(reader, where, call.now()))).arn
        except NoSuchKey:
            if where.account != call.account:
                return ""
            raise


def opened(call: Call, key: Key, blob: bytes, context: dict[str, str]) -> bytes:
    with as_faults():
        return call.app.cipher.keyring.decrypt(key.body.materials, blob, context)


@operation("kms", "ReEncrypt")
async def re_encrypt(call: Call, req: ReEncryptRequest) -> ReEncryptResponse:
    check_algorithm(req.SourceEncryptionAlgorithm, req.DestinationEncryptionAlgorithm)
    before, after = req.SourceEncryptionContext or {}, req.DestinationEncryptionContext or {}
    blob = req.CiphertextBlob or b""
    source, named = await key_of(
        call, blob, req.SourceKeyId, "kms:ReEncryptFrom", before, ignored=bool(req.DryRunModifiers)
    )
    target = await for_encryption(call, req.DestinationKeyId, "kms:ReEncryptTo", after)
    dry(req.DryRun)
    plaintext = opened(call, source, blob, before)
    return {
        "CiphertextBlob": sealed(call, target, plaintext, after),
        "SourceKeyId": source.arn,
        "KeyId": target.arn,
        "SourceEncryptionAlgorithm": SYMMETRIC,
        "DestinationEncryptionAlgorithm": SYMMETRIC,
        "SourceKeyMaterialId": named.material_id,
        "DestinationKeyMaterialId": target.material.id,
    }
