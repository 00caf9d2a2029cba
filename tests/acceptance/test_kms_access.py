"""Who may use a key: its policy first, then identities, then grants; each refusal says what AWS's says."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from tests.acceptance.kms import ACCOUNT, OTHER, made, of_user, others, policy, refused, serving_keys
from tests.running import Running

ROOT = {"Effect": "Allow", "Principal": {"AWS": f"arn:aws:iam::{ACCOUNT}:root"}, "Action": "kms:*", "Resource": "*"}


def let(who: str, *actions: str, **more: Any) -> dict[str, Any]:
    """A statement of a key policy."""
    return {"Effect": "Allow", "Principal": {"AWS": who}, "Action": list(actions), "Resource": "*", **more}


def may(*actions: str, resource: str = "*", **more: Any) -> dict[str, Any]:
    """A statement of a user's own policy."""
    return {"Effect": "Allow", "Action": list(actions), "Resource": resource, **more}


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    with serving_keys(tmp_path_factory.mktemp("home")) as running:
        yield running


@pytest.fixture(scope="module")
def kms(server: Running) -> Any:
    return server.client("kms")


def test_the_default_policy_leaves_it_to_identities(server: Running, kms: Any) -> None:
    """A user without a policy may nothing; with one, what it says."""
    arn = made(kms)
    nobody, user = of_user(server, "nobody")
    text = f"User: {user} is not authorized to perform: kms:Encrypt on resource: {arn} because no identity-based policy"
    refused("AccessDeniedException", text, nobody.encrypt, KeyId=arn, Plaintext=b"x")
    somebody, _ = of_user(server, "somebody", may("kms:Encrypt", resource=arn))
    blob = somebody.encrypt(KeyId=arn, Plaintext=b"x")["CiphertextBlob"]
    refused("AccessDeniedException", "kms:Decrypt", somebody.decrypt, CiphertextBlob=blob)


def test_nothing_is_learnt_unauthorised(server: Running) -> None:
    """Whoever may nothing is told so, whether a key is there or not, and whatever the operation."""
    nobody, _ = of_user(server, "curious")
    for call, given in (
        (nobody.create_key, {}),
        (nobody.list_keys, {}),
        (nobody.list_aliases, {}),
        (nobody.describe_key, {"KeyId": "11111111-2222-3333-4444-555555555555"}),
        (nobody.generate_random, {"NumberOfBytes": 1}),
        (nobody.create_alias, {"AliasName": "alias/x", "TargetKeyId": "11111111-2222-3333-4444-555555555555"}),
        (nobody.get_public_key, {"KeyId": "x"}),
        (nobody.list_retirable_grants, {"RetiringPrincipal": f"arn:aws:iam::{ACCOUNT}:root"}),
    ):
        refused("AccessDeniedException", "is not authorized to perform", call, **given)


def test_a_key_policy_may_shut_out_even_root(server: Running, kms: Any) -> None:
    """Nobody gets in whom the policy does not name; the safety check keeps one from doing so by mistake."""
    user, arn_of_user = of_user(server, "keeper")
    text = policy(let(arn_of_user, "kms:*"))
    refused("MalformedPolicyDocumentException", "update the key policy", kms.create_key, Policy=text)
    arn = made(kms, Policy=text, BypassPolicyLockoutSafetyCheck=True)
    denied = "because no resource-based policy allows the kms:Encrypt action"
    refused("AccessDeniedException", denied, kms.encrypt, KeyId=arn, Plaintext=b"x")
    assert user.encrypt(KeyId=arn, Plaintext=b"x")["KeyId"] == arn
    user.put_key_policy(KeyId=arn, Policy=policy(ROOT, let(arn_of_user, "kms:*")))
    assert kms.describe_key(KeyId=arn)["KeyMetadata"]["Enabled"]


def test_an_explicit_deny_beats_everything(server: Running, kms: Any) -> None:
    """The key's Deny holds against root, and against a grant."""
    user, arn_of_user = of_user(server, "denied", may("kms:*"))
    deny = {"Effect": "Deny", "Principal": "*", "Action": "kms:Decrypt", "Resource": "*"}
    arn = made(kms, Policy=policy(ROOT, deny))
    kms.create_grant(KeyId=arn, GranteePrincipal=arn_of_user, Operations=["Decrypt"])
    blob = kms.encrypt(KeyId=arn, Plaintext=b"x")["CiphertextBlob"]
    for client in (kms, user):
        refused(
            "AccessDeniedException", "explicit deny in a resource-based policy", client.decrypt, CiphertextBlob=blob
        )


