"""GetMetricWidgetImage: a widget as a PNG.

Owns how its metrics are read: as GetMetricData would, in as many points as the picture can show.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import TYPE_CHECKING

import msgspec

from craton.context import Call
from craton.features.metrics.dashboards.widget import Line, Widget, WidgetFault, read
from craton.features.metrics.faults import invalid
from craton.features.metrics.metric import check_period
from craton.features.metrics.queries import Evaluation, queries_of
from craton.services.cloudwatch.alarm_request import refused
from craton.services.cloudwatch.get_metric_data import origin_of
from craton.services.operation import operation

if TYPE_CHECKING:
    from craton.aws.shapes.cloudwatch import GetMetricWidgetImageInput, GetMetricWidgetImageOutput
    from craton.features.metrics.dashboards.picture import Drawn

FORMATS = ("png", "image/png")
LONGEST = 64 * 1024
MOST_SERIES = 200
MOST_POINTS = 100_800


@operation("cloudwatch", "GetMetricWidgetImage")
async def get_metric_widget_image(call: Call, req: GetMetricWidgetImageInput) -> GetMetricWidgetImageOutput:
    from craton.features.metrics.dashboards import picture  # with the drawing library

    call.authorize("cloudwatch:GetMetricWidgetImage", "*")
    if req.OutputFormat not in (None, *FORMATS):
        raise invalid(f"The value {req.OutputFormat} for parameter OutputFormat is not supported.")
    widget = widget_of(call, req.MetricWidget)
    series = await drawn(call, widget)
    image = await asyncio.to_thread(picture.draw, widget, series)
    return {"MetricWidgetImage": image}


def widget_of(call: Call, text: str) -> Widget:
    """Raises ValidationError."""
    if len(text) > LONGEST:
        raise refused(f"The parameter MetricWidget must have {LONGEST} characters at most.")
    try:
        return read(msgspec.json.decode(text), call.now())
    except WidgetFault as fault:
        raise refused(f"Invalid MetricWidget: {fault}.") from None
    except (msgspec.DecodeError, RecursionError):
        raise refused("Invalid MetricWidget: it is no JSON.") from None


async def drawn(call: Call, widget: Widget) -> list[Drawn]:
    """What is to be drawn, line by line. Raises Fault."""
    from craton.features.metrics.dashboards.picture import Drawn

    span_s = (widget.stop - widget.start).total_seconds()
    for asked in (line.query.MetricStat for line in widget.lines):
        if asked is not None:
            check_period(asked.Period)
            if span_s / asked.Period > MOST_POINTS:
                raise refused("Invalid MetricWidget: it asks for too many points; give it a longer period.")
    queries = queries_of(call.account, call.region, [one.query for one in widget.lines])
    evaluation = Evaluation(origin_of(call), queries, widget.start, widget.stop)
    found: list[Drawn] = []
    for line, query in zip(widget.lines, queries, strict=True):
        if not line.visible:
            continue
        several = await evaluation.series(query)
        for one in several:
            label = labelled(line, one.label if len(several) > 1 or not query.node else query.id, len(several))
            color = line.color if line.color is not None and len(several) == 1 else ""
            found.append(Drawn(label, one.points, one.period_s, color, line.right))
    return bounded(found)


def labelled(line: Line, own: str, count: int) -> str:
    given = line.query.Label
    if given is not None:
        return given if count == 1 else f"{given} {own}"
    return line.query.Expression or own if count == 1 else own


def bounded(found: Sequence[Drawn]) -> list[Drawn]:
    if len(found) > MOST_SERIES:
        raise refused(f"Invalid MetricWidget: it has more than {MOST_SERIES} time series.")
    return list(found)
