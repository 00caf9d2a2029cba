"""A program that takes podman's arguments for tests: `podman_standin.py FOLDER [OPTIONS] run|inspect|ps|rm …`.

`run` keeps its arguments and the label in FOLDER, makes a network of its own, as podman does, and becomes the test server
in place of the image; the others speak of what FOLDER holds. Only options that take a value in the next word, and those
written as one word, are known: what is not known is an error, as it would be of podman's.
"""

import json
import os
import runpy
import signal
import sys
from pathlib import Path

VALUED = {
    "--name", "--label", "--pull", "--network", "--tmpfs", "--shm-size", "--cap-drop", "--security-opt", "--log-driver",
    "--user", "--pids-limit", "--cpus", "--stop-timeout", "--memory", "--memory-swap", "--volume", "--env", "--device",
    "--userns", "--ulimit", "--runtime",
}  # fmt: skip
ALONE = {"--rm", "--read-only", "--http-proxy=false"}

folder, words = Path(sys.argv[1]), sys.argv[2:]
while words[0].startswith("--"):  # of podman itself
    words = words[2:] if words[0] in VALUED else words[1:]
verb, words = words[0], words[1:]
if verb == "run":
    given: dict[str, list[str]] = {}
    alone = []
    while words[0].startswith("-"):
        if words[0] in VALUED:
            given.setdefault(words[0], []).append(words[1])
            words = words[2:]
        elif words[0] in ALONE:
            alone.append(words.pop(0))
        else:
            sys.exit(f"Error: unknown flag: {words[0]}")
    image, command = words[0], words[1:]
    if image == "localhost/none:1":
        print(f"Error: {image}: image not known", flush=True)
        sys.exit(125)
    name = given["--name"][0]
    told = {"given": given, "alone": alone, "image": image, "command": command, "pid": os.getpid()}
    if given.get("--network") == ["none"]:
        relay = Path(__file__).parents[3] / "src/craton/infra/compute/containers/relay.py"
        runpy.run_path(str(relay))["hold_network"]()
    (folder / "new").write_text(json.dumps(told))
    (folder / "new").rename(folder / name)
    env = dict(pair.split("=", 1) for pair in given["--env"])
    os.execve(sys.executable, [sys.executable, "-I", "-S", str(Path(__file__).with_name("container_server.py"))], env)
kept = {path.name: json.loads(path.read_text()) for path in folder.iterdir() if path.name.startswith("craton-")}
if verb == "inspect" and "Labels" in words[1]:
    for name in words[2:]:
        print(kept[name]["given"]["--label"][0].partition("=")[2])
elif verb == "inspect":
    print(kept[words[-1]]["pid"] if words[-1] in kept else 0)
elif verb == "ps":
    print("\n".join(kept))
elif verb == "rm":
    for name in words[1:]:
        with (folder / "removed").open("a") as file:
            file.write(name + "\n")
        if name in kept:
            (folder / name).unlink()
            try:
                os.kill(kept[name]["pid"], signal.SIGKILL)
            except ProcessLookupError:
                pass
