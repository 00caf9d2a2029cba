"""Rules: made and changed, switched on and off, shown, listed, deleted; and patterns tried out.

Owns the operations and AWS's conditions on a rule. A rule with a schedule has a run that keeps its time
(`workflows.events.schedule`), put down and forgotten in the transaction that changes the rule. It must not know targets.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import msgspec

from craton.aws.access.request import tag_keys
from craton.aws.access.variables import Value
from craton.aws.wire.faults import validation
from craton.context import Call
from craton.features.events.event import DEFAULT_BUS
from craton.features.events.patterns import MOST_CHARS, BadPattern, Match, compiled
from craton.features.events.rule import DISABLED, ENABLED, RULE, Rule, rule_arn, rule_id
from craton.features.events.schedule import BadSchedule, parsed
from craton.infra.store.port import Page, Query, Reader, Resource, Transaction, microseconds, select
from craton.services import stored
from craton.services.events.asked import amend, bus_named, check_bus, judged, rule_of, tags_of
from craton.services.events.faults import as_faults, bad, bad_pattern, too_many
from craton.services.operation import operation
from craton.services.passing import check_pass_role

if TYPE_CHECKING:
    from craton.aws.shapes.events import (
        DeleteRuleRequest,
        DescribeRuleRequest,
        DescribeRuleResponse,
        DisableRuleRequest,
        EnableRuleRequest,
        ListRuleNamesByTargetRequest,
        ListRuleNamesByTargetResponse,
        ListRulesRequest,
        ListRulesResponse,
        PutRuleRequest,
        PutRuleResponse,
        TestEventPatternRequest,
        TestEventPatternResponse,
    )

SERVICE: Final = "events.amazonaws.com"
SCHEDULE: Final = "events-schedule"
MOST_RULES: Final = 300
DEFAULT_PAGE: Final = 100
NOTHING_ASKED = "Parameter(s) EventPattern or ScheduleExpression must be specified."
ONLY_DEFAULT = "ScheduleExpression is supported only on the default event bus."
HAS_TARGETS = "Rule can't be deleted since it has targets."
_NEEDED: Final = ("id", "account", "source", "time", "region", "resources", "detail-type")


@operation("events", "PutRule")
async def put_rule(call: Call, req: PutRuleRequest) -> PutRuleResponse:
    bus, tags = bus_named(call, req.EventBusName), tags_of(req.Tags)
    given: dict[str, Value] = {**tag_keys(request_tags=tags), **keys_of(req.EventPattern)}
    before = await judged(call, "PutRule", req.Name, bus, given)
    arn = rule_arn(call.account, call.region, bus, req.Name)
    if tags and before is None:
        call.authorize("events:TagResource", arn, given=tag_keys(request_tags=tags))
    check(req.EventPattern, req.ScheduleExpression, bus)
    if req.RoleArn is not None:
        await check_pass_role(call, req.RoleArn, SERVICE, source_arn=arn)
    now, status = call.now(), req.State or ENABLED
    rule = Rule(
        name=req.Name, bus=bus, pattern=req.EventPattern or None, schedule=req.ScheduleExpression or None,
        description=req.Description, role=req.RoleArn, since=microseconds(now), tags=tags,
    )  # fmt: skip
    row = Resource(
        account=call.account, region=call.region, kind=RULE, id=rule_id(bus, req.Name), arn=arn, status=status,
        created_at=now, updated_at=now, body=msgspec.json.encode(rule),
    )  # fmt: skip

    def work(transaction: Transaction) -> None:
        check_bus(transaction, call, bus)
        kept = transaction.get(arn)
        if kept is None:
            if rules_on(transaction, call, bus) >= MOST_RULES:
                raise too_many()
            timed(transaction, transaction.create(row))
            return
        old = kept.read(Rule)
        since = old.since if old.schedule == rule.schedule and kept.status == status else rule.since
        new = msgspec.structs.replace(rule, targets=old.targets, tags=old.tags, since=since)
        changed = msgspec.structs.replace(kept, status=status, updated_at=now, body=msgspec.json.encode(new))
        timed(transaction, transaction.update(changed))

    with as_faults():
        await call.app.storage.keep(work)
    return {"RuleArn": arn}


def check(pattern: str | None, schedule: str | None, bus: str) -> None:
    """Raise ValidationException, InvalidEventPatternException for what no rule can be made of."""
    if not pattern and not schedule:
        raise validation(NOTHING_ASKED)
    if schedule:
        if bus != DEFAULT_BUS:
            raise validation(ONLY_DEFAULT)
        try:
            parsed(schedule)
        except BadSchedule:
            raise bad("ScheduleExpression") from None
    if pattern:
        pattern_of(pattern)


def pattern_of(text: str) -> Match:
    """A pattern of a request. Raises InvalidEventPatternException."""
    if len(text) > MOST_CHARS:
        raise bad_pattern(f"The pattern is longer than {MOST_CHARS} characters")
    try:
        return compiled(text)
    except BadPattern as error:
        raise bad_pattern(error) from None


def keys_of(pattern: str | None) -> dict[str, Value]:
    """What policies may ask of a pattern: the sources and types of events that it names."""
    try:
        decoded = msgspec.json.decode(pattern or "{}", type=dict[str, Any])
    except (msgspec.MsgspecError, RecursionError):
        return {}
    keys: dict[str, Value] = {}
    for name in ("source", "detail-type"):
        value = decoded.get(name)
        if isinstance(value, list) and value and all(isinstance(one, str) for one in value):
            keys[f"events:{name}"] = tuple(value)
    return keys


def timed(transaction: Transaction, row: Resource) -> None:
    """Have the rule's time kept if it has a schedule that is on, and no longer if not."""
    from craton.infra.jobs import runs  # with the SQL toolkit, which a server without jobs never loads

    if row.read(Rule).schedule is not None and row.status != DISABLED:
        transaction.run(lambda connection: runs.enqueue(connection, row.arn, SCHEDULE, row.updated_at))
    else:
        transaction.run(lambda connection: runs.forget(connection, row.arn))


