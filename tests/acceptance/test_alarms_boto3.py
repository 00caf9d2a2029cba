"""The API of alarms in the three protocols that SDKs speak: made, shown, found, changed, deleted, and what is refused."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest
from botocore.exceptions import ClientError

from tests.acceptance.functions import until
from tests.acceptance.identities import allow
from tests.acceptance.kms import of_user
from tests.acceptance.metrics import PROTOCOLS, client, minute, query
from tests.running import Running

HOOK = "arn:craton:webhook:::ops"


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    with Running(
        tmp_path_factory.mktemp("alarms"), '[cloudwatch.webhooks]\nops = "http://127.0.0.1:9/"\n'
    ) as running:  # fmt: skip
        yield running


@pytest.fixture(scope="module", params=PROTOCOLS)
def cloudwatch(server: Running, request: pytest.FixtureRequest) -> Any:
    return client(server, request.param)


@pytest.fixture(scope="module")
def cbor(server: Running) -> Any:
    return client(server)


def put(cloudwatch: Any, name: str, **more: Any) -> None:
    asked = {
        "AlarmName": name, "Namespace": "Test", "MetricName": "load", "Statistic": "Sum", "Period": 60,
        "EvaluationPeriods": 3, "DatapointsToAlarm": 2, "Threshold": 5.5, "ComparisonOperator": "GreaterThanThreshold",
    }  # fmt: skip
    asked |= more
    cloudwatch.put_metric_alarm(**{key: value for key, value in asked.items() if value is not None})


def shown(cloudwatch: Any, name: str) -> dict[str, Any]:
    found = cloudwatch.describe_alarms(AlarmNames=[name], AlarmTypes=["MetricAlarm", "CompositeAlarm"])
    (alarm,) = found["MetricAlarms"] + found["CompositeAlarms"]
    return dict(alarm)


def is_in(cloudwatch: Any, name: str, state: str) -> bool:
    return bool(until(lambda: shown(cloudwatch, name)["StateValue"] == state))


def refused(work: Any, **asked: Any) -> tuple[str, str]:
    with pytest.raises(ClientError) as caught:
        work(**asked)
    error = caught.value.response["Error"]
    return error["Code"], error["Message"]


def test_an_alarm_is_shown_as_it_was_made(cloudwatch: Any) -> None:
    """Every member comes back; a second put replaces the form and keeps state and tags."""
    put(
        cloudwatch, "whole", AlarmDescription="d", ActionsEnabled=False, AlarmActions=[HOOK], OKActions=[HOOK],
        Dimensions=[{"Name": "b", "Value": "2"}, {"Name": "a", "Value": "1"}], Unit="Count",
        TreatMissingData="notBreaching", Tags=[{"Key": "team", "Value": "x"}],
    )  # fmt: skip
    alarm = shown(cloudwatch, "whole")
    assert alarm["AlarmArn"] == "arn:aws:cloudwatch:us-east-1:000000000000:alarm:whole"
    assert (alarm["Threshold"], alarm["EvaluationPeriods"], alarm["DatapointsToAlarm"]) == (5.5, 3, 2)
    assert alarm["Dimensions"] == [{"Name": "a", "Value": "1"}, {"Name": "b", "Value": "2"}]
    assert (alarm["Statistic"], alarm["Unit"], alarm["ActionsEnabled"]) == ("Sum", "Count", False)
    assert (alarm["AlarmActions"], alarm["InsufficientDataActions"]) == ([HOOK], [])
    assert is_in(cloudwatch, "whole", "OK")
    put(cloudwatch, "whole", Statistic=None, ExtendedStatistic="p99", EvaluateLowSampleCountPercentile="ignore")
    alarm = shown(cloudwatch, "whole")
    assert (alarm["ExtendedStatistic"], "Statistic" in alarm, alarm["StateValue"]) == ("p99", False, "OK")
    arn = alarm["AlarmArn"]
    cloudwatch.tag_resource(ResourceARN=arn, Tags=[{"Key": "more", "Value": "y"}])
    cloudwatch.untag_resource(ResourceARN=arn, TagKeys=["team"])
    assert cloudwatch.list_tags_for_resource(ResourceARN=arn)["Tags"] == [{"Key": "more", "Value": "y"}]
    cloudwatch.delete_alarms(AlarmNames=["whole", "never-there"])
    assert cloudwatch.describe_alarms(AlarmNames=["whole"])["MetricAlarms"] == []
    assert refused(cloudwatch.list_tags_for_resource, ResourceARN=arn)[0] == "ResourceNotFoundException"


def test_expressions_are_watched(cbor: Any) -> None:
    """An alarm on metric math is raised by what it reckons."""
    at = minute(2)
    data = [{"MetricName": name, "Value": value, "Timestamp": at} for name, value in (("errors", 3.0), ("all", 10.0))]
    cbor.put_metric_data(Namespace="Math", MetricData=data)
    metrics = [
        {**query("e", "Math", "errors"), "ReturnData": False},
        {**query("n", "Math", "all"), "ReturnData": False},
        {"Id": "share", "Expression": "100 * e / n", "Label": "share"},
    ]
    cbor.put_metric_alarm(
        AlarmName="share", Metrics=metrics, EvaluationPeriods=1, Threshold=20, ComparisonOperator="GreaterThanThreshold"
    )
    assert is_in(cbor, "share", "ALARM")
    alarm = shown(cbor, "share")
    assert "[30.0 (" in alarm["StateReason"]
    assert [one["Id"] for one in alarm["Metrics"]] == ["e", "n", "share"]
    history = cbor.describe_alarm_history(AlarmName="share", ScanBy="TimestampAscending")["AlarmHistoryItems"]
    assert [one["HistoryItemType"] for one in history] == ["ConfigurationUpdate", "StateUpdate"]
    data = json.loads(history[1]["HistoryData"])
    assert (data["oldState"]["stateValue"], data["newState"]["stateValue"]) == ("INSUFFICIENT_DATA", "ALARM")


def test_alarms_are_found_by_page_and_filter(cbor: Any) -> None:
    """By prefix, state, action and metric; pages hold no alarm twice."""
    for number in range(5):
        put(cbor, f"page-{number}", MetricName=f"paged-{number % 2}", AlarmActions=[HOOK] if number == 3 else [])
    cbor.set_alarm_state(AlarmName="page-4", StateValue="ALARM", StateReason="by hand")
    pages = cbor.get_paginator("describe_alarms").paginate(AlarmNamePrefix="page-", MaxRecords=2)
    assert [one["AlarmName"] for page in pages for one in page["MetricAlarms"]] == [f"page-{n}" for n in range(5)]
    named = cbor.describe_alarms(AlarmNamePrefix="page-", ActionPrefix="arn:craton")["MetricAlarms"]
    assert [one["AlarmName"] for one in named] == ["page-3"]
    metric = cbor.describe_alarms_for_metric(Namespace="Test", MetricName="paged-1")["MetricAlarms"]
    assert [one["AlarmName"] for one in metric] == ["page-1", "page-3"]
    history = cbor.get_paginator("describe_alarm_history").paginate(
        AlarmName="page-4", HistoryItemType="ConfigurationUpdate", PaginationConfig={"PageSize": 1}
    )
    summaries = [one["HistorySummary"] for page in history for one in page["AlarmHistoryItems"]]
    assert summaries == ['Alarm "page-4" created']


@pytest.mark.parametrize(
    ("more", "code", "text"),
    [
        ({"Statistic": None}, "InvalidParameterCombination", "Must specify either Statistic or ExtendedStatistic"),
        ({"ExtendedStatistic": "p99"}, "InvalidParameterCombination", "mutually exclusive"),
        ({"Period": 61}, "InvalidParameterValue", "multiple of 60"),
        ({"EvaluationPeriods": 1441, "DatapointsToAlarm": 1}, "ValidationError", "more than a day"),
        ({"DatapointsToAlarm": 4}, "ValidationError", "DatapointsToAlarm"),
        ({"TreatMissingData": "often"}, "ValidationError", "Option often is not supported"),
        ({"ComparisonOperator": "GreaterThanUpperThreshold"}, "ValidationError", "anomaly detection"),
        ({"Threshold": None}, "MissingParameter", "Threshold"),
        ({"AlarmName": "a\nb"}, "ValidationError", "printable"),
        ({"AlarmActions": ["arn:aws:automate:us-east-1:ec2:stop"]}, "InvalidParameterValue", "cannot be carried out"),
    ],
)
def test_what_is_no_alarm(cbor: Any, more: dict[str, Any], code: str, text: str) -> None:
    """Refused under AWS's names, with what is wrong."""
    got, said = refused(put, cloudwatch=cbor, name=more.pop("AlarmName", "bad"), **more)
    assert got == code
    assert text in said


