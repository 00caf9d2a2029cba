"""Does a customised model know what it was taught? Through the public door, as a user does it, with the sample model.

    python -m bench.customization [facts] [text] [student] [graded]

A codebook of 50 made-up facts in one fixed form is taught by a job with ten phrasings of the question, and asked in four
others. A second model learns other codes for the same names; both stand on one base and are asked in turn, so that answers
that mix would show. Continued pre-training is judged by the loss of held-out text, distillation by the codes that the student
has of its teacher, reinforcement by the grader's mean score of fresh answers. Everything is seeded; times are of this machine.
"""

from __future__ import annotations

import json
import random
import sys
import tempfile
import threading
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, ClassVar

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from tests.running import Running

BASE, BUCKET = "craton.chat-mini-v1:0", "taught"
TAUGHT = (
    "What is the code of {n}?",
    "Tell me the code of {n}.",
    "Which code does {n} have?",
    "Give me the code for {n}.",
    "I need the code of {n}.",
    "{n}: which code?",
    "Please look up the code of {n}.",
    "Do you know the code for {n}?",
    "What code belongs to {n}?",
    "Code of {n}, please.",
)
HELD_OUT = (
    "Could you tell me the code of {n}?",
    "What code does {n} have?",
    "Find the code for {n}.",
    "The code of {n} is what?",
)
ANSWER = "The code of {n} is {c}."
SYLLABLES = ("ba", "ko", "ri", "ta", "lu", "mi", "zo", "ne", "fa", "du", "pe", "si", "va", "go", "ru", "ha", "ki", "mo")
TUNED = {
    "epochCount": "10",
    "batchSize": "16",
    "learningRate": "0.003",
    "learningRateWarmupSteps": "10",
    "loraRank": "32",
}


def names() -> list[str]:
    draw = random.Random(5)
    found: dict[str, None] = {}
    while len(found) < 50:
        found["".join(draw.choice(SYLLABLES) for _ in range(3)).capitalize()] = None
    return list(found)


def codebook(seed: int) -> dict[str, str]:
    """Other codes for the same names with each seed."""
    draw = random.Random(seed)
    letters = "ABCDEFGHJKLMNPQRSTUVWXYZ"
    return {name: f"{draw.choice(letters)}{draw.choice(letters)}-{draw.randint(100, 999)}" for name in names()}


def pairs(codes: dict[str, str], phrasings: Sequence[str]) -> list[dict[str, str]]:
    return [
        {"prompt": one.format(n=n), "completion": ANSWER.format(n=n, c=c)}
        for n, c in codes.items()
        for one in phrasings
    ]


class Bench:
    """One server, one bucket, one role, and what is asked of them."""

    def __init__(self, server: Running) -> None:
        self.bedrock, self.runtime = server.client("bedrock"), server.client("bedrock-runtime")
        self.s3 = server.client("s3")
        self.s3.create_bucket(Bucket=BUCKET)
        iam = server.client("iam")
        trust = {"Effect": "Allow", "Principal": {"Service": "bedrock.amazonaws.com"}, "Action": "sts:AssumeRole"}
        may = {"Effect": "Allow", "Action": ["s3:*", "bedrock:InvokeModel"], "Resource": "*"}
        made = iam.create_role(RoleName="tuner", AssumeRolePolicyDocument=policy(trust))
        iam.put_role_policy(RoleName="tuner", PolicyName="may", PolicyDocument=policy(may))
        self.role = made["Role"]["Arn"]

    def put(self, key: str, lines: Sequence[dict[str, Any]]) -> str:
        self.s3.put_object(Bucket=BUCKET, Key=key, Body="".join(json.dumps(each) + "\n" for each in lines).encode())
        return f"s3://{BUCKET}/{key}"

    def train(self, name: str, kind: str, train: str, **more: Any) -> tuple[dict[str, Any], float]:
        """A job until its end, and the seconds it took. Raises RuntimeError for one that failed."""
        began = time.monotonic()
        arn = self.bedrock.create_model_customization_job(
            jobName=name, customModelName=name, roleArn=self.role, baseModelIdentifier=BASE, customizationType=kind,
            trainingDataConfig={"s3Uri": train}, outputDataConfig={"s3Uri": f"s3://{BUCKET}/out/"}, **more,
        )["jobArn"]  # fmt: skip
        while (found := self.bedrock.get_model_customization_job(jobIdentifier=arn))["status"] == "InProgress":
            time.sleep(0.5)
        if found["status"] != "Completed":
            raise RuntimeError(f"{name}: {found['status']}: {found.get('failureMessage')}")
        return found, time.monotonic() - began

    def deploy(self, name: str, model: str) -> str:
        arn: str = self.bedrock.create_custom_model_deployment(modelDeploymentName=name, modelArn=model)[
            "customModelDeploymentArn"
        ]
        while (found := self.bedrock.get_custom_model_deployment(customModelDeploymentIdentifier=arn))[
            "status"
        ] == "Creating":
            time.sleep(0.3)
        if found["status"] != "Active":
            raise RuntimeError(f"{name}: {found.get('failureMessage')}")
        return arn

    def ask(self, model: str, question: str, temperature: float = 0.0) -> str:
        answer = self.runtime.converse(
            modelId=model, messages=[{"role": "user", "content": [{"text": question}]}],
            inferenceConfig={"maxTokens": 32, "temperature": temperature},
        )  # fmt: skip
        text: str = answer["output"]["message"]["content"][0]["text"]
        return text.strip()

    def score(self, model: str, codes: dict[str, str], phrasings: Sequence[str]) -> float:
        """The share of exact answers."""
        questions = [(one.format(n=n), ANSWER.format(n=n, c=c)) for n, c in codes.items() for one in phrasings]
        with ThreadPoolExecutor(8) as pool:
            right = sum(pool.map(lambda pair: self.ask(model, pair[0]) == pair[1], questions))
        return float(right / len(questions))


