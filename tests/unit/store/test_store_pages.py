"""nextToken: accepted by the listing that issued it, refused everywhere else."""

from __future__ import annotations

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from craton.infra.store.pages import Listing, PageTokens
from craton.infra.store.port import After, BadPageToken, fingerprint

TOKENS = PageTokens(b"s" * 32)
LISTING = Listing("111122223333", "us-east-1", "ListGuardrails", fingerprint({"sort": "name"}))
AFTER: After = (1_767_225_600_000_000, "arn:aws:bedrock:us-east-1:111122223333:guardrail/g1")


@given(st.tuples(st.one_of(st.integers(-(2**63), 2**63 - 1), st.text()), st.text()))
def test_position_comes_back(after: After) -> None:
    """Whatever a page ended with is what the next request starts from."""
    token = TOKENS.issue(LISTING, after)
    if token is not None and len(token) <= 4096:
        assert TOKENS.open(LISTING, token) == after


def test_last_page_has_no_token_and_no_token_is_the_first_page() -> None:
    """None means the end in one direction and the start in the other."""
    assert TOKENS.issue(LISTING, None) is None
    assert TOKENS.open(LISTING, None) is None


def test_token_fits_urls_and_awss_patterns() -> None:
    """AWS's PaginationToken is 1 to 2048 letters without blanks; ours needs no escaping in a query."""
    token = TOKENS.issue(LISTING, ("n" * 200, "arn:" + "x" * 500))
    assert token is not None
    assert len(token) <= 2048
    assert token.replace("-", "").replace("_", "").isalnum()


@pytest.mark.parametrize(
    "changes",
    [
        {"account": "444455556666"},
        {"region": "eu-west-1"},
        {"operation": "ListAgents"},
        {"filters": fingerprint({"sort": "id"})},
    ],
)
def test_tokens_of_other_listings_are_refused(changes: dict[str, str]) -> None:
    """Another account, region, operation or filter makes it a foreign token."""
    token = TOKENS.issue(LISTING, AFTER)
    with pytest.raises(BadPageToken):
        TOKENS.open(msgspec.structs.replace(LISTING, **changes), token)


def test_tokens_of_another_home_are_refused() -> None:
    """Another secret is another issuer."""
    with pytest.raises(BadPageToken):
        PageTokens(b"t" * 32).open(LISTING, TOKENS.issue(LISTING, AFTER))


def test_every_tampered_letter_is_noticed() -> None:
    """A token with any one letter changed, dropped or added is refused."""
    token = TOKENS.issue(LISTING, AFTER)
    assert token is not None
    for place, letter in enumerate(token):
        other = "A" if letter != "A" else "B"
        for forged in (token[:place] + other + token[place + 1 :], token[:place] + token[place + 1 :]):
            with pytest.raises(BadPageToken):
                TOKENS.open(LISTING, forged)


@pytest.mark.parametrize("rubbish", ["", "=", "AAAA", "not base64!", "ä", "A" * 5000, "\ud800", "AA==", "A A"])
def test_rubbish_is_refused(rubbish: str) -> None:
    """Whatever else is sent gets the same answer."""
    with pytest.raises(BadPageToken):
        TOKENS.open(LISTING, rubbish)


def test_short_secrets_are_refused() -> None:
    """A guessable secret is a mistake of the caller's."""
    with pytest.raises(ValueError, match="32 bytes"):
        PageTokens(b"short")


def test_fingerprint_minds_values_and_not_the_order_of_keys() -> None:
    """Equal requests have equal hashes however they were built."""
    assert fingerprint({"a": 1, "b": [1, 2]}) == fingerprint({"b": [1, 2], "a": 1})
    assert fingerprint({"a": 1}) != fingerprint({"a": "1"})
    assert fingerprint([1, 2]) != fingerprint([2, 1])
