"""The catalog: ids, ARNs, filters, system inference profiles."""

from __future__ import annotations

import re

import pytest

from craton.models.catalog import capabilities as matrix
from craton.models.catalog import rows
from craton.models.catalog.rows import Catalog, Model, id_needs_profile, partition, refuse_bare_id


@pytest.fixture(scope="module")
def catalog() -> Catalog:
    return rows.load()


def known(catalog: Catalog, model_id: str) -> Model:
    model = catalog.find(model_id)
    assert model is not None
    return model


def test_every_id_is_there_once(catalog: Catalog) -> None:
    """All 204 ids load, each under its own name."""
    assert len(catalog) == len(catalog.models()) == 204


def test_a_row_becomes_a_model(catalog: Catalog) -> None:
    """The letters of the file are spelled out."""
    model = known(catalog, "amazon.nova-lite-v1:0:300k")
    assert (model.name, model.provider_name) == ("Nova Lite", "Amazon")
    assert model.input_modalities == ("TEXT", "IMAGE", "VIDEO")
    assert model.output_modalities == ("TEXT",)
    assert model.customizations == ("FINE_TUNING", "DISTILLATION")
    assert model.inference_types == ("PROVISIONED",)
    assert (model.lifecycle, model.streaming, model.context_tokens) == ("ACTIVE", True, 300_000)


def test_an_unknown_id_is_not_found(catalog: Catalog) -> None:
    """Neither invented ids nor profile ids are models."""
    assert catalog.find("anthropic.claude-v9") is None
    assert catalog.find("us.anthropic.claude-3-haiku-20240307-v1:0") is None


def test_image_models_leave_streaming_out(catalog: Catalog) -> None:
    """Image models have no streaming member, text embeddings say false."""
    assert known(catalog, "amazon.titan-image-generator-v1").streaming is None
    assert known(catalog, "luma.ray-v2:0").streaming is None
    assert known(catalog, "amazon.titan-embed-text-v1").streaming is False
    assert known(catalog, "ai21.j2-ultra-v1").streaming is False


def test_dates_of_the_lifecycle(catalog: Catalog) -> None:
    """Published dates are there, also for the suffixed variants of an id."""
    for model_id in ("anthropic.claude-3-haiku-20240307-v1:0", "anthropic.claude-3-haiku-20240307-v1:0:48k"):
        model = known(catalog, model_id)
        assert model.lifecycle == "LEGACY"
        assert str(model.legacy_time) == "2026-03-10 00:00:00+00:00"
        assert str(model.end_of_life_time) == "2026-09-10 00:00:00+00:00"
    assert known(catalog, "meta.llama3-8b-instruct-v1:0").lifecycle == "ACTIVE"


def test_arns_carry_the_partition_and_no_account(catalog: Catalog) -> None:
    """A foundation model's ARN has no account; its partition follows the region."""
    model = known(catalog, "anthropic.claude-v2")
    assert catalog.arn(model, "eu-west-1") == "arn:aws:bedrock:eu-west-1::foundation-model/anthropic.claude-v2"
    assert model.arn("us-gov-west-1").startswith("arn:aws-us-gov:bedrock:us-gov-west-1::")
    assert partition("cn-north-1") == "aws-cn"


def test_filters_narrow_the_list(catalog: Catalog) -> None:
    """Each filter holds alone, and all together."""
    assert {m.provider_name for m in catalog.models(provider="anthropic")} == {"Anthropic"}
    assert catalog.models(provider="ai21") == catalog.models(provider="AI21 labs") != []
    assert all("EMBEDDING" in m.output_modalities for m in catalog.models(output_modality="EMBEDDING"))
    assert all("PROVISIONED" in m.inference_types for m in catalog.models(inference_type="PROVISIONED"))
    found = catalog.models(provider="Amazon", customization="CONTINUED_PRE_TRAINING", inference_type="PROVISIONED")
    assert [m.model_id for m in found] == ["amazon.titan-text-lite-v1:0:4k", "amazon.titan-text-express-v1:0:8k"]
    assert catalog.models(provider="nobody") == []


