"""Access to models by agreement: offered, made, cancelled, for each account; and a server that demands none."""

from __future__ import annotations

import base64
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import ClientError

from tests.acceptance import rawhttp
from tests.acceptance.resources import CONFIG, FM, HARD, others, owning, profile, router
from tests.acceptance.serving import CLAUDE, GPT, HAIKU, HELLO, LLAMA, NOVA, Served, converse_path

AGREEMENTS = CONFIG + '[compat]\nmodel_access = "agreements"\n'
REFUSAL = "You don't have access to the model with the specified model ID."
FORM = json.dumps({"companyName": "Example", "useCases": "tests of agreements"}).encode()


@pytest.fixture(scope="module")
def demanding(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    """Two workers, two accounts, and no access without an agreement."""
    with owning(tmp_path_factory.mktemp("home"), "--ephemeral", config=AGREEMENTS) as running:
        yield running


@pytest.fixture(autouse=True)
def _fresh(request: pytest.FixtureRequest) -> None:
    if "demanding" in request.fixturenames:
        reset(request.getfixturevalue("demanding"))


def reset(served: Served) -> None:
    assert rawhttp.call(served.server, "POST", "/craton/reset").status == 200


def ask(runtime: Any, model: str) -> str:
    reply = runtime.converse(modelId=model, messages=HELLO)
    text: str = reply["output"]["message"]["content"][0]["text"]
    return text


def refused(runtime: Any, model: str) -> None:
    with pytest.raises(runtime.exceptions.AccessDeniedException, match=REFUSAL):
        ask(runtime, model)


def token_of(bedrock: Any, model: str) -> str:
    (offer,) = bedrock.list_foundation_model_agreement_offers(modelId=model)["offers"]
    token: str = offer["offerToken"]
    return token


def agree(bedrock: Any, model: str) -> Any:
    return bedrock.create_foundation_model_agreement(modelId=model, offerToken=token_of(bedrock, model))


def states(bedrock: Any, model: str) -> tuple[str, str, str, str]:
    """Agreement, authorization, entitlement, region."""
    found = bedrock.get_foundation_model_availability(modelId=model)
    assert found["modelId"] == model
    return (
        found["agreementAvailability"]["status"],
        found["authorizationStatus"],
        found["entitlementAvailability"],
        found["regionAvailability"],
    )


def error_of(caught: pytest.ExceptionInfo[ClientError]) -> tuple[str, str, int]:
    answer = caught.value.response
    return answer["Error"]["Code"], answer["Error"]["Message"], answer["ResponseMetadata"]["HTTPStatusCode"]


def test_an_agreement_opens_a_model_to_its_account(demanding: Served) -> None:
    """Refused before, answered by every worker right after, in all regions; refused again once it is cancelled."""
    bedrock, runtime = demanding.client("bedrock"), demanding.client()
    elsewhere = demanding.client(region_name="us-west-2")
    refused(runtime, LLAMA)
    assert demanding.up.requests == []
    made = agree(bedrock, LLAMA)
    assert (made["modelId"], made["ResponseMetadata"]["HTTPStatusCode"]) == (LLAMA, 202)
    for _ in range(8):
        assert ask(runtime, LLAMA) == ask(elsewhere, LLAMA) == "Echo: Hello"
    refused(runtime, GPT)
    gone = bedrock.delete_foundation_model_agreement(modelId=LLAMA)
    assert gone["ResponseMetadata"]["HTTPStatusCode"] == 202
    for _ in range(8):
        refused(runtime, LLAMA)
    agree(bedrock, LLAMA)
    assert ask(runtime, LLAMA) == "Echo: Hello"


def test_accounts_agree_for_themselves(demanding: Served) -> None:
    """What one agrees to opens nothing to another, and its offer's token is of no use there."""
    bedrock, theirs = demanding.client("bedrock"), others(demanding)
    agree(bedrock, LLAMA)
    refused(others(demanding, "bedrock-runtime"), LLAMA)
    assert states(theirs, LLAMA)[0] == "NOT_AVAILABLE"
    with pytest.raises(ClientError) as caught:
        theirs.create_foundation_model_agreement(modelId=LLAMA, offerToken=token_of(bedrock, LLAMA))
    assert error_of(caught)[0] == "ValidationException"
    agree(theirs, LLAMA)
    assert ask(others(demanding, "bedrock-runtime"), LLAMA) == "Echo: Hello"


def test_offers_are_steady_and_for_one_model(demanding: Served) -> None:
    """The same offer each time, by whatever type is asked; a token of another model or of nobody is refused."""
    bedrock = demanding.client("bedrock")
    first = bedrock.list_foundation_model_agreement_offers(modelId=LLAMA)
    assert (first["modelId"], len(first["offers"])) == (LLAMA, 1)
    assert first["offers"][0]["termDetails"]["usageBasedPricingTerm"]["rateCard"][0]["price"] == "0.00"
    for kind in ("ALL", "PUBLIC"):
        again = bedrock.list_foundation_model_agreement_offers(modelId=LLAMA, offerType=kind)
        assert again["offers"] == first["offers"]
    assert bedrock.list_foundation_model_agreement_offers(modelId=NOVA)["offers"] == []
    for token in (token_of(bedrock, GPT), "made-up", "schön", ""):
        with pytest.raises(ClientError) as caught:
            bedrock.create_foundation_model_agreement(modelId=LLAMA, offerToken=token)
        assert error_of(caught) == ("ValidationException", "The provided offer token is invalid.", 400)
    refused(demanding.client(), LLAMA)


def test_doing_it_twice_changes_nothing(demanding: Served) -> None:
    """A second agreement is a conflict and the first holds; there is nothing to cancel twice."""
    bedrock = demanding.client("bedrock")
    agree(bedrock, LLAMA)
    with pytest.raises(ClientError) as caught:
        agree(bedrock, LLAMA)
    assert error_of(caught) == ("ConflictException", "Agreement already exists.", 400)
    assert ask(demanding.client(), LLAMA) == "Echo: Hello"
    bedrock.delete_foundation_model_agreement(modelId=LLAMA)
    for model in (LLAMA, GPT, NOVA):
        with pytest.raises(ClientError) as caught:
            bedrock.delete_foundation_model_agreement(modelId=model)
        assert error_of(caught) == ("ValidationException", "No agreement exists to cancel.", 400)


def test_models_that_nobody_knows(demanding: Served) -> None:
    """Not found, by every operation that names a model."""
    bedrock, model = demanding.client("bedrock"), "nobody.no-model-v1"
    for call in (
        lambda: bedrock.list_foundation_model_agreement_offers(modelId=model),
        lambda: bedrock.create_foundation_model_agreement(modelId=model, offerToken="t"),
        lambda: bedrock.delete_foundation_model_agreement(modelId=model),
        lambda: bedrock.get_foundation_model_availability(modelId=model),
    ):
        with pytest.raises(bedrock.exceptions.ResourceNotFoundException):
            call()


def test_anthropic_asks_for_the_use_case_first(demanding: Served) -> None:
    """Without the form no agreement; the form comes back as it went, to its account alone, and is on no disk in the clear."""
    bedrock = demanding.client("bedrock")
    for call in (bedrock.get_use_case_for_model_access, lambda: agree(bedrock, CLAUDE)):
        with pytest.raises(ClientError) as caught:
            call()
        assert error_of(caught)[0::2] == ("ResourceNotFoundException", 404)
    assert states(bedrock, CLAUDE) == ("NOT_AVAILABLE", "NOT_AUTHORIZED", "AVAILABLE", "AVAILABLE")
    put = bedrock.put_use_case_for_model_access(formData=b"a first draft")
    assert put["ResponseMetadata"]["HTTPStatusCode"] == 201
    bedrock.put_use_case_for_model_access(formData=FORM)
    assert bedrock.get_use_case_for_model_access()["formData"] == FORM
    agree(bedrock, CLAUDE)
    assert ask(demanding.client(), CLAUDE) == "Echo: Hello"
    assert states(bedrock, CLAUDE) == ("AVAILABLE", "AUTHORIZED", "AVAILABLE", "AVAILABLE")
    with pytest.raises(ClientError):
        others(demanding).get_use_case_for_model_access()


def test_availability_tells_of_each_condition(demanding: Served) -> None:
    """Agreement, form, target and region, each by its own member; Amazon's models need neither of the first two."""
    bedrock = demanding.client("bedrock")
    assert states(bedrock, NOVA) == ("AVAILABLE", "AUTHORIZED", "AVAILABLE", "AVAILABLE")
    assert states(bedrock, LLAMA) == ("NOT_AVAILABLE", "AUTHORIZED", "AVAILABLE", "AVAILABLE")
    agree(bedrock, LLAMA)
    assert states(bedrock, LLAMA)[0] == "AVAILABLE"
    bedrock.delete_foundation_model_agreement(modelId=LLAMA)
    assert states(bedrock, LLAMA)[0] == "NOT_AVAILABLE"
    assert states(bedrock, "amazon.nova-reel-v1:0")[2] == "NOT_AVAILABLE"  # nothing here makes videos
    only_us, far = "amazon.nova-premier-v1:0", demanding.client("bedrock", region_name="sa-east-1")
    assert states(bedrock, only_us)[3] == "AVAILABLE"
    assert states(far, only_us)[3] == "NOT_AVAILABLE"


def test_every_way_to_a_model_is_closed(demanding: Served) -> None:
    """Both APIs, streams and counts, system profiles, profiles and routers that were made before the agreement ended."""
    bedrock, runtime = demanding.client("bedrock"), demanding.client()
    bedrock.put_use_case_for_model_access(formData=FORM)
    agree(bedrock, HAIKU)
    agree(bedrock, CLAUDE)
    mine, both = profile(bedrock, "mine", FM + HAIKU), router(bedrock, "both")
    hard = [{"role": "user", "content": [{"text": HARD}]}]
    assert ask(runtime, mine) == "Echo: Hello"
    assert runtime.converse(modelId=both, messages=hard)["stopReason"]
    bedrock.delete_foundation_model_agreement(modelId=HAIKU)
    for name in (HAIKU, FM + HAIKU, f"us.{HAIKU}", mine, both):
        refused(runtime, name)
    body = json.dumps({"messages": HELLO}).encode()
    for action in ("converse", "converse-stream", "invoke", "invoke-with-response-stream"):
        rawhttp.refused(
            rawhttp.call(demanding.server, "POST", converse_path(HAIKU, action), body),
            403, "AccessDeniedException", REFUSAL,
        )  # fmt: skip
    assert ask(runtime, CLAUDE) == ask(runtime, NOVA) == "Echo: Hello"
    assert ask(runtime, "craton.chat-mini-v1:0")


def test_a_reset_forgets_agreements_and_forms(demanding: Served) -> None:
    """As after a first start; the offer's token stays good."""
    bedrock = demanding.client("bedrock")
    bedrock.put_use_case_for_model_access(formData=FORM)
    token = token_of(bedrock, LLAMA)
    agree(bedrock, LLAMA)
    reset(demanding)
    refused(demanding.client(), LLAMA)
    with pytest.raises(bedrock.exceptions.ResourceNotFoundException):
        bedrock.get_use_case_for_model_access()
    bedrock.create_foundation_model_agreement(modelId=LLAMA, offerToken=token)
    assert ask(demanding.client(), LLAMA) == "Echo: Hello"


def test_policies_decide_who_may_agree(demanding: Served) -> None:
    """Each of the operations is an action; who may do none of them learns nothing."""
    iam = demanding.client("iam")
    iam.create_user(UserName="clerk")
    allowed = {"Effect": "Allow", "Action": "bedrock:List*", "Resource": "*"}
    document = json.dumps({"Version": "2012-10-17", "Statement": [allowed]})
    iam.put_user_policy(UserName="clerk", PolicyName="p", PolicyDocument=document)
    key = iam.create_access_key(UserName="clerk")["AccessKey"]
    clerk = demanding.client(
        "bedrock", aws_access_key_id=key["AccessKeyId"], aws_secret_access_key=key["SecretAccessKey"]
    )
    token = token_of(clerk, LLAMA)
    for action, call in (
        ("Create", lambda: clerk.create_foundation_model_agreement(modelId=LLAMA, offerToken=token)),
        ("Delete", lambda: clerk.delete_foundation_model_agreement(modelId=LLAMA)),
        ("PutUseCase", lambda: clerk.put_use_case_for_model_access(formData=FORM)),
        ("GetUseCase", clerk.get_use_case_for_model_access),
        ("GetFoundationModelAvailability", lambda: clerk.get_foundation_model_availability(modelId=LLAMA)),
    ):
        with pytest.raises(ClientError, match=f"not authorized to perform: bedrock:{action}") as caught:
            call()
        assert error_of(caught)[0::2] == ("AccessDeniedException", 403)


def test_agreements_outlive_the_server(tmp_path: Path) -> None:
    """They are rows of the home's store; the form lies there sealed, and the next server on the home can open it."""
    with owning(tmp_path, config=AGREEMENTS) as served:
        bedrock = served.client("bedrock")
        bedrock.put_use_case_for_model_access(formData=FORM)
        agree(bedrock, LLAMA)
        words = (FORM, b"tests of agreements", base64.b64encode(FORM)[4:-4])
        files = [path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()]
        assert not any(word in content for content in files for word in words)
    with owning(tmp_path, config=AGREEMENTS) as served:
        assert served.client("bedrock").get_use_case_for_model_access()["formData"] == FORM
        assert ask(served.client(), LLAMA) == "Echo: Hello"
        refused(served.client(), GPT)


def test_by_default_nobody_must_agree(tmp_path: Path) -> None:
    """Every model answers and says so; agreements can be made and cancelled all the same, and change only what is said."""
    with owning(tmp_path) as served:
        bedrock, runtime = served.client("bedrock"), served.client()
        for model in (CLAUDE, LLAMA, NOVA):
            assert states(bedrock, model) == ("AVAILABLE", "AUTHORIZED", "AVAILABLE", "AVAILABLE")
        agree(bedrock, LLAMA)
        assert states(bedrock, LLAMA)[0] == "AVAILABLE"
        bedrock.delete_foundation_model_agreement(modelId=LLAMA)
        assert states(bedrock, LLAMA)[0] == "NOT_AVAILABLE"
        assert ask(runtime, LLAMA) == ask(runtime, CLAUDE) == "Echo: Hello"
