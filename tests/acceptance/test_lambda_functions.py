"""Functions as boto3 makes, shows, changes and deletes them; versions and aliases; what is refused, in AWS's words."""

from __future__ import annotations

import io
import json
import urllib.request
import zipfile
from collections.abc import Iterator
from typing import Any

import pytest
from botocore.exceptions import ClientError

from tests.acceptance.functions import ECHO, called, code, make, make_role, zipped
from tests.running import Running

ACCOUNT = "000000000000"
ARN = f"arn:aws:lambda:us-east-1:{ACCOUNT}:function"


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    with Running(tmp_path_factory.mktemp("home")) as running:
        make_role(running, "runs")
        running.client("s3").create_bucket(Bucket="code")
        yield running


@pytest.fixture(scope="module")
def role() -> str:
    return f"arn:aws:iam::{ACCOUNT}:role/runs"


@pytest.fixture(scope="module")
def functions(server: Running) -> Any:
    return server.client("lambda")


def refused(name: str, text: str, work: Any, /, **given: Any) -> None:
    with pytest.raises(ClientError) as caught:
        work(**given)
    error = caught.value.response["Error"]
    assert error["Code"] == name, error
    assert text in error["Message"], error


def test_a_function_is_made_shown_and_deleted(functions: Any, role: str) -> None:
    """With AWS's defaults; what is gone is not found."""
    made = make(functions, "first", role, Environment={"Variables": {"NAME": "value"}}, Tags={"team": "a"})
    assert made["FunctionArn"] == f"{ARN}:first"
    assert (made["Timeout"], made["MemorySize"], made["Version"], made["State"]) == (3, 128, "$LATEST", "Active")
    shown = functions.get_function(FunctionName=f"{ARN}:first")
    assert shown["Configuration"]["Environment"] == {"Variables": {"NAME": "value"}}
    assert shown["Configuration"]["CodeSha256"] == made["CodeSha256"]
    assert shown["Tags"] == {"team": "a"}
    with urllib.request.urlopen(shown["Code"]["Location"]) as answer:
        assert zipfile.ZipFile(io.BytesIO(answer.read())).read("app.py").decode() == ECHO
    assert "first" in [one["FunctionName"] for one in functions.list_functions()["Functions"]]
    refused(
        "ResourceConflictException", "Function already exist: first", make, client=functions, name="first", role=role
    )
    functions.delete_function(FunctionName="first")
    refused(
        "ResourceNotFoundException", f"Function not found: {ARN}:first", functions.get_function, FunctionName="first"
    )
    refused("ResourceNotFoundException", f"Function not found: {ARN}:first", functions.invoke, FunctionName="first")


def test_code_may_come_from_a_bucket(server: Running, functions: Any, role: str) -> None:
    """Read as the caller; an object that is not there is said to be missing."""
    server.client("s3").put_object(
        Bucket="code", Key="a.zip", Body=code("def handler(e, c):\n    return 'from s3'\n")["ZipFile"]
    )
    make(functions, "from-s3", role, Code={"S3Bucket": "code", "S3Key": "a.zip"})
    assert called(functions, "from-s3") == "from s3"
    refused(
        "InvalidParameterValueException", "S3 Error Code: NoSuchKey", make, client=functions, name="none", role=role,
        Code={"S3Bucket": "code", "S3Key": "missing.zip"},
    )  # fmt: skip


def test_versions_stay_and_aliases_lead_to_them(functions: Any, role: str) -> None:
    """A version is what it was; nothing changed makes no new one; an alias that is used keeps its version."""
    make(functions, "versioned", role, "def handler(e, c):\n    return 'one'\n", Publish=True)
    assert functions.publish_version(FunctionName="versioned")["Version"] == "1"
    functions.update_function_code(FunctionName="versioned", **code("def handler(e, c):\n    return 'two'\n"))
    assert functions.publish_version(FunctionName="versioned", Description="second")["Version"] == "2"
    alias = functions.create_alias(FunctionName="versioned", Name="live", FunctionVersion="1")
    assert called(functions, "versioned", Qualifier="live") == "one"
    assert called(functions, "versioned") == "two"
    functions.update_alias(FunctionName="versioned", Name="live", FunctionVersion="2", RevisionId=alias["RevisionId"])
    assert called(functions, "versioned:live") == "two"
    refused(
        "PreconditionFailedException", "Revision Id", functions.update_alias, FunctionName="versioned", Name="live",
        FunctionVersion="1", RevisionId=alias["RevisionId"],
    )  # fmt: skip
    functions.update_alias(
        FunctionName="versioned", Name="live", RoutingConfig={"AdditionalVersionWeights": {"1": 1.0}}
    )
    assert functions.invoke(FunctionName="versioned", Qualifier="live")["ExecutedVersion"] == "1"
    versions = functions.list_versions_by_function(FunctionName="versioned")["Versions"]
    assert [one["Version"] for one in versions] == ["$LATEST", "1", "2"]
    delete = functions.delete_function
    refused("ResourceConflictException", "used by aliases", delete, FunctionName="versioned", Qualifier="2")
    functions.delete_alias(FunctionName="versioned", Name="live")
    functions.delete_function(FunctionName="versioned", Qualifier="2")
    refused("ResourceNotFoundException", ":2", functions.invoke, FunctionName="versioned", Qualifier="2")


