"""What this server offers beside Bedrock's operations: which services, by which protocol, and the door to each.

A door is made when it is first asked for, since many servers never are. It must not know what a service does, nor how a
worker is composed.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cache, partial
from importlib import import_module
from types import ModuleType

from craton.aws.wire.faults import Fault
from craton.aws.wire.model import Operation, Service, load
from craton.context import App, Handler
from craton.front.doors import Door
from craton.front.pipeline import Pipeline, Served
from craton.front.s3_address import Hosts
from craton.front.s3_way import S3Way
from craton.infra.identities.vault import Vault
from craton.services.all import handlers
from craton.services.operation import Label, labelled

SERVICES = ("bedrock", "bedrock-runtime", "bedrock-agent", "bedrock-agent-runtime")
QUERY_SERVICES = ("iam", "sts")
# Name → the largest body. Events are at most 1 MiB as text, and JSON may write a letter in six.
JSON_SERVICES = {"kms": 1024 * 1024, "logs": 8 * 1024 * 1024, "events": 8 * 1024 * 1024}


def audited(app: App, operation: Operation, handler: Handler) -> Handler:
    """The handler with its calls recorded, if they are to be."""
    found: Handler = app.audit.over(operation, handler) if app.audit is not None else handler
    return found


def served(app: App, operation: Operation) -> Served | None:
    """What serves a rest-json operation, its service loaded at the first; None for what is not built."""
    found = handlers(operation.service).get(operation.name)
    return None if found is None else Served(audited(app, operation, found[1]), found[0].body)


def handlers_of(app: App, service: Service, modules: tuple[ModuleType, ...]) -> dict[str, Handler]:
    """The handlers of a service by operation."""
    found = labelled(modules)
    return {name: audited(app, service.operations[name], handler) for (_, name), (_, handler) in found.items()}


def query_doors(app: App, report: Callable[[BaseException], None]) -> dict[str, Callable[[], Door]]:
    """The services of the query protocol by signing name, each loaded when it is first asked: many servers never are."""

    def door(name: str) -> Door:
        from craton.front.query_request import QueryDoor
        from craton.services.query import HANDLERS

        service = load(name)
        opened = QueryDoor(app, service, handlers_of(app, service, HANDLERS[name]), report)
        app.vault.uses.verifiers.append(opened.verifier)
        return opened

    made = cache(door)
    return {name: partial(made, name) for name in QUERY_SERVICES}


def json_doors(app: App, report: Callable[[BaseException], None]) -> dict[str, Callable[[], Door]]:
    """The services of the JSON protocol by signing name, each loaded when it is first asked."""

    def door(name: str) -> Door:
        from craton.front.json_request import JsonDoor

        service = load(name)
        handlers = handlers_of(app, service, import_module(f"craton.services.{name}.all").HANDLERS)
        return JsonDoor(app, service, handlers, report, most_bytes=JSON_SERVICES[name])

    made = cache(door)
    return {name: partial(made, name) for name in JSON_SERVICES}


def cloudwatch_door(app: App, report: Callable[[BaseException], None]) -> Callable[[], Door]:
    """CloudWatch's metrics, in all of their protocols."""

    @cache
    def door() -> Door:
        from craton.front.cloudwatch_request import CloudWatchDoor
        from craton.services.cloudwatch.all import HANDLERS

        service = load("cloudwatch")
        opened = CloudWatchDoor(app, service, handlers_of(app, service, HANDLERS), report)
        app.vault.uses.verifiers += opened.verifiers
        return opened

    return door


def lambda_door(app: App, report: Callable[[BaseException], None]) -> Callable[[], Door]:
    """Lambda's operations."""

    @cache
    def door() -> Door:
        from craton.front.lambda_request import LambdaDoor
        from craton.services.lambda_.all import HANDLERS

        service = load("lambda")
        if app.settings.file.lambda_.endpoint_url:
            from craton.front.lambda_forward import LambdaForward
            from craton.services.lambda_.gate import named

            return LambdaForward(app, service, report, lambda call, name: named(call, name).asked)
        opened = LambdaDoor(app, service, handlers_of(app, service, HANDLERS), report)
        app.vault.uses.verifiers.append(opened.verifier)
        return opened

    return door


def other_doors(app: App, report: Callable[[BaseException], None]) -> dict[str, Callable[[], Door]]:
    """The services with a protocol of their own, by signing name."""
    return {"monitoring": cloudwatch_door(app, report), "lambda": lambda_door(app, report)}


def function_urls(app: App, report: Callable[[BaseException], None]) -> Callable[[], Door]:
    """The URLs of functions, and of their zips."""

    @cache
    def door() -> Door:
        from craton.front.function_url import FunctionUrls
        from craton.services.lambda_ import invoke

        opened = FunctionUrls(app, load("lambda").operations["Invoke"], report, invoke)
        app.vault.uses.verifiers.append(opened.verifier)
        return opened

    return door


def objects_door(app: App, report: Callable[[BaseException], None]) -> Callable[[], Door]:
    """Many small objects in one answer, which jobs ask for."""

    @cache
    def door() -> Door:
        from craton.front.own_door import OwnDoor, own_operation
        from craton.services.s3 import together

        operation, kind = own_operation("GetObjects", "/craton/objects"), b"application/vnd.msgpack"
        return OwnDoor(app, operation, together.small_objects, report, largest=together.MOST_BODY, kind=kind)

    return door


def s3_way(pipeline: Pipeline, vault: Vault) -> S3Way:
    """The way to S3, which is loaded when it is first asked."""
    app, report = pipeline.app, pipeline.report
    hosts = Hosts(app.settings.file.s3.domains)

    @cache
    def door() -> Door:
        from craton.front.s3_request import S3Door
        from craton.services.s3.all import HANDLERS
        from craton.services.s3.choices import with_open_choices
        from craton.services.s3.cors import rules_of

        service = with_open_choices(load("s3"))
        opened = S3Door(app, service, handlers_of(app, service, HANDLERS), report, hosts, partial(rules_of, app))
        vault.uses.verifiers.append(opened.verifier)
        return opened

    def leads(method: str, raw_path: bytes, query: bytes) -> bool:
        try:
            pipeline.find(method, raw_path, query)
        except Fault:
            return False
        return True

    return S3Way(door, hosts, leads)


def at_root() -> list[dict[str, str]]:
    """What each operation of the services at `/`, and of S3, is here."""
    from craton.services.cloudwatch import all as cloudwatch
    from craton.services.events import all as events
    from craton.services.kms import all as kms
    from craton.services.lambda_ import all as lambda_
    from craton.services.logs import all as logs
    from craton.services.query import HANDLERS
    from craton.services.s3 import all as s3

    modules = [
        *HANDLERS.values(), kms.HANDLERS, s3.HANDLERS, logs.HANDLERS, cloudwatch.HANDLERS, lambda_.HANDLERS,
        events.HANDLERS,
    ]  # fmt: skip
    labels = {key: label for handlers in modules for key, (label, _) in labelled(handlers).items()}
    return operation_rows(
        [load(name) for name in (*QUERY_SERVICES, "kms", "s3", "logs", "cloudwatch", "lambda", "events")], labels
    )


def operation_rows(services: list[Service], labels: dict[tuple[str, str], Label]) -> list[dict[str, str]]:
    """What each operation of the service models is here: real, partial or refused."""
    return [
        {"service": service.name, "operation": name, "status": labels[key].status if key in labels else "refused"}
        for service in services
        for name in sorted(service.operations)
        for key in ((service.name, name),)
    ]
