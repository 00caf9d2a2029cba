"""Craton with many identities: 10,000 users, 1,000 roles, 5,000 policies. Start, memory, and what a change costs.

Owns the making of such a home, straight through the store, and the clock. Each user has an access key, an attached policy
and a group of 100; each role a trust policy and a managed one. Memory is PSS, shared pages counted in part.

    python -m bench.identities [--users 10000] [--roles 1000] [--policies 5000]

Prints a Markdown table.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import signal
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import boto3
import msgspec
from botocore.config import Config

from craton.infra.identities import records
from craton.infra.identities.records import Group, Key, ManagedPolicy, Role, User, Version
from craton.infra.identities.seal import ACCESS_KEYS, Sealer
from craton.infra.identities.secrets import access_key_id
from craton.infra.keys.private import home_secret
from craton.infra.store.opening import open_store
from craton.infra.store.port import GLOBAL, Resource, Transaction

ACCOUNT, SECRET, GROUP_OF = "000000000000", "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY", 100
LIMITS = "[limits]\niam_users = 1000000\niam_roles = 1000000\niam_policies = 1000000\niam_groups = 1000000\n"
TRUST = json.dumps(
    {"Version": "2012-10-17",
     "Statement": [{"Effect": "Allow", "Principal": {"AWS": f"arn:aws:iam::{ACCOUNT}:root"}, "Action": "sts:AssumeRole"}]}
)  # fmt: skip


def document(number: int) -> str:
    """A policy as people write them, of about a kilobyte."""
    models = [f"arn:aws:bedrock:*::foundation-model/vendor{at}.model-{number}-v1:0" for at in range(10)]
    actions = ["bedrock:InvokeModel", "bedrock:InvokeModelWithResponseStream"]
    nova = "arn:aws:bedrock:*::foundation-model/amazon.nova-lite-v1:0"
    statement = {"Effect": "Allow", "Action": actions, "Resource": [*models, nova]}
    return json.dumps({"Version": "2012-10-17", "Statement": [statement]})


def people(home: Path, users: int, roles: int, policies: int) -> str:
    """Fill the home's store; the access key id of one user."""
    now, sealer = datetime.now(UTC), Sealer(home_secret(home, ACCESS_KEYS))
    arns = [f"arn:aws:iam::{ACCOUNT}:policy/p{at}" for at in range(policies)]
    ids: list[str] = []

    def rows() -> Iterator[Resource]:
        key = ""
        for at in range(policies):
            version = Version(id="v1", document=document(at), created_at=now)
            yield records.row_of(records.POLICY, ACCOUNT, ManagedPolicy(name=f"p{at}", versions=[version]), now)
        for at in range(users):
            key = access_key_id("AKIA", ACCOUNT)
            body = User(
                name=f"user{at}", attached=[arns[at % policies]], access_keys=[key], tags={"team": f"t{at % 50}"}
            )
            row = records.row_of(records.USER, ACCOUNT, body, now)
            ids.append(row.id)
            yield row
            yield key_row(key, row.id, sealer, now)
        for at in range(roles):
            body = Role(name=f"role{at}", trust=TRUST, attached=[arns[at % policies]])
            yield records.row_of(records.ROLE, ACCOUNT, body, now)
        for at in range(0, users, GROUP_OF):
            group = Group(name=f"group{at}", members=ids[at : at + GROUP_OF], attached=[arns[at % policies]])
            yield records.row_of(records.GROUP, ACCOUNT, group, now)
        last.append(key)

    last: list[str] = []
    store = open_store(home / "craton.db", durable=False)
    with store.transaction() as transaction:
        fill(transaction, rows())
    store.close()
    return last[0]


def fill(transaction: Transaction, rows: Iterator[Resource]) -> None:
    for row in rows:
        transaction.create(row)