def test_conditions_on_the_encryption_context(server: Running, kms: Any) -> None:
    """kms:EncryptionContext, kms:ViaService and the key's tags are there to be asked for."""
    condition = {"StringEquals": {"kms:EncryptionContext:tenant": "a", "aws:ResourceTag/team": "red"}}
    user, _ = of_user(server, "tenant", may("kms:Encrypt", Condition=condition))
    arn = made(kms, Tags=[{"TagKey": "team", "TagValue": "red"}])
    assert user.encrypt(KeyId=arn, Plaintext=b"x", EncryptionContext={"tenant": "a"})["KeyId"] == arn
    wrong = {"tenant": "b"}
    refused("AccessDeniedException", "kms:Encrypt", user.encrypt, KeyId=arn, Plaintext=b"x", EncryptionContext=wrong)
    both = {"Tenant": "b", "tenant": "a"}  # a condition would see one of them, the ciphertext holds two
    refused("ValidationException", "case", user.encrypt, KeyId=arn, Plaintext=b"x", EncryptionContext=both)
    through = {"StringEquals": {"kms:ViaService": "bedrock.us-east-1.amazonaws.com"}}
    only, _ = of_user(server, "only-through-bedrock", may("kms:*", Condition=through))
    refused("AccessDeniedException", "kms:Encrypt", only.encrypt, KeyId=arn, Plaintext=b"x")


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("{", "line 1"),
        ("{}", "Statement"),
        (policy({"Effect": "Allow", "Action": "kms:*", "Resource": "*"}), "Principal"),
    ],
)
def test_malformed_policies_name_the_place(kms: Any, text: str, told: str) -> None:
    """Neither CreateKey nor PutKeyPolicy takes what is no key policy."""
    refused("MalformedPolicyDocumentException", told, kms.create_key, Policy=text)
    refused("MalformedPolicyDocumentException", told, kms.put_key_policy, KeyId=made(kms), Policy=text)


def test_policies_are_kept_as_they_were_written(kms: Any) -> None:
    """Byte for byte, under the one name that there is."""
    text = policy(ROOT, let(f"arn:aws:iam::{OTHER}:root", "kms:Encrypt")).replace(",", " ,\n")
    arn = made(kms)
    kms.put_key_policy(KeyId=arn, PolicyName="default", Policy=text)
    assert kms.get_key_policy(KeyId=arn)["Policy"] == text
    assert kms.list_key_policies(KeyId=arn)["PolicyNames"] == ["default"]
    refused("NotFoundException", "No such policy", kms.get_key_policy, KeyId=arn, PolicyName="other")


def test_another_account_needs_the_keys_policy(server: Running, kms: Any) -> None:
    """Both sides must allow; operations on the key itself stay in its own account."""
    arn = made(kms)
    stranger = others(server)
    missing = f"{arn[:-12]}000000000000"
    for name in (arn, missing):  # whether it is there is none of its business
        told = "kms:Encrypt on this resource because the resource does not exist in this Region, no resource-based"
        refused("AccessDeniedException", told, stranger.encrypt, KeyId=name, Plaintext=b"x")
    kms.put_key_policy(KeyId=arn, Policy=policy(ROOT, let(f"arn:aws:iam::{OTHER}:root", "kms:*")))
    blob = stranger.encrypt(KeyId=arn, Plaintext=b"x")["CiphertextBlob"]
    assert kms.decrypt(CiphertextBlob=blob)["Plaintext"] == b"x"
    refused("AccessDeniedException", "kms:DisableKey", stranger.disable_key, KeyId=arn)


