"""The true action table in force: profiles and the models behind them, guardrails, tiers, tags, roles that are passed."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from craton.features.inference.routing.profiles import StoredProfile
from tests.integration.access.inprocess import ACCOUNT, BOB, HELLO, REGION, Answer, Scene, allow

HAIKU = "anthropic.claude-3-haiku-20240307-v1:0"
FM = f"arn:aws:bedrock:{REGION}::foundation-model/{HAIKU}"
US = f"arn:aws:bedrock:{REGION}:{ACCOUNT}:inference-profile/us.{HAIKU}"
BEHIND = f"arn:aws:bedrock:*::foundation-model/{HAIKU}"
TEAM = StoredProfile(ACCOUNT, REGION, "aaaaaaaaaaaa", FM, {"Team": "art"})
GLOBAL = "global.anthropic.claude-sonnet-4-20250514-v1:0"
GUARDRAIL = f"arn:aws:bedrock:{REGION}:{ACCOUNT}:guardrail/abcdefghijkl"
INVOKE = "bedrock:InvokeModel"
APPLY = "bedrock:ApplyGuardrail"


@pytest.fixture(scope="module")
def scene(tmp_path_factory: pytest.TempPathFactory) -> Scene:
    made = Scene(tmp_path_factory.mktemp("home"))
    made.stand([TEAM])
    return made


@pytest.fixture
def converse(scene: Scene) -> Callable[..., Answer]:
    def call(model: str = HAIKU, how: str = "access key", path: str = "converse", **more: Any) -> Answer:
        name = model.replace(":", "%3A").replace("/", "%2F")
        return scene.ask("POST", f"/model/{name}/{path}", {"messages": HELLO, **more}, how)

    return call


def denied(answer: Answer) -> str:
    """The resource of a refusal; "" where nobody was refused by a policy."""
    if not answer.unauthorized:
        return ""
    message: str = answer.json["Message"]
    return message.partition("on resource: ")[2].split(" ")[0]


def test_streams_have_an_action_of_their_own(scene: Scene, converse: Callable[..., Answer]) -> None:
    """Converse and InvokeModel need InvokeModel, their streams InvokeModelWithResponseStream."""
    scene.grant(allow(INVOKE, FM))
    assert [denied(converse(path=path)) for path in ("converse", "invoke")] == ["", ""]
    for path in ("converse-stream", "invoke-with-response-stream"):
        assert denied(converse(path=path)) == FM
    scene.grant(allow("bedrock:InvokeModelWithResponseStream", FM))
    assert denied(converse(path="converse")) == FM
    assert denied(converse(path="converse-stream")) == ""


def test_profiles_and_all_models_behind(scene: Scene, converse: Callable[..., Answer]) -> None:
    """A profile's call is judged on the profile, then on the model in every region that it leads to."""
    profile = f"us.{HAIKU}"
    scene.grant(allow(INVOKE, BEHIND))
    assert denied(converse(profile)) == US
    scene.grant(allow(INVOKE, [US, FM]))
    assert denied(converse(profile)) not in ("", US, FM)
    scene.grant(allow(INVOKE, [US, BEHIND]))
    assert denied(converse(profile)) == ""
    assert denied(converse(US)) == ""


def test_models_through_a_profile_alone(scene: Scene, converse: Callable[..., Answer]) -> None:
    """bedrock:InferenceProfileArn is there for the models behind a profile, and for no other call."""
    through = {"ArnEquals": {"bedrock:InferenceProfileArn": US}}
    scene.grant(allow(INVOKE, US), allow(INVOKE, BEHIND, Condition=through))
    assert denied(converse(f"us.{HAIKU}")) == ""
    assert denied(converse(HAIKU)) == FM


def test_regions_behind(scene: Scene, converse: Callable[..., Answer]) -> None:
    """aws:RequestedRegion is the region that a model is in; of a global profile's last one it is `unspecified`."""
    elsewhere = {"StringNotEquals": {"aws:RequestedRegion": [REGION, "us-east-2"]}}
    scene.grant(allow(INVOKE), allow(INVOKE, "*", "Deny", Condition=elsewhere))
    assert denied(converse(HAIKU)) == ""
    assert denied(converse(f"us.{HAIKU}")).split(":")[3] not in ("", REGION, "us-east-2")
    assert denied(converse(GLOBAL)).startswith("arn:aws:bedrock:::foundation-model/")
    elsewhere["StringNotEquals"]["aws:RequestedRegion"].append("unspecified")
    scene.grant(allow(INVOKE), allow(INVOKE, "*", "Deny", Condition=elsewhere))
    assert denied(converse(GLOBAL)) == ""


