"""The config file: every mistake is named, secrets are only pointed at, later sources win."""

from __future__ import annotations

from pathlib import Path

import pytest

from craton import config
from craton.config import ConfigError

MODEL = '[[model]]\nid = "m"\n[[model.target]]\nprovider = "openai"\nbase_url = "http://h/v1"\n'


def written(tmp_path: Path, text: str) -> Path:
    path = tmp_path / "c.toml"
    path.write_text(text)
    return path


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("[server\n", "not valid TOML"),
        ("[server]\nprot = 1\n", "prot"),
        ("[server]\nport = 70000\n", "port"),
        ('[[model]]\nid = "m"\ntarget = []\n', "target"),
        (MODEL.replace("openai", "acme"), "provider"),
        (MODEL.replace('base_url = "http://h/v1"\n', ""), "base_url is missing"),
        (MODEL.replace("http://h/v1", "ftp://h"), "must begin with http://"),
        (MODEL + 'api_key = "sk-literal"\n', "env:NAME or file:PATH"),
        (MODEL + MODEL, "stands twice"),
        (MODEL + 'region = "eu-west-1"\n', "belong to the providers bedrock and sagemaker"),
        (MODEL.replace("openai", "bedrock"), "region is missing"),
        (MODEL.replace("openai", "bedrock") + 'region = "eu-west-1"\n', "or api_key for a Bedrock API key"),
        (MODEL.replace("openai", "sagemaker") + 'region = "x"\napi_key = "env:K"\n', "secret_access_key are missing"),
        (
            MODEL.replace("openai", "bedrock") + 'region = "x"\naccess_key_id = "AKIA"\nsecret_access_key = "env:S"\n',
            "access_key_id must name where the key lies",
        ),
        ('[[account]]\nid = "12"\naccess_key = "a"\nsecret_key = "b"\n', "id"),
        ('[[account]]\nid = "000000000000"\naccess_key = "a"\nsecret_key = "b"\n', "must be unique"),
    ],
)
def test_a_mistake_ends_the_start_and_is_named(tmp_path: Path, text: str, words: str) -> None:
    """The message holds what somebody must change."""
    with pytest.raises(ConfigError, match=words):
        config.load(home=str(tmp_path), config=written(tmp_path, text))


def test_the_command_line_wins_over_the_file(tmp_path: Path) -> None:
    """And the file over the defaults."""
    path = written(tmp_path, "[server]\nport = 1234\nworkers = 2\n")
    settings = config.load(home=str(tmp_path), config=path, port=4321)
    assert (settings.file.server.port, settings.file.server.workers) == (4321, 2)


def test_the_homes_own_file_is_read_without_being_named(tmp_path: Path) -> None:
    """HOME/config.toml."""
    (tmp_path / "config.toml").write_text("[server]\nport = 1234\n")
    assert config.load(home=str(tmp_path)).file.server.port == 1234


def test_the_environment_names_account_region_and_home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """CRATON_ACCOUNT_ID, CRATON_REGION, CRATON_HOME."""
    monkeypatch.setenv("CRATON_ACCOUNT_ID", "123456789012")
    monkeypatch.setenv("CRATON_REGION", "eu-central-1")
    monkeypatch.setenv("CRATON_HOME", str(tmp_path))
    settings = config.load()
    assert (settings.account, settings.region, settings.home) == ("123456789012", "eu-central-1", str(tmp_path))


@pytest.mark.parametrize("account", ["12", "12345678901x", "١٢٣٤٥٦٧٨٩٠١٢"])
def test_an_account_is_twelve_digits(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, account: str) -> None:
    """Of ASCII."""
    monkeypatch.setenv("CRATON_ACCOUNT_ID", account)
    with pytest.raises(ConfigError, match="12 digits"):
        config.load(home=str(tmp_path))


def test_a_secret_is_read_from_where_it_lies(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """An environment variable or a file; what is missing is named, not guessed."""
    monkeypatch.setenv("SOME_KEY", "one")
    path = tmp_path / "key"
    path.write_text("two\n")
    assert [config.secret(""), config.secret("env:SOME_KEY"), config.secret(f"file:{path}")] == ["", "one", "two"]
    for reference in ("env:NO_SUCH_VARIABLE", f"file:{tmp_path}/nothing"):
        with pytest.raises(ConfigError):
            config.secret(reference)