def test_states_and_expressions_that_cannot_be(cbor: Any) -> None:
    """An alarm that is not there, data that is no JSON, expressions that no alarm may have."""
    hand = {"AlarmName": "not-there", "StateValue": "OK", "StateReason": "r"}
    assert refused(cbor.set_alarm_state, **hand)[0] == "ResourceNotFound"
    assert refused(cbor.set_alarm_state, **hand, StateReasonData="{")[0] == "InvalidFormat"
    terms = {"EvaluationPeriods": 1, "Threshold": 1.0, "ComparisonOperator": "LessThanThreshold", "AlarmName": "bad"}
    for expression in ("SEARCH('{Test} x', 'Sum')", "ANOMALY_DETECTION_BAND(m1)", "m2 +"):
        metrics = [{**query("m1", "Test", "x"), "ReturnData": False}, {"Id": "e", "Expression": expression}]
        assert refused(cbor.put_metric_alarm, Metrics=metrics, **terms)[0] == "ValidationError"
    assert refused(cbor.put_metric_alarm, Metrics=[query("a", "T", "x"), query("b", "T", "x")], **terms)[1] == (
        "Exactly one element of the metrics list should return data."
    )


def test_composite_alarms_follow_others(cbor: Any) -> None:
    """One over two, one over that; those below cannot go while it is there."""
    for name in ("left", "right"):
        put(cbor, name, MetricName="none")
    cbor.put_composite_alarm(AlarmName="both", AlarmRule='ALARM(left) AND ALARM("right")')
    cbor.put_composite_alarm(AlarmName="top", AlarmRule="ALARM(both) OR FALSE", AlarmDescription="over one")
    assert is_in(cbor, "top", "OK")
    for name in ("left", "right"):
        cbor.set_alarm_state(AlarmName=name, StateValue="ALARM", StateReason="by hand")
    assert is_in(cbor, "top", "ALARM")
    alarm = shown(cbor, "top")
    assert (alarm["AlarmRule"], alarm["AlarmDescription"]) == ("ALARM(both) OR FALSE", "over one")
    children = cbor.describe_alarms(ChildrenOfAlarmName="both")["MetricAlarms"]
    assert [one["AlarmName"] for one in children] == ["left", "right"]
    parents = cbor.describe_alarms(ParentsOfAlarmName="both")["CompositeAlarms"]
    assert [one["AlarmName"] for one in parents] == ["top"]
    assert "composite alarm(s) depending on it: both" in refused(cbor.delete_alarms, AlarmNames=["left"])[1]
    cbor.delete_alarms(AlarmNames=["left", "right", "both", "top"])