def test_grants(server: Running, kms: Any) -> None:
    """A grant lets its grantee do what it names, under its constraints, until it is revoked."""
    user, arn_of_user = of_user(server, "grantee")
    arn = made(kms)
    given = {"KeyId": arn, "GranteePrincipal": arn_of_user, "Operations": ["Encrypt", "Decrypt"], "Name": "one"}
    constraints = {"EncryptionContextSubset": {"tenant": "a"}}
    grant = kms.create_grant(**given, Constraints=constraints)
    context = {"tenant": "a", "more": "1"}
    blob = user.encrypt(KeyId=arn, Plaintext=b"x", EncryptionContext=context)["CiphertextBlob"]
    assert user.decrypt(CiphertextBlob=blob, EncryptionContext=context)["Plaintext"] == b"x"
    refused("AccessDeniedException", "kms:Encrypt", user.encrypt, KeyId=arn, Plaintext=b"x")
    refused("AccessDeniedException", "GenerateDataKey", user.generate_data_key, KeyId=arn, KeySpec="AES_256")
    listed = kms.list_grants(KeyId=arn)["Grants"]
    assert [(row["GrantId"], row["Name"], row["Constraints"]) for row in listed] == [
        (grant["GrantId"], "one", constraints)
    ]
    kms.revoke_grant(KeyId=arn, GrantId=grant["GrantId"])
    denied = {"KeyId": arn, "Plaintext": b"x", "EncryptionContext": context}
    refused("AccessDeniedException", "kms:Encrypt", user.encrypt, **denied)
    refused("NotFoundException", "Grant ID", kms.revoke_grant, KeyId=arn, GrantId=grant["GrantId"])


def test_a_named_grant_is_made_once(server: Running, kms: Any) -> None:
    """The same request again gives the same grant; without a name it gives another."""
    _, arn_of_user = of_user(server, "twice")
    arn = made(kms)
    given = {"KeyId": arn, "GranteePrincipal": arn_of_user, "Operations": ["Encrypt"]}
    ids = [kms.create_grant(**given, Name="n")["GrantId"] for _ in range(2)]
    assert ids[0] == ids[1]
    assert kms.create_grant(**given)["GrantId"] != kms.create_grant(**given)["GrantId"]


def test_a_grant_cannot_be_widened_by_its_grantee(server: Running, kms: Any) -> None:
    """Whoever may make grants by a grant passes on no more than it has."""
    user, arn_of_user = of_user(server, "climber")
    arn = made(kms)
    only = {"EncryptionContextEquals": {"tenant": "a"}}
    kms.create_grant(KeyId=arn, GranteePrincipal=arn_of_user, Operations=["Encrypt", "CreateGrant"], Constraints=only)
    own = {"KeyId": arn, "GranteePrincipal": arn_of_user}
    for wider in (
        {"Operations": ["Decrypt"], "Constraints": only},
        {"Operations": ["Encrypt"]},
        {"Operations": ["Encrypt"], "Constraints": {"EncryptionContextEquals": {"tenant": "b"}}},
    ):
        refused("AccessDeniedException", "kms:CreateGrant", user.create_grant, **own, **wider)
    assert user.create_grant(**own, Operations=["Encrypt"], Constraints=only)["GrantId"]


def test_grants_are_retired(server: Running, kms: Any) -> None:
    """By its retiring principal, by token or id; not by others; a token that was changed is none."""
    user, arn_of_user = of_user(server, "retirer")
    stranger, _ = of_user(server, "bystander")
    arn = made(kms)
    given = {"KeyId": arn, "GranteePrincipal": arn_of_user, "Operations": ["Encrypt"], "RetiringPrincipal": arn_of_user}
    one, two = kms.create_grant(**given), kms.create_grant(**given)
    refused("AccessDeniedException", "kms:RetireGrant", stranger.retire_grant, GrantToken=one["GrantToken"])
    refused("InvalidGrantTokenException", "token", user.retire_grant, GrantToken="A" + one["GrantToken"][1:] + "A")
    assert len(kms.list_retirable_grants(RetiringPrincipal=arn_of_user)["Grants"]) == 2
    user.retire_grant(GrantToken=one["GrantToken"])
    user.retire_grant(KeyId=arn, GrantId=two["GrantId"])
    assert kms.list_grants(KeyId=arn)["Grants"] == []


def test_grants_that_are_not_built_say_so(kms: Any) -> None:
    """Operations that a symmetric key lacks, and service principals."""
    arn = made(kms)
    refused(
        "ValidationException", "Sign", kms.create_grant, KeyId=arn,
        GranteePrincipal=f"arn:aws:iam::{ACCOUNT}:root", Operations=["Sign"],
    )  # fmt: skip