def test_a_change_is_held_against_its_revision(functions: Any, role: str) -> None:
    """Somebody else's change in between is told."""
    made = make(functions, "revised", role)
    changed = functions.update_function_configuration(
        FunctionName="revised", Timeout=7, MemorySize=256, Description="d", RevisionId=made["RevisionId"]
    )
    assert (changed["Timeout"], changed["MemorySize"], changed["Description"]) == (7, 256, "d")
    refused(
        "PreconditionFailedException", "Revision Id", functions.update_function_configuration, FunctionName="revised",
        Timeout=8, RevisionId=made["RevisionId"],
    )  # fmt: skip


@pytest.mark.parametrize(
    ("given", "text"),
    [
        ({"Runtime": "java21"}, "The runtime java21 is not available"),
        ({"Runtime": "python2.7"}, "Available: python3.11"),
        ({"Role": f"arn:aws:iam::{ACCOUNT}:role/nobody"}, "cannot be assumed by Lambda"),
        ({"Code": {"ZipFile": b"not a zip"}}, "Could not unzip uploaded file"),
        ({"Code": {"ZipFile": zipped({"../x.py": "x"})}}, "leads out of it"),
        ({"Code": {}}, "Please provide a source for function code"),
        ({"Timeout": 901}, "less than or equal to 900"),
        ({"Environment": {"Variables": {"AWS_REGION": "x"}}}, "reserved keys"),
        ({"Environment": {"Variables": {"AB": "x" * 5000}}}, "4KB"),
        ({"Layers": [f"arn:aws:lambda:us-east-1:{ACCOUNT}:layer:none:1"]}, "does not exist"),
        ({"PackageType": "Image", "Code": {"ImageUri": "x/y:z"}}, "container images"),
        ({"DeadLetterConfig": {"TargetArn": f"arn:aws:sqs:us-east-1:{ACCOUNT}:q"}}, "not supported by this server"),
    ],
)
def test_what_cannot_be_run_is_refused(functions: Any, role: str, given: dict[str, Any], text: str) -> None:
    """InvalidParameterValueException, saying what is wrong; nothing is kept."""
    told = {"client": functions, "name": "refused", "role": role, **given}
    if "Role" in given:
        told["role"] = told.pop("Role")
    refused("InvalidParameterValueException", text, make, **told)
    assert "refused" not in [one["FunctionName"] for one in functions.list_functions()["Functions"]]


def test_a_layer_is_there_for_the_function(functions: Any, role: str) -> None:
    """Its files lie under /opt, python's on the path; a deleted version stays with who has it."""
    content = {"ZipFile": zipped({"python/shared.py": "WORD = 'shared'\n"})}
    made = functions.publish_layer_version(LayerName="words", Content=content, CompatibleRuntimes=["python3.11"])
    assert made["Version"] == 1
    source = "import shared\n\ndef handler(e, c):\n    return shared.WORD\n"
    make(functions, "layered", role, source, Layers=[made["LayerVersionArn"]])
    assert called(functions, "layered") == "shared"
    assert functions.publish_layer_version(LayerName="words", Content=content)["Version"] == 2
    listed = functions.list_layers()["Layers"]
    assert [one["LatestMatchingVersion"]["Version"] for one in listed] == [2]
    functions.delete_layer_version(LayerName="words", VersionNumber=1)
    assert called(functions, "layered") == "shared"
    get = functions.get_layer_version
    refused("ResourceNotFoundException", "does not exist", get, LayerName="words", VersionNumber=1)


