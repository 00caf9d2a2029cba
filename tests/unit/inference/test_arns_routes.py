"""From the ARNs of hosted models to routes."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import msgspec
import pytest

from craton import config, config_tables
from craton.aws.wire.faults import Fault
from craton.features.inference.routing.compile import Compiler
from craton.features.inference.routing.hosted import owned
from craton.features.inference.routing.routes import Resolved, Route, Routes
from craton.models.catalog.hosted import Hosted
from craton.models.catalog.local import LocalModel
from craton.models.catalog.rows import load
from craton.models.dialects.all import dialect_named
from craton.models.dialects.dialect import Dialect, Shown

ACCOUNT, REGION = "123456789012", "us-east-1"
OTHER = "999999999999"
HAIKU = "anthropic.claude-3-haiku-20240307-v1:0"
SAMPLE = LocalModel(id="craton.chat-mini-v4:0", directory="/nowhere")
HEAD = f"arn:aws:bedrock:{REGION}:{ACCOUNT}:"
IMPORTED = f"{HEAD}imported-model/aaaaaaaaaaaa"
PROVISIONED = f"{HEAD}provisioned-model/bbbbbbbbbbbb"
ENDPOINT = f"arn:aws:sagemaker:{REGION}:{ACCOUNT}:endpoint/flan"


def named(name: str) -> Dialect:
    found = dialect_named(name)
    assert found is not None
    return found


LLAMA, OPENAI = named("meta.llama"), named("openai.chat")


class Silent:
    """A provider that is only named."""

    dialect = dialect_named("openai.chat")

    def __init__(self, upstream: Any) -> None:
        self.upstream = upstream
        self.name = upstream.provider


def hosted(arn: str = IMPORTED, **more: Any) -> Hosted:
    return Hosted(arn=arn, account=ACCOUNT, region=REGION, name="one", deployment=arn, **more)


SETTINGS = config.Settings(home="/nowhere", file=config_tables.ConfigFile())
BASE = Compiler(SETTINGS, load(), Silent, dialect_named).routes([SAMPLE])  # type: ignore[arg-type]


def table(*models: Hosted) -> Routes:
    return BASE.owning((), (), hosted=models)


def resolve(*models: Hosted, name: str = "", account: str = ACCOUNT, region: str = REGION) -> Resolved:
    return table(*models).resolve(name or models[0].arn, account, region)


def test_a_hosted_model_is_judged_by_its_own_arn_and_asks_its_deployment() -> None:
    """One target: the replicas, with what they must know of the request."""
    found = resolve(hosted(adapter="sql", waits_s=1.5, context_tokens=4000))
    target = found.route.sole
    assert found.resources == (IMPORTED,)
    assert target is not None
    assert (target.provider.name, target.model) == ("local", IMPORTED)
    assert target.quirks == {"adapter": "sql", "waits_s": 1.5, "media": False}
    assert found.route.max_output_tokens == 4000
    assert found.route.capabilities.count_tokens


def test_all_endpoints_have_one_name_in_policies() -> None:
    """The service authorization reference knows no single endpoint; the container speaks SageMaker's contract."""
    found = resolve(hosted(ENDPOINT, speaks="sagemaker"))
    assert found.resources == (f"{HEAD}marketplace/model-endpoint/all-access",)
    assert found.route.targets[0].provider.name == "container"
    assert not found.route.capabilities.count_tokens


@pytest.mark.parametrize(("account", "region"), [(OTHER, REGION), (ACCOUNT, "eu-west-1")])
@pytest.mark.parametrize("arn", [IMPORTED, PROVISIONED, ENDPOINT])
def test_what_is_anothers_is_an_invalid_identifier(arn: str, account: str, region: str) -> None:
    """Neither another account's nor another region's, and the refusal does not tell that it exists."""
    with pytest.raises(Fault, match="The provided model identifier is invalid."):
        resolve(hosted(arn), account=account, region=region)


def test_what_is_deleted_is_an_invalid_identifier() -> None:
    """The next generation knows nothing of it."""
    with pytest.raises(Fault, match="The provided model identifier is invalid."):
        table().resolve(IMPORTED, ACCOUNT, REGION)


def test_what_is_still_being_made_is_not_ready() -> None:
    """SDKs try that again by themselves."""
    with pytest.raises(Fault) as caught:
        resolve(hosted(active=False))
    assert caught.value.name == "ModelNotReadyException"