def rules_on(store: Reader, call: Call, bus: str) -> int:
    query = Query(kind=RULE, account=call.account, region=call.region, id_prefix=rule_id(bus, ""), limit=MOST_RULES)
    return len(store.list(query).items)


@operation("events", "DeleteRule")
async def delete_rule(call: Call, req: DeleteRuleRequest) -> None:
    bus = bus_named(call, req.EventBusName)
    row = await judged(call, "DeleteRule", req.Name, bus)
    if row is None:
        return

    def work(transaction: Transaction) -> None:
        from craton.infra.jobs import runs

        kept = transaction.get(row.arn)
        if kept is None:
            return
        if kept.read(Rule).targets:
            raise validation(HAS_TARGETS)
        transaction.delete(row.arn)
        transaction.run(lambda connection: runs.forget(connection, row.arn))

    with as_faults():
        await call.app.storage.keep(work)


@operation("events", "EnableRule")
async def enable_rule(call: Call, req: EnableRuleRequest) -> None:
    bus = bus_named(call, req.EventBusName)
    row, _ = await rule_of(call, "EnableRule", req.Name, bus)
    now = microseconds(call.now())
    on = row.status != DISABLED

    def begin(rule: Rule) -> Rule:
        return rule if on else msgspec.structs.replace(rule, since=now)

    await amend(call, req.Name, bus, begin, status=row.status if on else ENABLED, also=timed)


@operation("events", "DisableRule")
async def disable_rule(call: Call, req: DisableRuleRequest) -> None:
    bus = bus_named(call, req.EventBusName)
    await rule_of(call, "DisableRule", req.Name, bus)
    await amend(call, req.Name, bus, lambda rule: rule, status=DISABLED, also=timed)


@operation("events", "DescribeRule")
async def describe_rule(call: Call, req: DescribeRuleRequest) -> DescribeRuleResponse:
    bus = bus_named(call, req.EventBusName)
    row, rule = await rule_of(call, "DescribeRule", req.Name, bus)
    return {**shown(row, rule), "CreatedBy": row.account}  # type: ignore[typeddict-item]


@operation("events", "ListRules")
async def list_rules(call: Call, req: ListRulesRequest) -> ListRulesResponse:
    bus = bus_named(call, req.EventBusName)
    call.authorize("events:ListRules", rule_arn(call.account, call.region, bus, req.NamePrefix or "*"))
    prefix = rule_id(bus, req.NamePrefix or "")
    page, token = await listed(call, bus, prefix, req.Limit, req.NextToken, None)
    found = [shown(row, row.read(Rule)) for row in page.items]
    return {"Rules": found, **({"NextToken": token} if token else {})}  # type: ignore[typeddict-item]


@operation("events", "ListRuleNamesByTarget")
async def list_rule_names_by_target(call: Call, req: ListRuleNamesByTargetRequest) -> ListRuleNamesByTargetResponse:
    bus = bus_named(call, req.EventBusName)
    call.authorize("events:ListRuleNamesByTarget", rule_arn(call.account, call.region, bus, "*"))
    page, token = await listed(call, bus, rule_id(bus, ""), req.Limit, req.NextToken, req.TargetArn)
    found = [row.read(Rule).name for row in page.items]
    return {"RuleNames": found, **({"NextToken": token} if token else {})}


async def listed(
    call: Call, bus: str, prefix: str, limit: int | None, token: str | None, target: str | None
) -> tuple[Page, str | None]:
    """Rules of a bus by name, of those with a target if one is given, and the token of the next page."""
    shape = stored.listing(call, prefix, target)
    with as_faults():
        query = Query(
            kind=RULE, account=call.account, region=call.region, id_prefix=prefix, sort="id",
            limit=limit or DEFAULT_PAGE, after=call.app.storage.pages.open(shape, token),
        )  # fmt: skip

        def work(store: Reader) -> Page:
            check_bus(store, call, bus)
            if target is None:
                return store.list(query)
            return select(store, query, lambda row: any(one.arn == target for one in row.read(Rule).targets))

        page = await call.app.storage.read(work)
    return page, stored.issued(call, shape, page.after)


def shown(row: Resource, rule: Rule) -> dict[str, Any]:
    """A rule as the API has it."""
    found = {
        "Name": rule.name, "Arn": row.arn, "EventPattern": rule.pattern, "State": row.status,
        "Description": rule.description, "ScheduleExpression": rule.schedule, "RoleArn": rule.role,
        "EventBusName": rule.bus,
    }  # fmt: skip
    return {name: value for name, value in found.items() if value is not None}


@operation("events", "TestEventPattern")
async def test_event_pattern(call: Call, req: TestEventPatternRequest) -> TestEventPatternResponse:
    call.authorize("events:TestEventPattern", "*")
    match = pattern_of(req.EventPattern)
    try:
        event = msgspec.json.decode(req.Event)
    except (msgspec.DecodeError, RecursionError):
        raise bad("Event", "The event is not JSON.") from None
    missing = [name for name in _NEEDED if not isinstance(event, dict) or name not in event]
    if missing:
        raise bad("Event", f"The event has no {missing[0]}.")
    return {"Result": match(event)}