def key_row(key: str, user_id: str, sealer: Sealer, now: datetime) -> Resource:
    return Resource(
        account=ACCOUNT,
        region=GLOBAL,
        kind=records.ACCESS_KEY,
        id=key,
        arn=records.key_arn(ACCOUNT, key),
        status="Active",
        created_at=now,
        updated_at=now,
        body=msgspec.json.encode(Key(user_id=user_id, sealed=sealer.seal(SECRET.encode(), key.encode()))),
    )


def pss_mib(pid: int) -> float:
    """Proportional set size of a process and its children, model processes left out."""
    total = 0
    for process in [pid, *children(pid)]:
        text = Path(f"/proc/{process}/smaps_rollup").read_text()
        total += int(re.findall(r"^Pss:\s+(\d+)", text, re.MULTILINE)[0])
    return total / 1024


def children(pid: int) -> list[int]:
    return [int(word) for word in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]


class Server:
    """One server on a home of its own."""

    def __init__(self, home: Path) -> None:
        (home / "bench.toml").write_text(LIMITS)
        command = [sys.executable, "-m", "craton.cli.main", "serve", "--port", "0", "--home", str(home)]
        began = time.monotonic()
        self.process = subprocess.Popen(
            [*command, "--config", str(home / "bench.toml")],
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            env={**os.environ, "CRATON_ROOT_ACCESS_KEY_ID": "AKIAROOT", "CRATON_ROOT_SECRET_ACCESS_KEY": SECRET},
        )
        assert self.process.stdout is not None
        line = ""
        while "http://" not in line:
            line = self.process.stdout.readline()
        self.start_s = time.monotonic() - began
        self.url = next(word for word in line.split() if word.startswith("http://"))

    def client(self, service: str, key: str = "AKIAROOT") -> Any:
        config = Config(retries={"max_attempts": 0}, read_timeout=120)
        return boto3.client(service, endpoint_url=self.url, region_name="us-east-1", aws_access_key_id=key,
                            aws_secret_access_key=SECRET, config=config)  # fmt: skip

    def stop(self) -> None:
        self.process.send_signal(signal.SIGTERM)
        self.process.wait(timeout=30)


def median_ms(work: Any, times: int) -> float:
    taken = []
    for at in range(times):
        began = time.perf_counter()
        work(at)
        taken.append((time.perf_counter() - began) * 1000)
    return statistics.median(taken)


def measure(users: int, roles: int, policies: int) -> dict[str, float]:
    with tempfile.TemporaryDirectory() as folder:
        home = Path(folder)
        key = people(home, users, roles, policies) if users else "AKIAROOT"
        server = Server(home)
        try:
            found = {"start, s": server.start_s, "memory at start, MiB": pss_mib(server.process.pid)}
            sts, iam, bedrock = server.client("sts", key), server.client("iam"), server.client("bedrock", "AKIAROOT")
            sts.get_caller_identity()
            iam.get_account_summary()
            found["GetCallerIdentity, ms"] = median_ms(lambda _: sts.get_caller_identity(), 50)
            found["ListFoundationModels, ms"] = median_ms(lambda _: bedrock.list_foundation_models(), 20)
            found["GetUser, ms"] = median_ms(lambda _: iam.get_user(UserName="user7"), 50) if users else 0.0
            found["CreateUser, ms"] = median_ms(lambda at: iam.create_user(UserName=f"new{at}"), 7)
            name = {"PolicyDocument": document(1)}
            found["CreatePolicy, ms"] = median_ms(lambda at: iam.create_policy(PolicyName=f"new{at}", **name), 7)
            found["memory after, MiB"] = pss_mib(server.process.pid)
        finally:
            server.stop()
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    for name, default in (("users", 10_000), ("roles", 1000), ("policies", 5000)):
        parser.add_argument(f"--{name}", type=int, default=default)
    given = parser.parse_args()
    none, many = measure(0, 0, 0), measure(given.users, given.roles, given.policies)
    print(f"| | nobody | {given.users} users, {given.roles} roles, {given.policies} policies |\n|---|---|---|")
    for name, value in many.items():
        print(f"| {name} | {none[name]:.2f} | {value:.2f} |")


if __name__ == "__main__":
    main()