def test_made_of_a_model_of_the_catalog_it_keeps_that_models_rules() -> None:
    """Native schema and capabilities are the foundation model's; the targets, and the name, are its own."""
    found = resolve(hosted(PROVISIONED, foundation=HAIKU, standin=SAMPLE.id))
    base = BASE.by_id[HAIKU]
    assert found.route.model is base.model
    assert found.route.capabilities is base.capabilities
    assert found.route.model_id == PROVISIONED
    assert [target.model for target in found.route.targets] == [PROVISIONED]
    assert found.route.targets[0].standin == SAMPLE.id
    assert found.route.dialect is base.dialect


def test_a_family_with_prompts_takes_openais_conversations_too() -> None:
    """A body with messages is OpenAI's, one with a prompt the family's; each is answered in its own schema."""
    dialect = resolve(hosted(schema="meta.llama")).route.dialect
    assert dialect is not None
    assert dialect.name == "meta.llama"
    prompt = dialect.read_request(b'{"prompt":"Hello","max_gen_len":5}')
    chat = dialect.read_request(b'{"messages":[{"role":"user","content":"Hello"}],"max_tokens":6}')
    assert [one.inference_config.max_tokens for one in (prompt, chat) if one.inference_config] == [5, 6]
    with pytest.raises(Fault, match="Malformed input request"):
        dialect.read_request(b"[")
    asked = ((b'{"prompt":"Hello"}', prompt), (b'{"messages":[]}', chat))
    writers = [dialect.writer(Shown("m", request, "id", body)) for body, request in asked]
    assert [type(one) for one in writers] == [type(plain.writer(Shown("m", prompt, "id"))) for plain in (LLAMA, OPENAI)]


def test_a_schema_that_has_messages_of_its_own_stands_alone() -> None:
    """Nothing in a body would tell the two apart."""
    assert resolve(hosted(schema="mistral.chat")).route.dialect is dialect_named("mistral.chat")


@pytest.mark.parametrize(("kind", "native"), [("embedding", "openai.embeddings"), ("image", "openai.images")])
def test_other_kinds_do_not_converse(kind: Any, native: str) -> None:
    """Their native schema is their kind's own."""
    route = resolve(hosted(kind=kind)).route
    assert (route.kind, route.native, route.capabilities.converse) == (kind, native, False)


def test_a_container_of_another_kind_is_told_by_its_schema() -> None:
    """An endpoint says in which schema it speaks; what it does follows, and its replicas are asked in it."""
    route = resolve(hosted(ENDPOINT, speaks="sagemaker", schema="openai.embeddings")).route
    assert (route.kind, route.native) == ("embedding", "openai.embeddings")
    assert route.targets[0].quirks["schema"] == "openai.embeddings"


def test_replicas_of_its_own_are_asked_like_the_models() -> None:
    """The quirks of the model's own targets go with it: a container that sees keeps its eyes."""
    mini = BASE.by_id[SAMPLE.id]
    seeing = replace(mini, targets=(replace(mini.targets[0], quirks={"schema": "x"}),))
    made = BASE.host(hosted(PROVISIONED, foundation=SAMPLE.id), seeing)
    assert made.targets[0].quirks == {"schema": "x", "waits_s": 2.0}


def test_a_model_without_a_template_does_not_converse() -> None:
    """InvokeModel remains."""
    assert not resolve(hosted(converse=False)).route.capabilities.converse


def test_policies_may_ask_for_its_tags() -> None:
    """As of profiles and routers."""
    assert table(hosted(tags={"team": "a"})).tags(IMPORTED) == {"team": "a"}


def test_a_caller_sees_what_it_may_call() -> None:
    """Its own in its region, and not what is still being made."""
    mine = hosted(f"{IMPORTED}1"), hosted(f"{IMPORTED}2", active=False)
    theirs = msgspec.structs.replace(mine[0], account=OTHER)
    assert owned([*mine, theirs], ACCOUNT, REGION) == [mine[0]]


def test_two_hundred_idle_models_are_records_and_nothing_more() -> None:
    """No route, provider or target is made before a model is called, and then one of each."""
    made: list[Hosted] = []

    def host(one: Hosted, made_of: Route | None) -> Route:
        made.append(one)
        return BASE.host(one, made_of)

    many = [hosted(f"{HEAD}imported-model/{number:012}") for number in range(200)]
    routes = Routes(load(), (), relaxed=False, hosted=many, host=host)
    assert made == []
    first = routes.resolve(many[7].arn, ACCOUNT, REGION)
    assert routes.resolve(many[7].arn, ACCOUNT, REGION) is first
    assert made == [many[7]]
