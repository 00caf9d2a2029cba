"""ListInferenceProfiles and GetInferenceProfile for the profiles that the system defines."""

from __future__ import annotations

from typing import TYPE_CHECKING

from craton.aws.wire.faults import not_found, validation
from craton.context import Call
from craton.models.catalog.rows import Profile
from craton.services.operation import operation

if TYPE_CHECKING:
    from craton.aws.shapes.bedrock import (
        GetInferenceProfileRequest,
        GetInferenceProfileResponse,
        InferenceProfileSummary,
        ListInferenceProfilesRequest,
        ListInferenceProfilesResponse,
    )

DEFAULT_PAGE = 100
INVALID_TOKEN = "The provided nextToken is invalid."  # noqa: S105 - a message


def summary(profile: Profile, call: Call) -> InferenceProfileSummary:
    return {
        "inferenceProfileName": profile.name,
        "description": profile.description,
        "inferenceProfileArn": profile.arn(call.region, call.account),
        "models": [{"modelArn": arn} for arn in profile.model_arns(call.region)],
        "inferenceProfileId": profile.profile_id,
        "status": "ACTIVE",
        "type": "SYSTEM_DEFINED",
    }


def token_place(token: str | None, ids: list[str]) -> int:
    """Where a page begins. The list is the same for everybody and holds nothing secret, so its token is the next id."""
    if token is None:
        return 0
    if token not in ids:
        raise validation(INVALID_TOKEN)
    return ids.index(token)


@operation("bedrock", "ListInferenceProfiles", status="partial")
async def list_inference_profiles(call: Call, req: ListInferenceProfilesRequest) -> ListInferenceProfilesResponse:
    call.authorize("bedrock:ListInferenceProfiles", "*")
    profiles = [] if req.typeEquals == "APPLICATION" else call.app.catalog.profiles(call.region)
    ids = [profile.profile_id for profile in profiles]
    start = token_place(req.nextToken, ids)
    end = start + (req.maxResults or DEFAULT_PAGE)
    page: ListInferenceProfilesResponse = {
        "inferenceProfileSummaries": [summary(profile, call) for profile in profiles[start:end]]
    }
    if end < len(ids):
        page["nextToken"] = ids[end]
    return page


@operation("bedrock", "GetInferenceProfile", status="partial")
async def get_inference_profile(call: Call, req: GetInferenceProfileRequest) -> GetInferenceProfileResponse:
    name = req.inferenceProfileIdentifier
    if name.startswith("arn:"):
        parts = name.split(":", 5)
        if parts[3] != call.region or parts[4] != call.account:
            raise validation("The provided inference profile identifier is invalid.")
        name = parts[5].partition("/")[2]
    profile = call.app.catalog.profile(name, call.region)
    if profile is None:
        raise not_found("The requested inference profile could not be found.")
    call.authorize("bedrock:GetInferenceProfile", profile.arn(call.region, call.account))
    shown = summary(profile, call)
    return {**shown}
