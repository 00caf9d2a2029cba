"""Filter patterns: what each form lets through, and that no needle hides what matches."""

from __future__ import annotations

import pytest

from craton.features.logs.patterns.sieve import sieve_of
from craton.features.logs.patterns.text import BadPattern

ACCESS_LINE = '127.0.0.1 Prod frank [10/Oct/2000:13:25:15 -0700] "GET /index.html HTTP/1.0" 404 1534'
TRAIL = (
    '{"eventType":"UpdateTrail","sourceIPAddress":"111.111.111.111","arrayKey":["value","another value"],'
    '"objectList":[{"name":"a","id":1},{"name":"b","id":2}],"SomeObject":null,"cluster.name":"c","on":true,'
    '"latency":12.5,"code":"404","note":"a\\"b\\u00e9"}'
)
# pattern, message, whether it matches
TERMS = [
    ("ERROR", "[ERROR 400] BAD REQUEST", True),
    ("ERROR", "[error 400]", False),
    ("ERROR", "NOERRORS", True),
    ("ERROR REQUEST", "[ERROR 400] BAD REQUEST", True),
    ("ERROR REQUEST", "[ERROR 401] UNAUTHORIZED", False),
    ("?ERROR ?WARN", "[WARN] x", True),
    ("?ERROR ?WARN", "[INFO] x", False),
    ("?ERROR ?WARN 400", "[INFO] 400", True),  # beside other terms those with a question mark are ignored
    ("ERROR -REQUEST", "[ERROR 401] UNAUTHORIZED", True),
    ("ERROR -REQUEST", "[ERROR 400] BAD REQUEST", False),
    ("-ERROR", "fine", True),
    ('"INTERNAL SERVER ERROR"', "[500] INTERNAL SERVER ERROR", True),
    ('"INTERNAL SERVER ERROR"', "INTERNAL ERROR SERVER", False),
    ('-"a b" c', "c a b", False),
    (r'"say \"hi\""', 'they say "hi"', True),
    ("", "anything", True),
    ("   ", "anything", True),
    ("%ERROR%", "an ERROR here", True),
    (r"%[45]\d{2}%", "status 503.", True),
    (r"%^[45]\d{2}$%", "status 503", False),
    (r"%AUTHORIZED|FORBIDDEN%", "403 FORBIDDEN", True),
    (r"ERROR %5\d\d%", "ERROR 404", False),
    ("naïve", "a naïve word", True),
]
JSON = [
    ('{ $.eventType = "UpdateTrail" }', True),
    ('{ $.eventType = "updateTrail" }', False),
    ("{ $.eventType = UpdateTrail }", True),
    ('{ $.eventType = "Update*" }', True),
    ('{ $.eventType = "*Trail" }', True),
    (r'{ $.eventType = "Update\*" }', False),
    ("{ $.eventType != *Trail }", False),
    ("{ $.sourceIPAddress != 123.123.* }", True),
    ('{ $.arrayKey[0] = "value" }', True),
    ('{ $.arrayKey[*] = "another value" }', True),
    ('{ $.arrayKey[9] = "value" }', False),
    ("{ $.objectList[1].id = 2 }", True),
    ("{ $.objectList[1].id > 2 }", False),
    ("{ $.latency >= 12.5 && $.latency < 1e2 }", True),
    ("{ $.latency = 12.50 }", True),
    ("{ $.code = 404 }", True),
    ('{ $.latency = "12.5" }', False),
    ("{ $.SomeObject IS NULL }", True),
    ("{ $.SomeOtherObject NOT EXISTS }", True),
    ("{ $.SomeObject NOT EXISTS }", False),
    ("{ $.eventType EXISTS }", True),
    ("{ $.on IS TRUE }", True),
    ("{ $.on IS FALSE }", False),
    ("{ $.missing != 1 }", False),
    ("{ $.missing > 1 }", False),
    ("{ ($.on IS FALSE || $.latency > 1) && $.code = 4* }", True),
    ("{ $.on IS FALSE || $.latency > 100 && $.code = 404 }", False),
    ("{ $.['cluster.name'] = c }", True),
    ("{ $.eventType.deeper = 1 }", False),
    ("{ $.eventType = %^Up.*il$% }", True),
    (r'{ $.note = "a\"b*" }', True),
    ('{ $.note = "*é" }', True),
    ("{$.latency=12.5}", True),
]
FIELDS = [
    ("[ip, user, username, timestamp, request, status_code, bytes]", True),
    ("[ip, user, username, timestamp, request, status_code]", False),
    ("[ip, user, username, timestamp, request =*.html*, status_code = 4*, bytes]", True),
    ("[..., status_code = 4*, bytes]", True),
    ("[ip, ..., bytes > 2000]", False),
    ("[ip = 127.0.0.1, ...]", True),
    ("[ip != 127.0.0.1, ...]", False),
    ("[ip, user = Prod || user = Test, ...]", True),
    ("[..., status_code != 404 && status_code != 410, bytes]", False),
    ("[..., status_code = %4[0-9]{2}%, bytes]", True),
    ('[ip, user, username, timestamp = "10/Oct*", ...]', True),
]
TABLE = [*TERMS, *((pattern, TRAIL, said) for pattern, said in JSON), *((p, ACCESS_LINE, said) for p, said in FIELDS)]