def test_profiles_and_inference_types_agree(catalog: Catalog) -> None:
    """A model has profiles exactly if it can be called through one."""
    for model in catalog.models():
        assert bool(model.profiles) == ("INFERENCE_PROFILE" in model.inference_types), model.model_id


def test_a_profile_of_a_geography(catalog: Catalog) -> None:
    """A profile has Bedrock's name and text, the caller's ARN, and one model ARN per destination."""
    profile = catalog.profile("us.anthropic.claude-3-haiku-20240307-v1:0")
    assert profile is not None
    assert profile.name == "US Anthropic Claude 3 Haiku"
    assert profile.description == "Routes requests to Anthropic Claude 3 Haiku in us-east-1 and us-west-2."
    assert profile.arn("us-east-1", "123456789012") == (
        "arn:aws:bedrock:us-east-1:123456789012:inference-profile/us.anthropic.claude-3-haiku-20240307-v1:0"
    )
    model_id = "anthropic.claude-3-haiku-20240307-v1:0"
    assert profile.model_arns("us-east-1") == [
        f"arn:aws:bedrock:us-east-1::foundation-model/{model_id}",
        f"arn:aws:bedrock:us-west-2::foundation-model/{model_id}",
    ]


def test_a_global_profile(catalog: Catalog) -> None:
    """A global profile names the caller's region and the ARN without one."""
    profile = catalog.profile("global.anthropic.claude-opus-4-6-v1", "sa-east-1")
    assert profile is not None
    assert profile.name == "Global Anthropic Claude Opus 4.6"
    assert profile.model_arns("sa-east-1") == [
        "arn:aws:bedrock:sa-east-1::foundation-model/anthropic.claude-opus-4-6-v1",
        "arn:aws:bedrock:::foundation-model/anthropic.claude-opus-4-6-v1",
    ]


def test_profiles_belong_to_their_source_regions(catalog: Catalog) -> None:
    """A region sees its own geographies' profiles only; government regions see no global ones."""
    prefixes = {region: {p.geography.prefix for p in catalog.profiles(region)} for region in (
        "us-east-1", "eu-central-1", "ap-northeast-1", "us-gov-west-1", "sa-east-1", "ca-central-1"
    )}  # fmt: skip
    assert prefixes == {
        "us-east-1": {"us", "global"},
        "eu-central-1": {"eu", "global"},
        "ap-northeast-1": {"apac", "jp", "global"},
        "us-gov-west-1": {"us-gov"},
        "sa-east-1": {"global"},
        "ca-central-1": {"ca", "global"},
    }
    assert catalog.profile("eu.amazon.nova-lite-v1:0", "us-east-1") is None


@pytest.mark.parametrize(
    "profile_id", ["us.anthropic.claude-v2", "xx.amazon.nova-lite-v1:0", "amazon.nova-lite-v1:0", "us.", "", "us.a.b"]
)
def test_what_is_no_profile(catalog: Catalog, profile_id: str) -> None:
    """Ids without a profile, with an unknown geography or none are no profiles."""
    assert catalog.profile(profile_id) is None


def test_profiles_fit_bedrocks_bounds(catalog: Catalog) -> None:
    """Names, texts and ids stay within what Bedrock's model allows."""
    for profile in catalog.profiles():
        assert len(profile.name) <= 64
        assert len(profile.description) <= 200
        assert re.fullmatch(r"[a-zA-Z0-9-:.]+", profile.profile_id)


