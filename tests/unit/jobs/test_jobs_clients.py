"""Clients of jobs go where they are told, whatever the machine's environment says."""

from __future__ import annotations

import os
from datetime import UTC, datetime

import pytest
from botocore.utils import parse_timestamp

from craton.aws.access.credentials import root_principal
from craton.infra.identities.sessions import Sessions
from craton.workflows.clients import Clients, Endpoint, leave_profiles, when
from craton.workflows.credentials import RenewedSessions, Standing

HERE = Endpoint("http://127.0.0.1:9")
ASTRAY = {
    "AWS_PROFILE": "nobody",
    "AWS_USE_FIPS_ENDPOINT": "true",
    "AWS_BEARER_TOKEN_BEDROCK": "x",
    "AWS_ENDPOINT_URL": "http://127.0.0.1:1",
    "AWS_CA_BUNDLE": "/none",
    "AWS_ACCESS_KEY_ID": "theirs",
    "AWS_SECRET_ACCESS_KEY": "theirs",
}


@pytest.mark.parametrize("service", ["s3", "sts", "bedrock-runtime"])
def test_nothing_leads_a_client_astray(service: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Endpoint, keys and kind of signature are those that were given; keys of the environment are left for others."""
    for name, value in ASTRAY.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("AWS_CONFIG_FILE", "/none")
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", "/none")
    leave_profiles()
    assert os.environ["AWS_ACCESS_KEY_ID"] == "theirs"
    sessions = Sessions(lambda: b"k" * 32)
    made = RenewedSessions(
        lambda: Standing(root_principal("000000000000"), "000000000000"),
        sessions,
        lambda: datetime.now(UTC),
        "eu-west-3",
    )
    client = Clients().renewed(service, HERE, made)
    assert (client.meta.endpoint_url, client.meta.region_name) == (HERE.url, "eu-west-3")
    signer = client._request_signer
    assert signer.signature_version == ("s3v4" if service == "s3" else "v4")
    frozen = signer._credentials.get_frozen_credentials()
    assert frozen.access_key == made.keys().access_key_id
    assert sessions.open(frozen.token) is not None
    client.close()


@pytest.mark.parametrize(
    "told",
    ["2026-11-24T02:50:00.123Z", "2026-11-24T02:50:00Z", "2026-11-24T02:50:00+05:30", "2026-11-24", "20261124",
     "2026-11-24T02:50:00", "Tue, 24 Nov 2026 02:50:00 GMT", "1700000000", 1700000000, 1700000000.25],
)  # fmt: skip
def test_times_in_replies_are_what_botocore_reads(told: str | float) -> None:
    """However a service writes a time, a job's client gives the moment that any client gives."""
    found, expected = when(told), parse_timestamp(told)
    assert found == expected
    assert found.utcoffset() == expected.utcoffset()


def test_what_is_no_time_is_refused() -> None:
    with pytest.raises(ValueError, match="Invalid timestamp"):
        when("soon")
