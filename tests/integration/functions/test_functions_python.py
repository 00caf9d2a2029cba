"""Python functions in the host: what they see, what they answer, what they share, what their log says."""

from __future__ import annotations

import asyncio
import re
from pathlib import Path

from tests.integration.functions.hosting import host, run, told


def test_a_function_gets_its_event_and_context(tmp_path: Path) -> None:
    """The event, the request's id, the function's ARN, its memory and the time left reach the function."""

    async def work() -> None:
        async with host(tmp_path) as at:
            plan = at.plan(
                """
                def handler(event, context):
                    left = context.get_remaining_time_in_millis()
                    return [event, context.aws_request_id, context.function_name, context.memory_limit_in_mb, 0 < left <= 10000]
                """
            )
            done = await at.invoke(plan, {"k": "v"}, request_id="11111111-0000-4000-8000-000000000000")
            assert done.error == ""
            assert told(done) == [{"k": "v"}, "11111111-0000-4000-8000-000000000000", "f", "128", True]

    run(work())


def test_a_warm_environment_is_used_again(tmp_path: Path) -> None:
    """What a function keeps outside its handler is there at the next invocation; START, END and REPORT are told of each."""

    async def work() -> None:
        async with host(tmp_path) as at:
            plan = at.plan(
                "seen = []\ndef handler(event, context):\n    seen.append(event)\n    print('hello')\n    return seen"
            )
            assert told(await at.invoke(plan, 1)) == [1]
            done = await at.invoke(plan, 2)
            assert told(done) == [1, 2]
            log = done.log_tail.decode().splitlines()
            assert log[0] == "START RequestId: 00000000-0000-4000-8000-000000000001 Version: $LATEST"
            assert log[1] == "hello"
            assert log[2].startswith("END RequestId: ")
            report = r"REPORT RequestId: \S+\tDuration: [\d.]+ ms\tBilled Duration: \d+ ms\tMemory Size: 128 MB\tMax Memory Used: \d+ MB\t"
            assert re.fullmatch(report, log[3])

    run(work())


def test_invocations_at_once_have_environments_of_their_own(tmp_path: Path) -> None:
    """Fifty invocations at once are all answered, each alone in its environment."""

    async def work() -> None:
        async with host(tmp_path) as at:
            plan = at.plan(
                """
                import time
                busy = 0
                def handler(event, context):
                    global busy
                    busy += 1
                    time.sleep(0.02)
                    busy -= 1
                    return [event, busy]
                """
            )
            done = await asyncio.gather(*(at.invoke(plan, number) for number in range(50)))
            assert [told(one) for one in done] == [[number, 0] for number in range(50)]

    run(work())


def test_variables_layers_and_own_packages(tmp_path: Path) -> None:
    """The function's variables are set, reserved ones stay, later layers win, and its own packages win over all."""

    async def work() -> None:
        async with host(tmp_path) as at:
            at.ground.variables = {"MINE": "1", "AWS_REGION": "elsewhere", "TZ": "Europe/Berlin"}
            layers = {
                "one": {"python/shared.py": "name = 'one'", "python/first.py": "name = 'first'"},
                "two": {"python/shared.py": "name = 'two'", "bin/tool": "#!/bin/sh\necho tool"},
            }
            files = {
                "main.py": """
                    import os, subprocess, shared, first, simplejson
                    def handler(event, context):
                        tool = subprocess.run(["tool"], capture_output=True, text=True).stdout.strip()
                        env = [os.environ[name] for name in ("MINE", "AWS_REGION", "TZ", "_HANDLER")]
                        return [shared.name, first.name, simplejson.name, tool, env]
                    """,
                "simplejson.py": "name = 'mine'",
            }
            done = await at.invoke(at.plan(files, layers=layers))
            assert told(done) == ["two", "first", "mine", "tool", ["1", "us-east-1", "Europe/Berlin", "main.handler"]]

    run(work())


def test_the_log_reaches_its_stream(tmp_path: Path) -> None:
    """A record of several lines is one event; what is printed and what the platform says come along, in the function's group."""

    async def work() -> None:
        async with host(tmp_path) as at:
            source = (
                "import logging\ndef handler(event, context):\n    logging.warning('two\\nlines')\n    print('printed')"
            )
            await at.invoke(at.plan(source))
            await at.pool.close()
            actions = [action for action, _ in at.gateway.said]
            assert actions[0] == "CreateLogStream"
            assert at.gateway.said[0][1]["logGroupName"] == "/aws/lambda/f"
            assert re.fullmatch(r"\d{4}/\d\d/\d\d/\[\$LATEST\][0-9a-f]{32}", at.gateway.said[0][1]["logStreamName"])
            lines = at.gateway.lines
            assert any("two\nlines" in line for line in lines)
            assert "printed" in lines
            assert [line.split()[0] for line in lines if line[0] in "ISER"] == ["INIT_START", "START", "END", "REPORT"]

    run(work())


def test_a_json_log_is_json(tmp_path: Path) -> None:
    """With the JSON format, the platform's lines and the records of logging are objects, filtered by level."""

    async def work() -> None:
        async with host(tmp_path) as at:
            source = (
                "import logging\ndef handler(event, context):\n    logging.info('seen')\n    logging.debug('unseen')"
            )
            plan = at.plan(source, logging={"LogFormat": "JSON", "ApplicationLogLevel": "INFO"})
            done = await at.invoke(plan)
            log = done.log_tail.decode()
            assert '"type":"platform.start"' in log
            assert '"type":"platform.report"' in log
            assert '"message": "seen"' in log
            assert "unseen" not in log

    run(work())


def test_a_log_without_rights_is_dropped(tmp_path: Path) -> None:
    """A role that may not write logs does not keep the function from running."""

    async def work() -> None:
        async with host(tmp_path) as at:
            at.gateway.refusing.append("CreateLogStream")
            assert told(await at.invoke(at.plan("def handler(event, context):\n    return 1"))) == 1
            await at.pool.close()
            assert at.gateway.lines == []

    run(work())