def test_variables_are_shown_to_whom_the_key_allows(server: Running, functions: Any, role: str) -> None:
    """Sealed under a customer's key; the function has them either way."""
    kms = server.client("kms")
    key = kms.create_key()["KeyMetadata"]["Arn"]
    source = "import os\n\ndef handler(e, c):\n    return os.environ['WORD']\n"
    make(functions, "sealed", role, source, KMSKeyArn=key, Environment={"Variables": {"WORD": "hidden"}})
    assert called(functions, "sealed") == "hidden"
    shown = functions.get_function_configuration(FunctionName="sealed")
    assert shown["Environment"] == {"Variables": {"WORD": "hidden"}}
    kms.disable_key(KeyId=key)
    shown = functions.get_function_configuration(FunctionName="sealed")
    assert "Variables" not in shown["Environment"]
    assert "ErrorCode" in shown["Environment"]["Error"]
    assert b"hidden" not in (server.home / "craton.db").read_bytes()


def test_concurrency_is_reserved_within_the_accounts(functions: Any, role: str) -> None:
    """100 stay for all others; provisioned environments belong to a version."""
    make(functions, "busy", role, Publish=True)
    functions.put_function_concurrency(FunctionName="busy", ReservedConcurrentExecutions=5)
    assert functions.get_function_concurrency(FunctionName="busy")["ReservedConcurrentExecutions"] == 5
    limit = functions.get_account_settings()["AccountLimit"]
    assert limit["UnreservedConcurrentExecutions"] == limit["ConcurrentExecutions"] - 5
    put = functions.put_function_concurrency
    text = "below its minimum value of [100]"
    refused("InvalidParameterValueException", text, put, FunctionName="busy", ReservedConcurrentExecutions=950)
    functions.put_function_concurrency(FunctionName="busy", ReservedConcurrentExecutions=0)
    refused("TooManyRequestsException", "", functions.invoke, FunctionName="busy")
    functions.delete_function_concurrency(FunctionName="busy")
    assert functions.invoke(FunctionName="busy")["StatusCode"] == 200
    provisioned = functions.put_provisioned_concurrency_config(
        FunctionName="busy", Qualifier="1", ProvisionedConcurrentExecutions=1
    )
    assert provisioned["Status"] == "READY"
    functions.delete_provisioned_concurrency_config(FunctionName="busy", Qualifier="1")
    get = functions.get_provisioned_concurrency_config
    refused("ProvisionedConcurrencyConfigNotFoundException", "", get, FunctionName="busy", Qualifier="1")


def test_tags_are_changed_by_arn(functions: Any, role: str) -> None:
    """Of functions alone."""
    arn = make(functions, "tagged", role, Tags={"a": "1"})["FunctionArn"]
    functions.tag_resource(Resource=arn, Tags={"b": "2"})
    functions.untag_resource(Resource=arn, TagKeys=["a"])
    assert functions.list_tags(Resource=arn)["Tags"] == {"b": "2"}


def test_bad_payloads_are_refused(functions: Any, role: str) -> None:
    """What is no JSON, and what is too large; a dry run runs nothing."""
    make(functions, "payloads", role)
    text = "Could not parse request body into json"
    refused("InvalidRequestContentException", text, functions.invoke, FunctionName="payloads", Payload=b"{no")
    large = json.dumps("x" * (6 * 1024 * 1024)).encode()
    text = "Request must be smaller than 6291456 bytes for the InvokeFunction operation"
    refused("RequestTooLargeException", text, functions.invoke, FunctionName="payloads", Payload=large)
    event = {"FunctionName": "payloads", "InvocationType": "Event", "Payload": json.dumps("x" * 1_100_000).encode()}
    refused("RequestTooLargeException", "1048576 bytes", functions.invoke, **event)
    assert functions.invoke(FunctionName="payloads", InvocationType="DryRun")["StatusCode"] == 204


def test_what_is_not_here_says_so(functions: Any, role: str) -> None:
    """Queues as event sources, signed code, durable executions."""
    make(functions, "bare", role)
    queue = f"arn:aws:sqs:us-east-1:{ACCOUNT}:q"
    create = functions.create_event_source_mapping
    refused("InvalidParameterValueException", "service sqs", create, FunctionName="bare", EventSourceArn=queue)
    assert functions.list_event_source_mappings()["EventSourceMappings"] == []
    sign = functions.create_code_signing_config
    publishers = {"SigningProfileVersionArns": ["arn:aws:signer:us-east-1:000000000000:/signing-profiles/a/b"]}
    refused("InvalidParameterValueException", "signatures", sign, AllowedPublishers=publishers)
    listed = functions.list_durable_executions_by_function
    refused("InvalidParameterValueException", "not implemented by this server", listed, FunctionName="bare")
