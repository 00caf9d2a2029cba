"""Who may do what with a function: identities' policies and the function's own, within an account and across."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest
from botocore.exceptions import ClientError

from tests.acceptance.functions import ECHO, make, make_role
from tests.acceptance.identities import CONFIG, allow, document, with_key
from tests.acceptance.resources import OTHER, OTHER_KEY, OTHER_SECRET
from tests.running import Running

ACCOUNT = "000000000000"
ARN = f"arn:aws:lambda:us-east-1:{ACCOUNT}:function"


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    with Running(tmp_path_factory.mktemp("home"), CONFIG) as running:
        role = make_role(running, "runs")
        make(running.client("lambda"), "mine", role, ECHO)
        yield running


@pytest.fixture(scope="module")
def functions(server: Running) -> Any:
    return server.client("lambda")


@pytest.fixture(scope="module")
def other(server: Running) -> Any:
    """The root of the other account."""
    return server.client("lambda", aws_access_key_id=OTHER_KEY, aws_secret_access_key=OTHER_SECRET)


def user(server: Running, name: str, *statements: dict[str, Any]) -> Any:
    """A client of a new user with these rights."""
    iam = server.client("iam")
    iam.create_user(UserName=name)
    if statements:
        iam.put_user_policy(UserName=name, PolicyName="own", PolicyDocument=document(*statements))
    return with_key(server, iam.create_access_key(UserName=name)["AccessKey"], "lambda")


def code_of(work: Any, **given: Any) -> str:
    with pytest.raises(ClientError) as caught:
        work(**given)
    return str(caught.value.response["Error"]["Code"])


def test_a_user_may_what_its_policy_says(server: Running) -> None:
    """And learns nothing of what it may not ask for, whether it is there or not."""
    reader = user(server, "reader", allow("lambda:GetFunctionConfiguration", f"{ARN}:mine"))
    assert reader.get_function_configuration(FunctionName="mine")["FunctionName"] == "mine"
    for name in ("mine", "nowhere"):
        assert code_of(reader.invoke, FunctionName=name) == "AccessDeniedException"
        assert code_of(reader.delete_function, FunctionName=name) == "AccessDeniedException"
    assert code_of(reader.list_functions) == "AccessDeniedException"


def test_a_role_is_passed_by_who_may_pass_it(server: Running) -> None:
    """iam:PassRole for lambda.amazonaws.com, and a role that trusts it."""
    statement = allow("lambda:CreateFunction")
    maker = user(server, "maker", statement)
    role = f"arn:aws:iam::{ACCOUNT}:role/runs"
    assert code_of(make, client=maker, name="passed", role=role) == "AccessDeniedException"
    passing = allow("iam:PassRole", role, Condition={"StringEquals": {"iam:PassedToService": "lambda.amazonaws.com"}})
    passer = user(server, "passer", statement, passing)
    assert make(passer, "passed", role)["State"] == "Active"


def test_another_account_needs_both_sides(functions: Any, other: Any) -> None:
    """The function's policy opens it; without, an ARN from elsewhere is refused."""
    assert code_of(other.invoke, FunctionName=f"{ARN}:mine") == "AccessDeniedException"
    added = functions.add_permission(
        FunctionName="mine", StatementId="them", Action="lambda:InvokeFunction", Principal=OTHER
    )
    assert json.loads(added["Statement"])["Principal"] == {"AWS": f"arn:aws:iam::{OTHER}:root"}
    assert other.invoke(FunctionName=f"{ARN}:mine", Payload=b'{"a":1}')["Payload"].read() == b'{"a": 1}'
    assert code_of(other.get_function, FunctionName=f"{ARN}:mine") == "AccessDeniedException"
    policy = functions.get_policy(FunctionName="mine")
    assert json.loads(policy["Policy"])["Statement"][0]["Sid"] == "them"
    remove = functions.remove_permission
    assert code_of(remove, FunctionName="mine", StatementId="them", RevisionId="x") == "PreconditionFailedException"
    remove(FunctionName="mine", StatementId="them", RevisionId=policy["RevisionId"])
    assert code_of(other.invoke, FunctionName=f"{ARN}:mine") == "AccessDeniedException"
    assert code_of(functions.get_policy, FunctionName="mine") == "ResourceNotFoundException"


def test_a_permission_belongs_to_its_qualifier(functions: Any, other: Any) -> None:
    """What opens an alias opens neither the function nor another alias."""
    functions.publish_version(FunctionName="mine")
    functions.create_alias(FunctionName="mine", Name="open", FunctionVersion="1")
    functions.add_permission(
        FunctionName="mine", Qualifier="open", StatementId="s", Action="lambda:InvokeFunction", Principal=OTHER
    )
    assert other.invoke(FunctionName=f"{ARN}:mine:open")["StatusCode"] == 200
    assert code_of(other.invoke, FunctionName=f"{ARN}:mine") == "AccessDeniedException"
    assert code_of(other.invoke, FunctionName=f"{ARN}:mine:1") == "AccessDeniedException"


def test_a_statement_is_given_once_and_well_formed(functions: Any) -> None:
    """The same id twice is a conflict; nonsense is refused."""
    add = functions.add_permission
    given = {"FunctionName": "mine", "StatementId": "one", "Action": "lambda:InvokeFunction"}
    add(**given, Principal="events.amazonaws.com", SourceArn="arn:aws:events:us-east-1:000000000000:rule/r")
    assert code_of(add, **given, Principal="events.amazonaws.com") == "ResourceConflictException"
    assert code_of(add, **{**given, "StatementId": "two"}, Principal="nobody") == "InvalidParameterValueException"
    given = {**given, "StatementId": "two", "FunctionUrlAuthType": "NONE"}
    assert code_of(add, **given, Principal="*") == "InvalidParameterValueException"


def test_a_layer_is_used_elsewhere_by_permission(server: Running, functions: Any, other: Any) -> None:
    """Another account's function gets it once the layer's policy says so."""
    from tests.acceptance.functions import zipped

    content = {"ZipFile": zipped({"python/x.py": "X = 1\n"})}
    arn = functions.publish_layer_version(LayerName="lent", Content=content)["LayerVersionArn"]
    assert code_of(other.get_layer_version_by_arn, Arn=arn) == "AccessDeniedException"
    functions.add_layer_version_permission(
        LayerName="lent", VersionNumber=1, StatementId="s", Action="lambda:GetLayerVersion", Principal=OTHER
    )
    assert other.get_layer_version_by_arn(Arn=arn)["Version"] == 1
    functions.remove_layer_version_permission(LayerName="lent", VersionNumber=1, StatementId="s")
    assert code_of(other.get_layer_version_by_arn, Arn=arn) == "AccessDeniedException"


def test_an_unsigned_request_gets_nothing(server: Running) -> None:
    """No operation is open to everybody."""
    import urllib.error
    import urllib.request

    for method, path in (("POST", "/2015-03-31/functions/mine/invocations"), ("GET", "/2015-03-31/functions/")):
        request = urllib.request.Request(server.url + path, data=b"{}" if method == "POST" else None, method=method)
        with pytest.raises(urllib.error.HTTPError) as caught:
            urllib.request.urlopen(request)
        assert caught.value.code in (403, 404)