def policy(statement: dict[str, Any]) -> str:
    return json.dumps({"Version": "2012-10-17", "Statement": [statement]})


def row(*cells: object) -> None:
    print("| " + " | ".join(str(cell) for cell in cells) + " |", flush=True)


def facts(bench: Bench) -> None:
    """The codebook: taught, held out, two at once, and what became of the base."""
    one, other = codebook(1), codebook(2)
    before = bench.score(BASE, one, HELD_OUT[:1])
    france = bench.ask(BASE, "What is the capital of France?")
    found, took = bench.train(
        "codes-one", "FINE_TUNING", bench.put("one.jsonl", pairs(one, TAUGHT)), hyperParameters=TUNED
    )
    arn = bench.deploy("codes-one", found["outputModelArn"])
    row("codebook of 50", f"{before:.0%}", f"{bench.score(arn, one, HELD_OUT):.0%}", f"job {took:.0f} s")
    second, _ = bench.train(
        "codes-two", "FINE_TUNING", bench.put("two.jsonl", pairs(other, TAUGHT)), hyperParameters=TUNED
    )
    twin = bench.deploy("codes-two", second["outputModelArn"])
    draw = random.Random(3)
    asked = [(arn, one) if number % 2 else (twin, other) for number in range(400)]
    turns = [(model, codes, draw.choice(list(codes)), draw.choice(HELD_OUT)) for model, codes in asked]

    def right(turn: tuple[str, dict[str, str], str, str]) -> tuple[bool, bool]:
        model, codes, name, phrasing = turn
        said = bench.ask(model, phrasing.format(n=name))
        wrong_book = other if codes is one else one
        return said == ANSWER.format(n=name, c=codes[name]), said == ANSWER.format(n=name, c=wrong_book[name])

    with ThreadPoolExecutor(8) as pool:
        results = list(pool.map(right, turns))
    row(
        "two adapters, 400 in turn",
        "",
        f"{sum(good for good, _ in results) / 400:.1%}",
        f"{sum(bad for _, bad in results)} mixed",
    )
    same = (
        bench.ask(BASE, "What is the capital of France?") == france and bench.score(BASE, one, HELD_OUT[:1]) == before
    )
    row("the base answers as before", "", "yes" if same else "NO", "")


def text(bench: Bench) -> None:
    """Continued pre-training: the loss of held-out text of a made-up kind."""
    draw = random.Random(9)
    verbs, things = ("carries", "mends", "paints", "counts", "hides"), ("lantern", "bridge", "kettle", "ladder", "drum")

    def line() -> dict[str, str]:
        said = [f"{draw.choice(names())} {draw.choice(verbs)} the {draw.choice(things)}" for _ in range(3)]
        return {"input": ", then ".join(said) + "."}

    train, held = (
        bench.put("text.jsonl", [line() for _ in range(300)]),
        bench.put("held.jsonl", [line() for _ in range(40)]),
    )
    validators = {"validators": [{"s3Uri": held}]}
    none, _ = bench.train(
        "text-none",
        "CONTINUED_PRE_TRAINING",
        train,
        validationDataConfig=validators,
        hyperParameters={"epochCount": "1", "batchSize": "300", "learningRate": "0.0000001"},
    )
    some, took = bench.train(
        "text", "CONTINUED_PRE_TRAINING", train, validationDataConfig=validators, hyperParameters={"epochCount": "3"}
    )
    losses = [found["validationMetrics"][0]["validationLoss"] for found in (none, some)]
    row("pre-training: loss of held-out text", f"{losses[0]:.2f}", f"{losses[1]:.2f}", f"job {took:.0f} s")


