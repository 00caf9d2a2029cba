"""Serve the fake application: serve_fake.py HOME [key=value…]. Prints one line, the URL, when ready."""

from __future__ import annotations

import sys
from pathlib import Path

from craton.features.hosting.deployment import Deployment
from craton.features.hosting.fleet import Fleet
from craton.front.server import Bound, Listen, ListenFailed, Plan, serve
from craton.infra.compute.local import LocalModelHost
from craton.infra.compute.port import ModelSpec
from craton.infra.compute.replica import Rules
from craton.infra.control.home import HomeBusy, RunDir, hold_home
from craton.infra.control.models import model_methods
from craton.infra.control.server import Call, ControlServer, Methods

MODEL = Path(__file__).with_name("fake_model.py")


class FakeDuties:
    def __init__(self, run: RunDir, home: Path) -> None:
        self.fleet = Fleet(LocalModelHost(run.models, run.model_logs, Rules(stop_grace_s=1)))
        self.home = home

    @property
    def methods(self) -> Methods:
        return {**model_methods(self.fleet), "publish.fast": self.publish}

    def deployed(self, model_id: str) -> Deployment:
        counter = str(self.home / f"{model_id}.starts")
        command = (sys.executable, str(MODEL), "{uds}", "{threads}", counter, model_id)
        return Deployment(id=model_id, spec=ModelSpec(id=model_id, command=command))

    async def place(self, _placements: object) -> None:
        """Nobody here wants to know."""

    async def publish(self, call: Call) -> int:
        return await call.server.publish(call.params["payload"], timeout_s=0.5)

    async def start(self, control: ControlServer) -> None:
        await control.publish(b"first")
        self.fleet.start(self.place)
        self.fleet.want(map(self.deployed, ("ok", "family", "crash")))

    async def stop(self) -> None:
        await self.fleet.close()


def main() -> int:
    home = Path(sys.argv[1])
    options = dict(word.split("=", 1) for word in sys.argv[2:])
    uds = options.get("uds")
    listen = Listen(port=int(options.get("port", "0")), uds=Path(uds) if uds else None)
    plan = Plan(
        target=f"fake_app:{options.get('app', 'open_app')}",
        settings=b"the settings",
        workers=int(options.get("workers", "1")),
        drain_s=float(options.get("drain_s", "0.5")),
    )

    def ready(bound: Bound) -> None:
        print(bound.url, flush=True)

    try:
        with hold_home(home) as run:
            return serve(listen, plan, run, FakeDuties(run, home), ready)
    except (HomeBusy, ListenFailed) as error:
        print(error, file=sys.stderr)
        return 2


if __name__ == "__main__":
    sys.exit(main())
