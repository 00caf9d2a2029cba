"""LangChain's standard tests, unmodified, for langchain-aws's chat models and embeddings in front of Craton."""

from __future__ import annotations

import subprocess
from collections import defaultdict
from pathlib import Path
from xml.etree import ElementTree as ET

import pytest

from tests.acceptance.clients.judging import HERE, TOOLS, environment, serving_competently
from tests.fakes import files

# How many of the standard tests must have run, so that none hides behind a skip.
CHAT = {
    "TestConverse": 42,
    "TestConverseTranslated": 42,
    "TestConverseNova": 42,
    "TestInvoke": 40,
    "TestInvokeTranslated": 40,
}
CLASSES = {**CHAT, "TestTitan": 5, "TestCohere": 5}
PYTEST = [
    *("-m", "pytest", "-q", "-c", "/dev/null", "-p", "no:cacheprovider", "-o", "asyncio_mode=auto", "-W", "ignore"),
    *("--rootdir", str(HERE), "--confcutdir", str(HERE), "--tb=short"),
]


@pytest.fixture(scope="module")
def outcomes(tmp_path_factory: pytest.TempPathFactory) -> dict[str, dict[str, str]]:
    """Class → test → "passed", or what was wrong. Tests that were skipped are left out."""
    home: Path = tmp_path_factory.mktemp("home")
    (home / "png").write_bytes(files.png(20, 20))
    (home / "pdf").write_bytes(files.pdf("A paper"))
    report = home / "report.xml"
    command = [
        str(TOOLS / "judges" / "bin" / "python"),
        *PYTEST,
        f"--junitxml={report}",
        str(HERE / "standard_langchain.py"),
    ]
    with serving_competently(home) as served:
        given = {**environment(served), "STANDARD_FILES": str(home)}
        done = subprocess.run(command, capture_output=True, text=True, env=given, timeout=300, check=False)
    assert report.exists(), done.stdout + done.stderr
    found: dict[str, dict[str, str]] = defaultdict(dict)
    for case in ET.parse(report).iter("testcase"):
        wrong = [f"{fault.get('message')}\n{fault.text}" for fault in case if fault.tag in {"failure", "error"}]
        if wrong or case.find("skipped") is None:
            found[case.get("classname", "").rsplit(".", 1)[-1]][case.get("name", "")] = "\n".join(wrong) or "passed"
    return found


@pytest.mark.parametrize("name", CLASSES)
def test_the_standard_tests_pass(outcomes: dict[str, dict[str, str]], name: str) -> None:
    """Every test of the class that applies to the model passed, and as many ran as there are."""
    assert {test: told for test, told in outcomes[name].items() if told != "passed"} == {}
    assert len(outcomes[name]) >= CLASSES[name]
