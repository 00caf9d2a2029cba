"""The modules that hold the handlers of CloudWatch."""

from __future__ import annotations

from craton.services.cloudwatch import get_metric_data, get_metric_statistics, list_metrics, put_metric_data

HANDLERS = (put_metric_data, get_metric_data, get_metric_statistics, list_metrics)