def test_rules_that_cannot_be(cbor: Any) -> None:
    """Words that are no rule, alarms that are not there, circles."""
    put(cbor, "base", MetricName="none")
    cbor.put_composite_alarm(AlarmName="one", AlarmRule="OK(base)")
    cbor.put_composite_alarm(AlarmName="two", AlarmRule="OK(one)")
    for rule, text in (
        ("ALARM(", "ends too early"),
        ("ALARM(gone)", "do not exist"),
        ("ALARM(two)", "depends on itself"),
        ("ALARM(one)", "depends on itself"),
    ):
        code, said = refused(cbor.put_composite_alarm, AlarmName="one", AlarmRule=rule)
        assert (code, text in said) == ("ValidationError", True), said
    cbor.delete_alarms(AlarmNames=["one", "two", "base"])


def test_a_suppressor_holds_actions_back(cbor: Any) -> None:
    """While it is in ALARM the composite alarm changes its state and says why nobody is told."""
    put(cbor, "upkeep", MetricName="none")
    put(cbor, "fault", MetricName="none")
    cbor.put_composite_alarm(
        AlarmName="calm", AlarmRule="ALARM(fault)", ActionsSuppressor="upkeep", ActionsSuppressorWaitPeriod=60,
        ActionsSuppressorExtensionPeriod=60, AlarmActions=[HOOK],
    )  # fmt: skip
    assert is_in(cbor, "calm", "OK")
    cbor.set_alarm_state(AlarmName="upkeep", StateValue="ALARM", StateReason="r")
    cbor.set_alarm_state(AlarmName="fault", StateValue="ALARM", StateReason="r")
    assert is_in(cbor, "calm", "ALARM")
    assert shown(cbor, "calm")["ActionsSuppressedBy"] == "Alarm"
    history = cbor.describe_alarm_history(AlarmName="calm", AlarmTypes=["CompositeAlarm"], HistoryItemType="Action")
    assert history["AlarmHistoryItems"] == []


def test_only_who_may(server: Running) -> None:
    """Each action is judged on the alarm's own ARN."""
    arn = "arn:aws:cloudwatch:us-east-1:000000000000:alarm:mine-*"
    mine, _ = of_user(server, "watcher", allow("cloudwatch:PutMetricAlarm", arn), service="cloudwatch")
    put(mine, "mine-1")
    assert refused(put, cloudwatch=mine, name="other")[0] in ("AccessDenied", "AccessDeniedException")
    assert refused(mine.delete_alarms, AlarmNames=["mine-1"])[0] in ("AccessDenied", "AccessDeniedException")