@pytest.mark.parametrize(("pattern", "message", "said"), TABLE, ids=lambda value: str(value)[:60])
def test_matches(pattern: str, message: str, said: bool) -> None:
    """A pattern matches what its form says, and whatever matches holds one of its needles."""
    sieve, data = sieve_of(pattern), message.encode()
    matched = sieve is None or sieve.matches(data)
    assert matched is said
    if matched and sieve is not None and sieve.needles is not None:
        assert any(needle in data for needle in sieve.needles)


@pytest.mark.parametrize("message", ["plain", "", "[1]", "{", '{"eventType": }', '{"a":' * 2000])
def test_what_is_no_json_object_matches_no_condition(message: str) -> None:
    """Conditions on JSON say nothing of other texts, however they are broken."""
    sieve = sieve_of('{ $.eventType NOT EXISTS || $.a.b = "x" }')
    assert sieve is not None
    assert not sieve.matches(message.encode())


def test_escapes_do_not_hide_a_value() -> None:
    """A value matches however JSON writes it."""
    sieve = sieve_of('{ $.kind = "Update/Trail" }')
    assert sieve is not None
    for message in (
        b'{"kind":"Update/Trail"}',
        b'{"kind":"Update\\/Trail"}',
        b'{"kind":"\\u0055pdate\\u002fTr\\u0061il"}',
    ):
        assert sieve.matches(message)
        assert any(needle in message for needle in sieve.needles or (b"",))


@pytest.mark.parametrize(
    "pattern",
    ["{", "{ }", "{ $.a }", "{ $ = 1 }", "{ a = 1 }", "{ $.a = }", "{ $.a > x }", "{ $.a = 1 } x", "{ ($.a = 1 }", "[",
     "[]", "[a", "[a b]", "[..., ...]", "[a = ]", "%(a)%", "%a**%", "%a{3,1}%", "%[%", "%a^b%", "%%", '"open',
     "%a% %b% %c%", "{ " + "(" * 200 + "$.a = 1" + ")" * 200 + " }"],
)  # fmt: skip
def test_what_cannot_be_read_is_refused(pattern: str) -> None:
    """A pattern that is none is an error, not a search for something else."""
    with pytest.raises(BadPattern):
        sieve_of(pattern)


def test_a_term_with_signs_is_named() -> None:
    """Whoever forgot the quotes learns around which term."""
    with pytest.raises(BadPattern, match=r"Invalid character\(s\) in term 'foo:bar'"):
        sieve_of("foo:bar")