def test_application_profiles(scene: Scene, converse: Callable[..., Answer]) -> None:
    """An account's profile is judged by its ARN and its tags, however it is named."""
    tagged = {"StringEquals": {"aws:ResourceTag/team": "${aws:PrincipalTag/team}"}}
    grants = (allow(INVOKE, TEAM.arn, Condition=tagged), allow(INVOKE, FM))
    scene.grant(*grants, tags={"team": "art"})
    for how in ("access key", "session"):
        assert [denied(converse(name, how)) for name in (TEAM.arn, TEAM.id)] == ["", ""]
    scene.grant(*grants, tags={"team": "sales"})
    assert [denied(converse(name)) for name in (TEAM.arn, TEAM.id)] == [TEAM.arn, TEAM.arn]


def test_routers(scene: Scene, converse: Callable[..., Answer]) -> None:
    """A router's call is judged on the router, its profiles and their models, which know the router."""
    router = f"arn:aws:bedrock:{REGION}:{ACCOUNT}:default-prompt-router/anthropic.claude:1"
    scene.grant(allow(INVOKE, "arn:aws:bedrock:*:*:foundation-model/*"))
    assert denied(converse(router)) == router
    scene.grant(allow(INVOKE, router))
    assert ":inference-profile/" in denied(converse(router))
    through = {"ArnEquals": {"bedrock:PromptRouterArn": router}}
    scene.grant(allow(INVOKE, router), allow(INVOKE, "*", Condition=through))
    assert denied(converse(router)) == ""
    assert denied(converse(HAIKU)) == FM


def test_a_policy_that_demands_a_guardrail(scene: Scene, converse: Callable[..., Answer]) -> None:
    """Without the guardrail, or with another version, the model is refused; with it, the guardrail is judged too."""
    demand = {"StringEquals": {"bedrock:GuardrailIdentifier": f"{GUARDRAIL}:1"}}
    config = {"guardrailIdentifier": "abcdefghijkl", "guardrailVersion": "1"}
    scene.grant(allow(INVOKE, FM, Condition=demand))
    assert denied(converse()) == FM
    assert denied(converse(guardrailConfig={**config, "guardrailVersion": "2"})) == FM
    assert denied(converse(guardrailConfig={**config, "guardrailVersion": "DRAFT"})) == FM
    assert denied(converse(guardrailConfig=config)) == GUARDRAIL
    scene.grant(allow(INVOKE, FM, Condition=demand), allow(APPLY, GUARDRAIL))
    for named in ("abcdefghijkl", GUARDRAIL):
        answer = converse(guardrailConfig={**config, "guardrailIdentifier": named})
        assert "guardrail identifier or version provided in the request does not exist" in answer.json["message"]


def test_guardrails_at_other_ways_in(scene: Scene) -> None:
    """InvokeModel and the doors name a guardrail in headers; doors that do not apply one do not count it."""
    demand = {"StringEquals": {"bedrock:GuardrailIdentifier": f"{GUARDRAIL}:1"}}
    scene.grant(allow(INVOKE, "*", Condition=demand), allow(APPLY, GUARDRAIL))
    named = {"X-Amzn-Bedrock-GuardrailIdentifier": GUARDRAIL, "X-Amzn-Bedrock-GuardrailVersion": "1"}
    path, body = f"/model/{HAIKU.replace(':', '%3A')}/invoke", b'{"max_tokens":1,"messages":[]}'
    assert scene.signed("POST", path, body).unauthorized
    assert not scene.signed("POST", path, body, headers=named).unauthorized
    chat = b'{"model":"%b","messages":[{"role":"user","content":"Hi"}]}' % HAIKU.encode()
    assert scene.signed("POST", "/v1/chat/completions", chat).status == 403
    assert scene.signed("POST", "/v1/chat/completions", chat, headers=named).status == 400
    texts = b'{"model":"amazon.titan-embed-text-v2:0","input":"Hi"}'
    assert scene.signed("POST", "/v1/embeddings", texts, headers=named).status == 403