def test_bare_ids_that_need_a_profile(catalog: Catalog) -> None:
    """A model without on-demand throughput is refused by its bare id, in Bedrock's words."""
    assert id_needs_profile(known(catalog, "anthropic.claude-3-7-sonnet-20250219-v1:0"))
    assert not id_needs_profile(known(catalog, "anthropic.claude-3-haiku-20240307-v1:0"))
    assert refuse_bare_id("x.y") == (
        "Invocation of model ID x.y with on-demand throughput isn’t supported. Retry your request with the ID or ARN "
        "of an inference profile that contains this model."
    )


def test_every_model_has_capabilities(catalog: Catalog) -> None:
    """Each family of the catalog is in the matrix, and the matrix knows no other."""
    assert {model.family for model in catalog.models()} == set(matrix.families())
    for model in catalog.models():
        can = matrix.capabilities(model)
        assert can.converse or not (can.stream or can.tools or can.vision)
        if model.output_modalities[0] != "TEXT":
            assert not can.converse


def can(catalog: Catalog, model_id: str) -> matrix.Capabilities:
    return matrix.capabilities(known(catalog, model_id))


@pytest.mark.parametrize(
    ("model_id", "able", "unable"),
    [
        ("ai21.j2-ultra-v1", "converse one_user_message_only guardrails", "stream system documents tools"),
        ("amazon.titan-text-express-v1", "stream documents", "system tools prefill"),
        ("amazon.titan-text-premier-v1:0", "stream guardrails", "documents"),
        ("anthropic.claude-v2", "system documents prefill", "tools vision caching"),
        ("anthropic.claude-3-haiku-20240307-v1:0", "vision tools_streaming tool_choice_tool", "count_tokens s3_links"),
        ("anthropic.claude-3-5-haiku-20241022-v1:0", "tools documents", "vision"),
        ("meta.llama3-1-8b-instruct-v1:0", "tools documents", "tools_streaming tool_choice_any vision"),
        ("mistral.mistral-large-2402-v1:0", "tools tool_choice_any", "tool_choice_tool tools_streaming"),
        ("mistral.mistral-7b-instruct-v0:2", "converse documents", "system tools"),
        ("mistral.pixtral-large-2502-v1:0", "vision", "video"),
        ("amazon.nova-micro-v1:0", "tools tools_streaming", "documents vision video s3_links"),
        ("amazon.nova-pro-v1:0", "s3_links vision video documents tool_choice_any", "audio"),
        ("cohere.embed-english-v3", "", "converse stream"),
        ("openai.gpt-oss-20b-1:0", "tools tools_streaming", "vision tool_choice_tool"),
    ],
)
def test_the_matrix_is_as_bedrocks_page_has_it(catalog: Catalog, model_id: str, able: str, unable: str) -> None:
    """Spot checks of the page: one per peculiarity."""
    found = can(catalog, model_id)
    assert [flag for flag in able.split() if not getattr(found, flag)] == []
    assert [flag for flag in unable.split() if getattr(found, flag)] == []


def test_parameters_that_a_family_refuses(catalog: Catalog) -> None:
    """Stop sequences and sampling parameters are refused where Bedrock refuses them."""
    assert not can(catalog, "openai.gpt-oss-20b-1:0").stop_sequences
    assert not can(catalog, "qwen.qwen3-32b-v1:0").stop_sequences
    assert not can(catalog, "openai.gpt-6-sol").temperature
    assert not can(catalog, "openai.gpt-5.6-sol").top_p
    assert can(catalog, "openai.gpt-5.5").temperature
    assert can(catalog, "anthropic.claude-opus-5").deprecated == ("temperature",)
    assert not can(catalog, "anthropic.claude-sonnet-4-5-20250929-v1:0").temperature_with_top_p
    assert can(catalog, "anthropic.claude-sonnet-4-5-20250929-v1:0").prefill
    assert not can(catalog, "anthropic.claude-opus-4-6-v1").prefill
    assert not can(catalog, "anthropic.claude-opus-4-7").count_tokens
    assert can(catalog, "anthropic.claude-3-5-sonnet-20240620-v1:0").count_tokens
