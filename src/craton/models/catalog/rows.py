"""The foundation models that Bedrock lists, and its system inference profiles, read from `data/models.json`.

Owns: which ids exist, what is known of each, their ARNs, which profile leads to which model from which region.
Must not know: requests, accounts' permissions, where a model runs here. Filters arrive validated.

The facts come from AWS's pages and from recorded answers; `source` tells how sure an id is (see the file's legend).
Every model is listed in every region, since no public table says otherwise.
"""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import Literal

import msgspec

_FILE = Path(__file__).with_name("data") / "models.json"

_MODALITIES = {"T": "TEXT", "I": "IMAGE", "V": "VIDEO", "A": "AUDIO", "S": "SPEECH", "E": "EMBEDDING"}
_CUSTOMIZATIONS = {
    "F": "FINE_TUNING",
    "C": "CONTINUED_PRE_TRAINING",
    "D": "DISTILLATION",
    "R": "REINFORCEMENT_FINE_TUNING",
}
_INFERENCE = {"O": "ON_DEMAND", "P": "PROVISIONED", "I": "INFERENCE_PROFILE"}

# What the filters of ListFoundationModels accept: more than botocore's enums, as real answers hold more.
MODALITIES = tuple(_MODALITIES.values())
CUSTOMIZATIONS = tuple(_CUSTOMIZATIONS.values())
INFERENCE_TYPES = tuple(_INFERENCE.values())


class Model(msgspec.Struct, frozen=True, kw_only=True):
    """One foundation model.

    `streaming` None: real answers leave the member out. `profiles`: the geographies that have a system profile of it.
    `dialect`: the native schema of its InvokeModel bodies. `family`: the key of `capabilities`.
    `context_tokens` and `max_output_tokens` are the vendor's limits, not fields of Bedrock's API.
    """

    model_id: str
    name: str
    provider_name: str
    input_modalities: tuple[str, ...]
    output_modalities: tuple[str, ...]
    streaming: bool | None
    customizations: tuple[str, ...]
    inference_types: tuple[str, ...]
    lifecycle: Literal["ACTIVE", "LEGACY"]
    legacy_time: datetime | None
    end_of_life_time: datetime | None
    context_tokens: int | None
    max_output_tokens: int | None
    profiles: tuple[str, ...]
    dialect: str
    family: str
    source: str

    def arn(self, region: str) -> str:
        return f"arn:{partition(region)}:bedrock:{region}::foundation-model/{self.model_id}"


class Geography(msgspec.Struct, frozen=True, array_like=True):
    """What one profile prefix means: its label in names, the regions it may be called from, where it leads.

    Both lists empty: any commercial region (`global`).
    """

    prefix: str
    label: str
    source_regions: tuple[str, ...]
    destination_regions: tuple[str, ...]

    def serves(self, region: str) -> bool:
        """Whether callers in this region have the profiles of this geography."""
        return region in self.source_regions if self.source_regions else partition(region) == "aws"


class Profile(msgspec.Struct, frozen=True):
    """A system-defined inference profile: a geography's prefix before a model's id."""

    model: Model
    geography: Geography
    destination_regions: tuple[str, ...]

    @property
    def profile_id(self) -> str:
        return f"{self.geography.prefix}.{self.model.model_id}"

    @property
    def name(self) -> str:
        """Such as `US Anthropic Claude 3 Haiku`."""
        return f"{self.geography.label} {_branded(self.model)}"

    @property
    def description(self) -> str:
        if not self.destination_regions:
            return f"Routes requests to {_branded(self.model)} globally across all supported AWS Regions."
        *others, last = self.destination_regions
        return f"Routes requests to {_branded(self.model)} in {', '.join(others)} and {last}."

    def arn(self, region: str, account: str) -> str:
        """The profile as an account in `region` owns it."""
        return f"arn:{partition(region)}:bedrock:{region}:{account}:inference-profile/{self.profile_id}"

    def model_arns(self, region: str) -> list[str]:
        """The models behind it for a caller in `region`: one per destination.

        A global profile has two: the caller's own region, and the ARN without a region that stands for all others.
        """
        if self.destination_regions:
            return [self.model.arn(destination) for destination in self.destination_regions]
        return [self.model.arn(region), f"arn:aws:bedrock:::foundation-model/{self.model.model_id}"]


