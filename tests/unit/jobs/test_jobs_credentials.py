"""Credentials of jobs: short, renewed in time, and only while they may be had."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta

import pytest

from craton.aws.access.authority import Authority
from craton.aws.access.credentials import AccessKey, Credentials, Principal, root_principal
from craton.infra.identities.sessions import Sessions
from craton.workflows.calling import path_of
from craton.workflows.credentials import RenewedSessions, Standing, as_caller, as_service
from craton.workflows.workflow import JobFailed

ACCOUNT = "111111111111"
JOB = f"arn:aws:bedrock:us-east-1:{ACCOUNT}:async-invoke/abc"
ROOT = root_principal(ACCOUNT, "AKIAROOT")


class World:
    """A clock, the seal of sessions, and whether credentials may be had."""

    def __init__(self) -> None:
        self.at = datetime(2026, 1, 2, 3, 4, 5, 678, tzinfo=UTC)
        self.sessions = Sessions(lambda: b"k" * 32)
        self.refused = False
        self.asked = 0

    def now(self) -> datetime:
        return self.at

    def stand(self) -> Standing:
        self.asked += 1
        if self.refused:
            raise JobFailed("gone")
        return Standing(ROOT, ACCOUNT)


def test_sessions_are_made_again_before_they_end() -> None:
    """Not for each call; and no more once the role is taken away."""
    world = World()
    made = RenewedSessions(world.stand, world.sessions, world.now, "us-east-1")
    first = made.keys()
    assert asyncio.run(made.fresh()) is first
    world.at += timedelta(minutes=43)
    assert made.keys() is first
    world.at += timedelta(minutes=2)
    second = asyncio.run(made.fresh())
    assert second.access_key_id != first.access_key_id
    assert world.asked == 2
    world.refused = True
    world.at += timedelta(hours=1)
    with pytest.raises(JobFailed):
        made.keys()


def test_a_session_stands_with_whom_it_stands_for() -> None:
    """Its token is opened by any process of the home, and its key is worth nothing without its owner."""
    world = World()
    keys = RenewedSessions(as_caller(ROOT, JOB), world.sessions, world.now, "us-east-1").keys()
    there = Credentials.of([AccessKey.of("AKIAROOT", "s", ROOT)], open_token=world.sessions.open)
    assert there.session(keys.access_key_id, keys.session_token) is not None
    assert Credentials(open_token=world.sessions.open).session(keys.access_key_id, keys.session_token) is None


def test_a_session_of_a_session_keeps_its_age() -> None:
    """Policies that revoke older sessions (aws:TokenIssueTime) reach the jobs that these started."""
    world = World()
    old = datetime(2026, 1, 1, tzinfo=UTC)
    caller = Principal(account=ACCOUNT, arn=f"arn:aws:sts::{ACCOUNT}:assumed-role/r/s", kind="assumed-role",
                       user_id="AROA1:s", role_arn=f"arn:aws:iam::{ACCOUNT}:role/r", issued_at=old)  # fmt: skip
    keys = RenewedSessions(as_caller(caller, JOB), world.sessions, world.now, "us-east-1").keys()
    session = world.sessions.open(keys.session_token)
    assert session is not None
    assert (session.issuer, session.principal.issued_at) == ("AROA1", old)


def test_policies_see_that_a_service_calls() -> None:
    """By itself: for which resource and account; on behalf of the caller: that it does."""
    world = World()
    seen = []
    for stand in (as_service("bedrock.amazonaws.com", JOB), as_caller(ROOT, JOB)):
        keys = RenewedSessions(stand, world.sessions, world.now, "us-east-1").keys()
        owner = Credentials.of([AccessKey.of("AKIAROOT", "s", ROOT)], open_token=world.sessions.open)
        assert owner.session(keys.access_key_id, keys.session_token) is not None
        principal = owner.session_owner(keys.access_key_id, keys.session_token)
        assert principal is not None
        seen.append(Authority().standing(principal).keys)
    assert (seen[0]["aws:sourcearn"], seen[0]["aws:sourceaccount"]) == (JOB, ACCOUNT)
    assert seen[0]["aws:principalservicename"] == "bedrock.amazonaws.com"
    assert seen[1]["aws:viaawsservice"] == "true"
    assert "aws:sourcearn" not in seen[1]


def test_models_are_asked_at_the_paths_that_sdks_use() -> None:
    """An ARN is one segment."""
    assert path_of("a.b-v1:0", "invoke") == b"/model/a.b-v1%3A0/invoke"
    arn = f"arn:aws:bedrock:us-east-1:{ACCOUNT}:inference-profile/x"
    assert path_of(arn, "converse") == (
        b"/model/arn%3Aaws%3Abedrock%3Aus-east-1%3A111111111111%3Ainference-profile%2Fx/converse"
    )
