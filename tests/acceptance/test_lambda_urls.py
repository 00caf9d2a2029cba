"""Function URLs: open ones and signed ones, by path and by host, CORS, streams, and answers that are none."""

from __future__ import annotations

import json
import urllib.error
import urllib.request
from collections.abc import Iterator
from typing import Any

import pytest
from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials

from tests.acceptance.functions import make, make_role
from tests.running import ACCESS_KEY, SECRET_KEY, Running

SHOP = """
def handler(event, context):
    http = event["requestContext"]["http"]
    return {
        "statusCode": 418,
        "headers": {"X-Path": event["rawPath"], "X-Who": event["requestContext"]["accountId"]},
        "cookies": ["a=1"],
        "body": http["method"] + " " + event.get("body", ""),
    }
"""


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    with Running(tmp_path_factory.mktemp("home")) as running:
        make(running.client("lambda"), "shop", make_role(running, "runs"), SHOP)
        yield running


@pytest.fixture(scope="module")
def functions(server: Running) -> Any:
    return server.client("lambda")


@pytest.fixture
def url(functions: Any) -> Iterator[str]:
    """An open URL of the function, with CORS."""
    made = functions.create_function_url_config(
        FunctionName="shop", AuthType="NONE", Cors={"AllowOrigins": ["https://page.example"], "AllowMethods": ["*"]}
    )
    open_to_all(functions)
    yield made["FunctionUrl"]
    functions.delete_function_url_config(FunctionName="shop")
    for sid in ("url", "invoke"):
        functions.remove_permission(FunctionName="shop", StatementId=sid)


def open_to_all(functions: Any) -> None:
    """What the console adds for a URL that is open."""
    functions.add_permission(
        FunctionName="shop", StatementId="url", Action="lambda:InvokeFunctionUrl", Principal="*",
        FunctionUrlAuthType="NONE",
    )  # fmt: skip
    functions.add_permission(
        FunctionName="shop", StatementId="invoke", Action="lambda:InvokeFunction", Principal="*",
        InvokedViaFunctionUrl=True,
    )  # fmt: skip


def fetch(url: str, method: str = "GET", body: bytes | None = None, **headers: str) -> tuple[int, Any, bytes]:
    request = urllib.request.Request(url, data=body, method=method)
    for name, value in headers.items():
        request.add_header(name.replace("_", "-"), value)
    try:
        with urllib.request.urlopen(request) as answer:
            return answer.status, answer.headers, answer.read()
    except urllib.error.HTTPError as error:
        return error.code, error.headers, error.read()


def test_an_open_url_runs_the_function(url: str) -> None:
    """Status, headers, cookies and body are the function's; the path is what stands behind the URL."""
    status, headers, body = fetch(f"{url}a/b?x=1", "POST", b"tea", Content_Type="text/plain")
    assert (status, body) == (418, b"POST tea")
    assert headers["x-path"] == "/a/b"
    assert headers["set-cookie"] == "a=1"


def test_a_host_leads_there_as_well(server: Running, url: str) -> None:
    """`ID.lambda-url.REGION.…`, at any path."""
    ident = url.rstrip("/").rpartition("/")[2]
    status, headers, _ = fetch(f"{server.url}/model/x", Host=f"{ident}.lambda-url.us-east-1.localhost")
    assert (status, headers["x-path"]) == (418, "/model/x")


def test_a_page_elsewhere_is_let_in_by_cors(url: str) -> None:
    """A preflight is answered without the function; the answer names the origin."""
    asked = {"Origin": "https://page.example", "Access_Control_Request_Method": "POST"}
    status, headers, body = fetch(url, "OPTIONS", **asked)
    assert (status, body) == (200, b"")
    assert headers["access-control-allow-origin"] == "https://page.example"
    _, headers, _ = fetch(url, Origin="https://page.example")
    assert headers["access-control-allow-origin"] == "https://page.example"
    _, headers, _ = fetch(url, Origin="https://evil.example")
    assert headers["access-control-allow-origin"] is None


def test_without_permission_nobody_comes_in(functions: Any) -> None:
    """A URL of NONE needs the policy too; one of AWS_IAM a signature."""
    made = functions.create_function_url_config(FunctionName="shop", AuthType="NONE")["FunctionUrl"]
    assert fetch(made)[0] == 403
    functions.update_function_url_config(FunctionName="shop", AuthType="AWS_IAM")
    assert fetch(made)[0] == 403
    request = AWSRequest("GET", f"{made}signed")
    SigV4Auth(Credentials(ACCESS_KEY, SECRET_KEY), "lambda", "us-east-1").add_auth(request)
    signed = dict(request.headers)
    status, headers, _ = fetch(f"{made}signed", **signed)
    assert (status, headers["x-who"]) == (418, "000000000000")
    assert fetch(f"{made}other", **signed)[0] == 403
    functions.delete_function_url_config(FunctionName="shop")
    assert fetch(made)[0] == 404


def test_what_is_no_answer_is_a_bad_gateway(server: Running, functions: Any, url: str) -> None:
    """A function that throws, and one whose status is none; nothing of the error is told."""
    for source in (
        "def handler(e, c):\n    raise ValueError('secret')\n",
        "def handler(e, c):\n    return {'statusCode': 'x'}\n",
    ):
        from tests.acceptance.functions import code

        functions.update_function_code(FunctionName="shop", **code(source))
        status, _, body = fetch(url)
        assert (status, json.loads(body)) == (502, {"Message": "Internal Server Error"})
    functions.update_function_code(FunctionName="shop", **code(SHOP))


def test_an_unknown_url_is_not_found(server: Running) -> None:
    """Whatever its form."""
    for ident in ("x" * 32, "short", "..%2f..", "%00"):
        assert fetch(f"{server.url}/lambda-url/{ident}/")[0] in (400, 404)


def test_a_function_has_one_url_and_an_alias_another(functions: Any, url: str) -> None:
    """Listed together; a second one of the same is a conflict."""
    from botocore.exceptions import ClientError

    with pytest.raises(ClientError, match="ResourceConflictException"):
        functions.create_function_url_config(FunctionName="shop", AuthType="NONE")
    functions.publish_version(FunctionName="shop")
    functions.create_alias(FunctionName="shop", Name="live", FunctionVersion="1")
    functions.create_function_url_config(FunctionName="shop", Qualifier="live", AuthType="AWS_IAM")
    listed = functions.list_function_url_configs(FunctionName="shop")["FunctionUrlConfigs"]
    assert sorted(one["FunctionArn"].rpartition(":")[2] for one in listed) == ["live", "shop"]
    functions.delete_function_url_config(FunctionName="shop", Qualifier="live")