class Catalog:
    """All models and system profiles. Immutable after `load`."""

    __slots__ = ("_geographies", "_models", "_narrower")

    def __init__(self, models: list[Model], geographies: list[Geography], narrower: dict[str, tuple[str, ...]]) -> None:
        self._models = {model.model_id: model for model in models}
        self._geographies = {geography.prefix: geography for geography in geographies}
        self._narrower = narrower

    def __len__(self) -> int:
        return len(self._models)

    def find(self, model_id: str) -> Model | None:
        """The model with exactly this id (no ARN, no profile id)."""
        return self._models.get(model_id)

    def arn(self, model: Model, region: str) -> str:
        return model.arn(region)

    def models(
        self,
        *,
        provider: str | None = None,
        customization: str | None = None,
        output_modality: str | None = None,
        inference_type: str | None = None,
    ) -> list[Model]:
        """The models that pass every filter given, in the catalog's order.

        `provider` is held without regard to case against the provider's name and against the id's first part
        (`ai21` as well as `AI21 Labs`).
        """
        wanted = provider.lower() if provider is not None else None
        return [
            model
            for model in self._models.values()
            if (wanted is None or wanted in (model.provider_name.lower(), model.model_id.partition(".")[0]))
            and (customization is None or customization in model.customizations)
            and (output_modality is None or output_modality in model.output_modalities)
            and (inference_type is None or inference_type in model.inference_types)
        ]

    def profile(self, profile_id: str, region: str | None = None) -> Profile | None:
        """The system profile with this id; with a region, only if callers there have it."""
        prefix, _, model_id = profile_id.partition(".")
        geography = self._geographies.get(prefix)
        model = self._models.get(model_id)
        if geography is None or model is None or prefix not in model.profiles:
            return None
        if region is not None and not geography.serves(region):
            return None
        return Profile(model, geography, self._narrower.get(profile_id, geography.destination_regions))

    def profiles(self, region: str | None = None) -> list[Profile]:
        """All system profiles that callers in `region` have (all there are without one), in the models' order."""
        found = (
            self.profile(f"{prefix}.{model.model_id}", region)
            for model in self._models.values()
            for prefix in model.profiles
        )
        return [profile for profile in found if profile is not None]


def partition(region: str) -> str:
    """AWS's partition of a region: the second field of an ARN."""
    if region.startswith("us-gov-"):
        return "aws-us-gov"
    return "aws-cn" if region.startswith("cn-") else "aws"


def id_needs_profile(model: Model) -> bool:
    """Whether calls with the bare id are refused, since the model has no on-demand throughput (`refuse_bare_id`)."""
    return "ON_DEMAND" not in model.inference_types


def refuse_bare_id(model_id: str) -> str:
    """Bedrock's text for `id_needs_profile`, with its typographic apostrophe; `model_id` as the caller gave it."""
    return (
        f"Invocation of model ID {model_id} with on-demand throughput isn\u2019t supported. Retry your request with the "
        "ID or ARN of an inference profile that contains this model."
    )


def load() -> Catalog:
    """Read the catalog (a few milliseconds)."""
    data = msgspec.json.decode(_FILE.read_bytes(), type=_File)
    return Catalog([_model(row) for row in data.rows], data.geographies, data.narrower)


class _Row(msgspec.Struct, array_like=True):
    """A line of the file; the columns are named at its head."""

    model_id: str
    name: str
    provider_name: str
    modalities: str
    streaming: bool | None
    customizations: str
    inference_types: str
    lifecycle: str
    legacy_date: str | None
    end_of_life_date: str | None
    context_tokens: int | None
    max_output_tokens: int | None
    profiles: str
    dialect: str
    family: str
    source: str


class _File(msgspec.Struct):
    rows: list[_Row]
    geographies: list[Geography]
    narrower: dict[str, tuple[str, ...]]


def _model(row: _Row) -> Model:
    given, _, answered = row.modalities.partition(">")
    return Model(
        model_id=row.model_id,
        name=row.name,
        provider_name=row.provider_name,
        input_modalities=tuple(_MODALITIES[letter] for letter in given),
        output_modalities=tuple(_MODALITIES[letter] for letter in answered),
        streaming=row.streaming,
        customizations=tuple(_CUSTOMIZATIONS[letter] for letter in row.customizations),
        inference_types=tuple(_INFERENCE[letter] for letter in row.inference_types),
        lifecycle="ACTIVE" if row.lifecycle == "A" else "LEGACY",
        legacy_time=_midnight(row.legacy_date),
        end_of_life_time=_midnight(row.end_of_life_date),
        context_tokens=row.context_tokens,
        max_output_tokens=row.max_output_tokens,
        profiles=tuple(row.profiles.split()),
        dialect=row.dialect,
        family=row.family,
        source=row.source,
    )


def _midnight(date: str | None) -> datetime | None:
    return datetime.fromisoformat(date).replace(tzinfo=UTC) if date else None


def _branded(model: Model) -> str:
    """Vendor and name as profile names have them: Amazon leaves itself out, and no vendor is named twice."""
    brand = model.provider_name.removesuffix(" AI").removesuffix(" Labs")
    name = model.name.replace("(", "").replace(")", "")
    return name if brand == "Amazon" or name.lower().startswith(brand.lower()) else f"{brand} {name}"
