"""Method and raw path lead to one operation; odd paths lead to a clean fault."""

from __future__ import annotations

import functools

import msgspec
import pytest

from craton.aws.wire import faults, model, route


@functools.cache
def router():
    return route.Router(
        model.load(name) for name in ("bedrock", "bedrock-runtime", "bedrock-agent", "bedrock-agent-runtime")
    )


def match(method, path):
    found = router().match(method, path)
    return f"{found.operation.service}.{found.operation.name}", found.labels


ACCOUNT = "arn%3Aaws%3Abedrock%3Aus-east-1%3A123456789012%3A"
SESSION = f"{ACCOUNT}session%2F12345678-1234-1234-1234-123456789012"


@pytest.mark.parametrize(
    ("method", "path", "operation"),
    [
        ("POST", "/agents/ABCDEFGHIJ/", "bedrock-agent.PrepareAgent"),
        ("POST", "/agents/ABCDEFGHIJ", "bedrock-agent-runtime.InvokeInlineAgent"),
        ("POST", "/agents/", "bedrock-agent.ListAgents"),
        ("PUT", "/agents/", "bedrock-agent.CreateAgent"),
        ("POST", "/flows/validate-definition", "bedrock-agent.ValidateFlowDefinition"),
        ("POST", "/flows/validate-definition/", "bedrock-agent.PrepareFlow"),
        ("GET", f"/tags/{ACCOUNT}agent%2FABCDEFGHIJ", "bedrock-agent.ListTagsForResource"),
        ("GET", f"/tags/{ACCOUNT}knowledge-base%2FABCDEFGHIJ", "bedrock-agent.ListTagsForResource"),
        ("GET", f"/tags/{SESSION}", "bedrock-agent-runtime.ListTagsForResource"),
        ("DELETE", f"/tags/{SESSION}", "bedrock-agent-runtime.UntagResource"),
        ("POST", f"/tags/{SESSION}", "bedrock-agent-runtime.TagResource"),
        ("GET", "/tags/rubbish", "bedrock-agent.ListTagsForResource"),
        ("POST", "/listTagsForResource", "bedrock.ListTagsForResource"),
        ("GET", f"/resourcepolicy/{ACCOUNT}knowledge-base%2FABCDEFGHIJ", "bedrock-agent.GetResourcePolicy"),
        ("GET", f"/resource-policy/{ACCOUNT}guardrail%2Fabc", "bedrock.GetResourcePolicy"),
    ],
)
def test_neighbours_are_told_apart(method, path, operation):
    """Trailing slashes, literals beside labels, and paths that two services share."""
    assert match(method, path)[0] == operation


@pytest.mark.parametrize(
    ("segment", "label"),
    [
        ("anthropic.claude-v2", "anthropic.claude-v2"),
        ("anthropic.claude-v2%3A1", "anthropic.claude-v2:1"),
        ("anthropic.claude-v2%3a1", "anthropic.claude-v2:1"),
        ("anthropic.claude-v2:1", "anthropic.claude-v2:1"),
        ("arn%3Aaws%3Abedrock%3A%3A%3Afoundation-model%2Fx", "arn:aws:bedrock:::foundation-model/x"),
        ("a%252Fb", "a%2Fb"),
        ("a%25253Ab", "a%253Ab"),
        ("%C3%A9+b", "é+b"),
        ("..", ".."),
    ],
)
def test_labels_are_decoded_once(segment, label):
    """One level of percent-encoding goes, whatever the case of its digits; a plus stays."""
    assert match("POST", f"/model/{segment}/converse")[1] == {"modelId": label}
    assert match("POST", f"/model/{segment}/converse".encode())[1] == {"modelId": label}


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("POST", "/model/a/b/converse"), ("POST", "/model//converse"), ("GET", "/model/a/converse"), ("GET", "/"),
        ("GET", ""), ("OPTIONS", "*"), ("POST", "/model/a/converse/"), ("POST", "//model/a/converse"),
        ("GET", "/agents//agentversions/1/"), ("POST", "/" * 5000), ("BREW", "/agents/"), ("POST", "/Model/a/converse"),
    ],
)  # fmt: skip
def test_what_no_operation_has_is_unknown(method, path):
    """The fault is AWS's 404, for a wrong method too."""
    with pytest.raises(faults.Fault) as caught:
        router().match(method, path)
    assert (caught.value.name, caught.value.http_status()) == ("UnknownOperationException", 404)


@pytest.mark.parametrize(
    "path",
    [
        b"/model/%/converse",
        b"/model/%zz/converse",
        b"/model/a%2/converse",
        b"/model/%ff/converse",
        b"/model/\xff/converse",
        b"/model/%C3/converse",
    ],
)
def test_rubbish_in_the_path_is_a_fault(path):
    """Broken escapes and bytes that are no UTF-8 get a 400."""
    with pytest.raises(faults.Fault) as caught:
        router().match("POST", path)
    assert (caught.value.name, caught.value.http_status()) == ("ValidationException", 400)


def service(*uris):
    """Make a model with one GET operation for each URI."""
    operations = {
        f"Op{i}": {"name": f"Op{i}", "http": {"method": "GET", "requestUri": uri}} for i, uri in enumerate(uris)
    }
    metadata = {"apiVersion": "1", "protocol": "rest-json", "endpointPrefix": "x"}
    return model.parse("x", msgspec.json.encode({"metadata": metadata, "operations": operations, "shapes": {}}))


@pytest.mark.parametrize(
    ("uris", "path", "query", "expected"),
    [
        (("/a/{x}", "/a/b"), "/a/b", b"", "Op1"),
        (("/a/{x}", "/a/b"), "/a/c", b"", "Op0"),
        (("/{x}/b", "/a/{y}"), "/a/b", b"", "Op1"),
        (("/{B}/{K+}", "/{B}/x"), "/b/x", b"", "Op1"),
        (("/{B}/{K+}", "/{B}"), "/b/x//y/", b"", "Op0"),
        (("/{B}", "/{B}?acl", "/{B}?list-type=2"), "/b", b"acl", "Op1"),
        (("/{B}", "/{B}?acl", "/{B}?list-type=2"), "/b", b"list-type=2&prefix=a", "Op2"),
        (("/{B}", "/{B}?acl", "/{B}?list-type=2"), "/b", b"list-type=1", "Op0"),
        (("/{B}/{K+}", "/{B}/{K+}?tagging"), "/b/a/c", b"tagging=", "Op1"),
        (("/x/{A+}/end", "/x/{A+}"), "/x/1/2/end", b"", "Op0"),
    ],
)
def test_the_more_specific_template_wins(uris, path, query, expected):
    """Literals beat labels, further left first; fixed queries beat none; greedy labels come last."""
    assert route.Router([service(*uris)]).match("GET", path, query).operation.name == expected


def test_a_greedy_label_keeps_its_slashes():
    """What S3 calls a key may hold anything."""
    assert route.Router([service("/{B}/{K+}")]).match("GET", "/b/x//y%2Fz/").labels == {"B": "b", "K": "x//y/z/"}
