"""The reading of botocore's models, the compiled types, and the stubs made from them."""

from __future__ import annotations

import gzip
import subprocess
import sys
from pathlib import Path

import msgspec
import pytest

from craton.aws.wire import compile as compiling
from craton.aws.wire import model
from tests.unit.wire.generate import SERVICES, service_model

ROOT = Path(__file__).parents[3]


@pytest.mark.parametrize("name", SERVICES)
def test_a_service_reads_as_botocore_reads_it(name):
    """Operations, paths, statuses, errors and streams agree with botocore's own model objects."""
    ours, theirs = model.load(name), service_model(name)
    assert (ours.signing_name, ours.protocol, ours.api_version) == ("bedrock", "rest-json", theirs.api_version)
    assert sorted(ours.operations) == sorted(theirs.operation_names)
    for operation in ours.operations.values():
        other = theirs.operation_model(operation.name)
        assert (operation.method, operation.uri) == (other.http["method"], other.http["requestUri"])
        assert operation.status_code == other.http.get("responseCode", 200)
        assert operation.errors == {s.name: s.metadata["error"]["httpStatusCode"] for s in other.error_shapes}
        assert (operation.event_stream_output is not None) == other.has_event_stream_output
        assert (operation.event_stream_input is not None) == other.has_event_stream_input
        shape = other.input_shape
        if shape:
            wire = {n: m.serialization.get("name", n) for n, m in shape.members.items()}
            assert {m.name: m.wire for m in operation.input_shape().members.values()} == wire


def test_a_service_that_is_not_there():
    """The error names the service."""
    with pytest.raises(LookupError, match="no-such-service"):
        model.load("no-such-service")


def test_the_newest_version_wins(tmp_path):
    """Plain and packed files are both read; the date decides."""
    text = b'{"metadata":{"apiVersion":"%s","protocol":"json","endpointPrefix":"x"},"operations":{},"shapes":{}}'
    for day in (b"2020-01-01", b"2024-01-01"):
        (tmp_path / "x" / day.decode()).mkdir(parents=True)
    (tmp_path / "x" / "2020-01-01" / "service-2.json").write_bytes(text % b"2020-01-01")
    (tmp_path / "x" / "2024-01-01" / "service-2.json.gz").write_bytes(gzip.compress(text % b"2024-01-01"))
    assert model.load("x", tmp_path).api_version == "2024-01-01"


def test_other_protocols_services_are_read_too():
    """The model reader knows no protocol: STS and S3 load."""
    assert model.load("sts").operations["AssumeRole"].error_shapes["ExpiredTokenException"] == "ExpiredTokenException"
    assert model.load("s3").operations["PutObject"].payload_input is not None


def test_botocore_is_never_imported():
    """Its data is read, its code costs more than all of this at start-up."""
    code = "import sys, craton.aws.wire.restjson as r, craton.aws.wire.model as m, craton.aws.wire.sigv4, craton.aws.wire.bearer; m.load('bedrock-runtime'); sys.exit('botocore' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False, timeout=60).returncode == 0


def test_every_shape_of_the_four_services_compiles():
    """All inputs and outputs make types that msgspec accepts, recursion included."""
    for name in SERVICES:
        service = model.load(name)
        types = compiling.Types(service)
        for operation in service.operations.values():
            for kind in (types.request(operation), types.response(operation)):
                msgspec.json.Decoder(kind, dec_hook=compiling.from_wire)


def test_types_are_made_once():
    """The same operation gives the same type, so identity can be relied on."""
    service = model.load("bedrock-runtime")
    types = compiling.Types(service)
    operation = service.operations["Converse"]
    assert types.request(operation) is types.request(operation)
    assert types.request_shape("Message") is types.request_shape("Message")


def test_recursive_structures_validate_at_every_depth():
    """A filter inside a filter inside a filter is held to the same constraints, required members too."""
    types = compiling.Types(model.load("bedrock-agent-runtime"))
    decode = msgspec.json.Decoder(types.request_shape("RetrievalFilter"), dec_hook=compiling.from_wire).decode
    leaf = '{"in":{"key":"k","value":[1]}}'
    good = f'{{"andAll":[{leaf},{{"orAll":[{leaf},{{"andAll":[{leaf},{leaf}]}}]}}]}}'
    assert decode(good).andAll[1].orAll[1].andAll[0].in_.value == [1]
    with pytest.raises(msgspec.ValidationError):
        decode(good.replace('"value":[1]', '"valu":[1]'))
    with pytest.raises(msgspec.ValidationError):
        decode(f'{{"andAll":[{leaf}]}}')
    flows = compiling.Types(model.load("bedrock-agent"))
    decode = msgspec.json.Decoder(flows.request_shape("LoopFlowNodeConfiguration"), dec_hook=compiling.from_wire).decode
    assert decode('{"definition":{"nodes":[]}}').definition.nodes == []
    with pytest.raises(msgspec.ValidationError):
        decode("{}")


def test_the_stubs_type_check(tmp_path):
    """A handler written against the stubs passes mypy --strict, and a wrong one does not."""
    source = """
from __future__ import annotations
from typing import TYPE_CHECKING
if TYPE_CHECKING:
    from craton.aws.shapes.bedrock import ListFoundationModelsRequest, ListFoundationModelsResponse
def handler(req: ListFoundationModelsRequest) -> ListFoundationModelsResponse:
    return {"modelSummaries": [{"modelArn": req.byProvider or "a", "modelId": %s}]}
"""
    for value, status in (('"m"', 0), ("1", 1)):
        path = tmp_path / "handler.py"
        path.write_text(source % value)
        command = [sys.executable, "-m", "mypy", "--strict", "--cache-dir", str(tmp_path / "cache"), str(path)]
        done = subprocess.run(command, check=False, capture_output=True, text=True, timeout=300, cwd=ROOT)
        assert done.returncode == status, done.stdout


def test_the_stubs_are_up_to_date():
    """They are what the generator writes for the botocore of the lock file, which the tests are run with."""
    command = [sys.executable, "tools/generate_shapes.py", "--check"]
    done = subprocess.run(command, check=False, capture_output=True, text=True, timeout=120, cwd=ROOT)
    assert done.returncode == 0, done.stdout
