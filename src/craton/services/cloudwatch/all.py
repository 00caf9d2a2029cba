"""The modules that hold the handlers of CloudWatch."""

from __future__ import annotations

from craton.services.cloudwatch import (
    alarm_history,
    alarm_state,
    dashboards,
    describe_alarms,
    get_metric_data,
    get_metric_statistics,
    list_metrics,
    put_alarms,
    put_metric_data,
    tags,
    widget_image,
)

HANDLERS = (
    put_metric_data, get_metric_data, get_metric_statistics, list_metrics, put_alarms, describe_alarms, alarm_state,
    alarm_history, tags, dashboards, widget_image,
)  # fmt: skip