def test_service_tiers(scene: Scene, converse: Callable[..., Answer]) -> None:
    """bedrock:ServiceTier is the tier that is asked for, `default` where none is."""
    scene.grant(allow(INVOKE, FM, Condition={"StringEquals": {"bedrock:ServiceTier": ["default", "flex"]}}))
    assert denied(converse()) == ""
    assert denied(converse(serviceTier={"type": "flex"})) == ""
    assert denied(converse(serviceTier={"type": "priority"})) == FM


def test_what_nobody_knows(scene: Scene, converse: Callable[..., Answer]) -> None:
    """Who may not ask for it is told so; who may is told that it is not there."""
    scene.grant(allow(INVOKE, "arn:aws:bedrock:*::foundation-model/anthropic.*"))
    assert denied(converse("stability.nothing")).endswith("foundation-model/stability.nothing")
    theirs = f"arn:aws:bedrock:{REGION}:999999999999:inference-profile/us.{HAIKU}"
    assert denied(converse(theirs)) == theirs
    assert converse("anthropic.nothing").json["message"] == "The provided model identifier is invalid."


def test_tags_at_birth(scene: Scene) -> None:
    """Tags in a Create call need TagResource, and both actions see them as aws:RequestTag and aws:TagKeys."""
    made = f"arn:aws:bedrock:{REGION}:{ACCOUNT}:application-inference-profile/*"
    body: dict[str, Any] = {"inferenceProfileName": "p", "modelSource": {"copyFrom": FM}}
    tagged = {**body, "tags": [{"key": "team", "value": "art"}]}
    create = "bedrock:CreateInferenceProfile"
    ask = lambda given: scene.ask("POST", "/inference-profiles", given)  # noqa: E731
    scene.grant(allow(create, [FM, made]))
    assert not ask(body).unauthorized
    assert "bedrock:TagResource" in ask(tagged).json["Message"]
    art = {"StringEquals": {"aws:RequestTag/team": "art"}, "ForAllValues:StringEquals": {"aws:TagKeys": ["team"]}}
    scene.grant(allow([create, "bedrock:TagResource"], [FM, made], Condition=art))
    assert not ask(tagged).unauthorized
    assert ask(body).unauthorized
    assert ask({**body, "tags": [{"key": "team", "value": "sales"}]}).unauthorized


def test_jobs_pass_a_role(scene: Scene) -> None:
    """A job's role needs iam:PassRole to Bedrock, before the server looks at the role or at anything else."""
    role = f"arn:aws:iam::{ACCOUNT}:role/batch"
    body = {
        "jobName": "j",
        "customModelName": "m",
        "roleArn": role,
        "baseModelIdentifier": HAIKU,
        "trainingDataConfig": {"s3Uri": "s3://bucket/in"},
        "outputDataConfig": {"s3Uri": "s3://bucket/out"},
    }
    create = allow("bedrock:CreateModelCustomizationJob")
    scene.grant(create)
    told = scene.ask("POST", "/model-customization-jobs", body).json["Message"]
    assert told.startswith(f"User: {BOB} is not authorized to perform: iam:PassRole on resource: {role} because")
    passed = allow("iam:PassRole", role, Condition={"StringEquals": {"iam:PassedToService": "bedrock.amazonaws.com"}})
    scene.grant(create, passed)
    told = scene.ask("POST", "/model-customization-jobs", body).json["message"]
    assert "cannot be assumed by bedrock.amazonaws.com" in told


def test_what_is_not_built_is_judged_on_what_it_names(scene: Scene) -> None:
    """The path's ids become the ARN, whichever form they have."""
    agent = f"arn:aws:bedrock:{REGION}:{ACCOUNT}:agent/ABCDEFGHIJ"
    scene.grant(allow("bedrock:GetAgent", agent))
    assert "not implemented" in scene.ask("GET", "/agents/ABCDEFGHIJ/", None).json["message"]
    assert denied(scene.ask("GET", "/agents/KKKKKKKKKK/", None)).endswith("agent/KKKKKKKKKK")
    scene.grant(allow("bedrock:GetGuardrail", GUARDRAIL))
    for name in ("abcdefghijkl", GUARDRAIL.replace("/", "%2F")):
        assert "not implemented" in scene.ask("GET", f"/guardrails/{name}", None).json["message"]
    alias = f"arn:aws:bedrock:{REGION}:{ACCOUNT}:agent-alias/ABCDEFGHIJ/TSTALIASID"
    assert denied(scene.ask("GET", "/agents/ABCDEFGHIJ/agentaliases/TSTALIASID/", None)) == alias