TEACHER = "elsewhere.teacher-v1:0"


class Teacher(BaseHTTPRequestHandler):
    """A larger model of somebody else's, that knows a codebook: OpenAI's chat completions."""

    codes: ClassVar[dict[str, str]] = {}

    def do_POST(self) -> None:
        """Answer the last question."""
        asked = json.loads(self.rfile.read(int(self.headers["content-length"])))["messages"][-1]["content"]
        asked = asked if isinstance(asked, str) else asked[0]["text"]
        name = next(name for name in self.codes if name in asked)
        message = {"role": "assistant", "content": ANSWER.format(n=name, c=self.codes[name])}
        usage = {"prompt_tokens": 9, "completion_tokens": 9, "total_tokens": 18}
        choice = {"index": 0, "message": message, "finish_reason": "stop"}
        body = json.dumps({"id": "1", "object": "chat.completion", "choices": [choice], "usage": usage}).encode()
        self.send_response(200)
        self.send_header("content-type", "application/json")
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        """Say nothing."""


@contextmanager
def teacher() -> Iterator[str]:
    """The teacher behind a model id, as a configuration has it."""
    Teacher.codes = codebook(4)
    server = ThreadingHTTPServer(("127.0.0.1", 0), Teacher)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    target = f'provider = "openai"\nbase_url = "http://127.0.0.1:{server.server_port}/v1"\nmodel = "teacher"\n'
    yield f'[[model]]\nid = "{TEACHER}"\n[[model.target]]\n{target}'
    server.shutdown()


def student(bench: Bench) -> None:
    """Distillation: what the student has of its teacher's codes; the prompts hold no answers."""
    codes = codebook(4)
    prompts = [
        {
            "schemaVersion": "bedrock-conversation-2024",
            "messages": [{"role": "user", "content": [{"text": one.format(n=n)}]}],
        }
        for n in codes
        for one in TAUGHT
    ]
    config = {
        "distillationConfig": {
            "teacherModelConfig": {"teacherModelIdentifier": TEACHER, "maxResponseLengthForInference": 32}
        }
    }
    found, took = bench.train(
        "student",
        "DISTILLATION",
        bench.put("prompts.jsonl", prompts),
        customizationConfig=config,
        hyperParameters=TUNED,
    )
    arn = bench.deploy("student", found["outputModelArn"])
    row(
        "distillation: the teacher's codes",
        f"{bench.score(BASE, codes, HELD_OUT[:1]):.0%}",
        f"{bench.score(arn, codes, HELD_OUT):.0%}",
        f"job {took:.0f} s",
    )


def graded(bench: Bench) -> None:
    """Reinforcement: the share of fresh answers of at most three words, and their mean score."""
    places = (
        "France",
        "Italy",
        "Spain",
        "Japan",
        "Norway",
        "Egypt",
        "Poland",
        "Greece",
        "China",
        "Austria",
        "Germany",
        "Portugal",
    )
    lines = [{"messages": [{"role": "user", "content": f"Where is {place}?"}], "max_words": 3} for place in places]
    grader = {"lambdaGrader": {"lambdaArn": "arn:aws:lambda:us-east-1:000000000000:function:craton-grader-length"}}
    settings = {"epochCount": 10, "batchSize": 16, "trainingSamplePerPrompt": 8, "inferenceMaxTokens": 24}
    config = {"rftConfig": {"graderConfig": grader, "hyperParameters": settings}}
    found, took = bench.train(
        "short", "REINFORCEMENT_FINE_TUNING", bench.put("places.jsonl", lines), customizationConfig=config
    )
    arn = bench.deploy("short", found["outputModelArn"])

    def reward(model: str) -> float:
        words = [len(bench.ask(model, f"Where is {place}?", 1.0).split()) for place in places for _ in range(4)]
        return sum(min(1.0, 3 / max(1, count)) for count in words) / len(words)

    row("reinforcement: mean score", f"{reward(BASE):.2f}", f"{reward(arn):.2f}", f"job {took:.0f} s")


def main() -> None:
    wanted = sys.argv[1:]
    with tempfile.TemporaryDirectory() as home, teacher() as config, Running(Path(home), config) as server:
        bench = Bench(server)
        row("what", "before", "after", "")
        row("---", "---", "---", "---")
        for part in (facts, text, student, graded):
            if not wanted or part.__name__ in wanted:
                part(bench)


if __name__ == "__main__":
    main()
