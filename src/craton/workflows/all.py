"""Every kind of job, in one visible tuple. Loaded by worker processes alone."""

from __future__ import annotations

from craton.workflows import invocation_logs, log_filters
from craton.workflows.alarms import actions as alarm_actions
from craton.workflows.async_invoke import body as async_invoke
from craton.workflows.batch import body as batch
from craton.workflows.copy_model import body as copy_model
from craton.workflows.create_custom import body as create_custom
from craton.workflows.customize import body as customize
from craton.workflows.deploy_custom import body as deploy_custom
from craton.workflows.evaluate import body as evaluate
from craton.workflows.events import delivery as event_delivery
from craton.workflows.events import schedule as event_schedule
from craton.workflows.import_model import body as import_model
from craton.workflows.ingest import body as ingest
from craton.workflows.ingest import deletion, documents
from craton.workflows.invoke_function import body as invoke_function
from craton.workflows.workflow import workflows_in

WORKFLOWS = workflows_in(
    batch, invocation_logs, log_filters, async_invoke, import_model, copy_model, customize, deploy_custom,
    create_custom, evaluate, ingest, documents, deletion, invoke_function, alarm_actions,
    event_delivery, event_schedule,
)  # fmt: skip
