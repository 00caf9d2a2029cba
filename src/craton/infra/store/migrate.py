"""The database's form, as numbered migrations in order.

Owns every statement that makes or changes a table. A migration that was released is never edited: a new one follows it.
Each runs in one transaction together with its record in `schema_versions`, so a crash leaves the form before or after,
and of several processes that start at once one does the work while the others wait. It must not know what rows mean.
"""

from __future__ import annotations

import time
from collections.abc import Sequence

from sqlalchemy import Connection, Engine, inspect, text

from craton.infra.store.port import TooNew

Migration = tuple[str, ...]
"""SQL statements; `{text}` and `{blob}` stand for the database's types."""

TYPES = {
    "sqlite": {"text": "TEXT", "blob": "BLOB"},
    "postgresql": {"text": 'TEXT COLLATE "C"', "blob": "BYTEA"},
}

MIGRATIONS: tuple[Migration, ...] = (
    (
        """CREATE TABLE resources (
            arn {text} NOT NULL PRIMARY KEY,
            account {text} NOT NULL,
            region {text} NOT NULL,
            kind {text} NOT NULL,
            id {text} NOT NULL,
            name {text},
            status {text} NOT NULL,
            version BIGINT NOT NULL,
            schema BIGINT NOT NULL,
            created_at BIGINT NOT NULL,
            updated_at BIGINT NOT NULL,
            body {blob} NOT NULL
        )""",
        "CREATE UNIQUE INDEX resources_by_id ON resources (account, region, kind, id)",
        "CREATE UNIQUE INDEX resources_by_name ON resources (account, region, kind, name)",
        "CREATE INDEX resources_by_creation ON resources (kind, account, region, created_at, arn)",
        """CREATE TABLE client_tokens (
            account {text} NOT NULL,
            region {text} NOT NULL,
            operation {text} NOT NULL,
            token {text} NOT NULL,
            request_hash {text} NOT NULL,
            arn {text} NOT NULL,
            made_at BIGINT NOT NULL,
            PRIMARY KEY (account, region, operation, token)
        )""",
        "CREATE INDEX client_tokens_by_arn ON client_tokens (arn)",
        "CREATE INDEX client_tokens_by_age ON client_tokens (made_at)",
        "CREATE TABLE changes (kind {text} NOT NULL PRIMARY KEY, stamp BIGINT NOT NULL)",
    ),
    (
        # The stamp of its kind that a row was last written with: what changed since a stamp can be read alone.
        "ALTER TABLE resources ADD COLUMN stamp BIGINT NOT NULL DEFAULT 0",
        "CREATE INDEX resources_by_stamp ON resources (kind, stamp)",
    ),
    (
        # S3's objects (infra.objects.tables).
        """CREATE TABLE objects (
            bucket {text} NOT NULL,
            key {blob} NOT NULL,
            place BIGINT NOT NULL,
            version_id {text} NOT NULL,
            state BIGINT NOT NULL,
            marker BIGINT NOT NULL,
            size BIGINT NOT NULL,
            etag {text} NOT NULL,
            modified_at BIGINT NOT NULL,
            storage_class {text} NOT NULL,
            checksums {text} NOT NULL,
            detail {blob} NOT NULL,
            blobs {blob} NOT NULL,
            PRIMARY KEY (bucket, key, place)
        )""",
        "CREATE INDEX objects_by_state ON objects (bucket, state, key)",
        """CREATE TABLE object_uploads (
            bucket {text} NOT NULL,
            key {blob} NOT NULL,
            upload_id {text} NOT NULL,
            started_at BIGINT NOT NULL,
            detail {blob} NOT NULL,
            PRIMARY KEY (bucket, key, upload_id)
        )""",
        """CREATE TABLE object_parts (
            upload_id {text} NOT NULL,
            number BIGINT NOT NULL,
            size BIGINT NOT NULL,
            etag {text} NOT NULL,
            modified_at BIGINT NOT NULL,
            blob {text} NOT NULL,
            detail {blob} NOT NULL,
            PRIMARY KEY (upload_id, number)
        )""",
        "CREATE TABLE object_blobs (blob {text} NOT NULL PRIMARY KEY)",
    ),
    (
        # Runs of durable jobs (infra.jobs.tables).
        """CREATE TABLE job_runs (
            arn {text} NOT NULL PRIMARY KEY,
            kind {text} NOT NULL,
            account {text} NOT NULL,
            region {text} NOT NULL,
            place {text} NOT NULL,
            format BIGINT NOT NULL,
            state {text} NOT NULL,
            due_at BIGINT NOT NULL,
            patience BIGINT NOT NULL,
            owner {text} NOT NULL,
            woken BIGINT NOT NULL,
            attempts BIGINT NOT NULL,
            crashes BIGINT NOT NULL,
            failures BIGINT NOT NULL,
            stop_asked BIGINT NOT NULL,
            progress {text} NOT NULL,
            error {text} NOT NULL,
            created_at BIGINT NOT NULL,
            started_at BIGINT,
            ended_at BIGINT
        )""",
        "CREATE INDEX job_runs_by_due ON job_runs (state, due_at)",
        "CREATE INDEX job_runs_by_owner ON job_runs (owner)",
        "CREATE INDEX job_runs_by_creation ON job_runs (created_at, arn)",
        """CREATE TABLE job_steps (
            arn {text} NOT NULL,
            name {text} NOT NULL,
            result {blob} NOT NULL,
            stored_at BIGINT NOT NULL,
            PRIMARY KEY (arn, name)
        )""",
        """CREATE TABLE job_workers (
            owner {text} NOT NULL PRIMARY KEY,
            beat BIGINT NOT NULL,
            about {text} NOT NULL,
            started_at BIGINT NOT NULL
        )""",
    ),
    (
        # Points by time (infra.series.tables).
        """CREATE TABLE series (
            space {text} NOT NULL,
            name {text} NOT NULL,
            created_ms BIGINT NOT NULL,
            first_ms BIGINT,
            last_ms BIGINT,
            kept_ms BIGINT,
            size_bytes BIGINT NOT NULL,
            PRIMARY KEY (space, name)
        )""",
        "CREATE INDEX series_by_time ON series (space, last_ms, name)",
        """CREATE TABLE series_chunks (
            id {text} NOT NULL PRIMARY KEY,
            space {text} NOT NULL,
            series {text} NOT NULL,
            first_ms BIGINT NOT NULL,
            last_ms BIGINT NOT NULL,
            batch BIGINT NOT NULL,
            level BIGINT NOT NULL,
            plain_bytes BIGINT NOT NULL,
            size_bytes BIGINT NOT NULL,
            key_id {text} NOT NULL,
            data {blob} NOT NULL
        )""",
        "CREATE INDEX series_chunks_by_start ON series_chunks (space, first_ms)",
        "CREATE INDEX series_chunks_by_end ON series_chunks (space, last_ms)",
        "CREATE INDEX series_chunks_by_series ON series_chunks (space, series, level, batch)",
        """CREATE TABLE series_keys (
            id {text} NOT NULL PRIMARY KEY,
            space {text} NOT NULL,
            kms_key {text} NOT NULL,
            made_ms BIGINT NOT NULL,
            sealed {blob} NOT NULL
        )""",
        "CREATE INDEX series_keys_by_space ON series_keys (space, made_ms)",
        "CREATE TABLE series_batches (name {text} NOT NULL PRIMARY KEY, taken BIGINT NOT NULL)",
    ),
    (
        # Metrics (infra.series.metrics_tables).
        """CREATE TABLE metrics (
            id {blob} NOT NULL PRIMARY KEY,
            ident {blob} NOT NULL,
            account {text} NOT NULL,
            region {text} NOT NULL,
            namespace {text} NOT NULL,
            name {text} NOT NULL,
            dimensions {text} NOT NULL,
            unit {text} NOT NULL,
            first_s BIGINT NOT NULL,
            last_s BIGINT NOT NULL
        )""",
        "CREATE INDEX metrics_by_name ON metrics (account, region, namespace, name, ident, id)",
        "CREATE INDEX metrics_by_last ON metrics (last_s)",
        """CREATE TABLE metric_hours (
            metric {blob} NOT NULL,
            hour BIGINT NOT NULL,
            step_s BIGINT NOT NULL,
            samples DOUBLE PRECISION NOT NULL,
            total DOUBLE PRECISION NOT NULL,
            least DOUBLE PRECISION NOT NULL,
            most DOUBLE PRECISION NOT NULL,
            data {blob} NOT NULL,
            PRIMARY KEY (metric, hour)
        )""",
        "CREATE INDEX metric_hours_by_age ON metric_hours (step_s, hour)",
        """CREATE TABLE metric_writers (
            name {text} NOT NULL PRIMARY KEY,
            number BIGINT NOT NULL,
            at_s BIGINT NOT NULL
        )""",
    ),
    (
        # Servers that know of each other (infra.gateways.tables).
        """CREATE TABLE gateways (
            name {text} NOT NULL PRIMARY KEY,
            beat BIGINT NOT NULL,
            about {text} NOT NULL,
            told {blob} NOT NULL,
            started_at BIGINT NOT NULL
        )""",
        """CREATE TABLE gateway_leads (
            duty {text} NOT NULL PRIMARY KEY,
            holder {text} NOT NULL,
            number BIGINT NOT NULL,
            said {blob} NOT NULL
        )""",
    ),
    (
        # Documents of knowledge bases (features.rag.ledger).
        """CREATE TABLE rag_documents (
            base {text} NOT NULL,
            source {text} NOT NULL,
            place {blob} NOT NULL,
            identifier {blob} NOT NULL,
            kind {text} NOT NULL,
            status {text} NOT NULL,
            reason {blob} NOT NULL,
            turn BIGINT NOT NULL,
            etag {blob} NOT NULL,
            tag_etag {blob} NOT NULL,
            content {text} NOT NULL,
            tags {text} NOT NULL,
            recipe {text} NOT NULL,
            prefix {blob} NOT NULL,
            chunks BIGINT NOT NULL,
            access {blob} NOT NULL,
            updated_at BIGINT NOT NULL,
            asked {blob} NOT NULL,
            PRIMARY KEY (base, source, place)
        )""",
        """CREATE TABLE rag_writers (
            base {text} NOT NULL PRIMARY KEY,
            run {text} NOT NULL
        )""",
    ),
    (
        # Conversations with knowledge bases (features.rag.generation.session_rows).
        """CREATE TABLE rag_sessions (
            id {text} NOT NULL PRIMARY KEY,
            account {text} NOT NULL,
            region {text} NOT NULL,
            base {text} NOT NULL,
            model {text} NOT NULL,
            kms_key {text} NOT NULL,
            version BIGINT NOT NULL,
            used_at BIGINT NOT NULL,
            sealed {blob} NOT NULL
        )""",
        "CREATE INDEX rag_sessions_by_use ON rag_sessions (used_at)",
    ),
    (
        # Queries over logs (features.logs.insights.rows), and appends that filters wait for (features.logs.due).
        """CREATE TABLE log_queries (
            id {text} NOT NULL PRIMARY KEY,
            account {text} NOT NULL,
            region {text} NOT NULL,
            status {text} NOT NULL,
            asked_ms BIGINT NOT NULL,
            beat_ms BIGINT NOT NULL,
            about {blob} NOT NULL,
            result {blob} NOT NULL
        )""",
        "CREATE INDEX log_queries_by_time ON log_queries (account, region, asked_ms, id)",
        "CREATE INDEX log_queries_by_age ON log_queries (asked_ms)",
        """CREATE TABLE log_due (
            space {text} NOT NULL,
            lane {text} NOT NULL,
            batch BIGINT NOT NULL,
            series {text} NOT NULL,
            first_ms BIGINT NOT NULL,
            last_ms BIGINT NOT NULL,
            noted_ms BIGINT NOT NULL,
            PRIMARY KEY (space, lane, batch)
        )""",
    ),
    (
        # What happened to alarms (features.metrics.alarms.history).
        """CREATE TABLE alarm_history (
            id {text} NOT NULL PRIMARY KEY,
            account {text} NOT NULL,
            region {text} NOT NULL,
            alarm {text} NOT NULL,
            type {text} NOT NULL,
            kind {text} NOT NULL,
            at BIGINT NOT NULL,
            about {blob} NOT NULL
        )""",
        "CREATE INDEX alarm_history_by_time ON alarm_history (account, region, at, id)",
        "CREATE INDEX alarm_history_by_alarm ON alarm_history (account, region, alarm, at, id)",
    ),
    (
        # What was used of models, by hour, by whom and for what (features.metering.usage).
        """CREATE TABLE usage_hours (
            hour BIGINT NOT NULL,
            id {blob} NOT NULL,
            account {text} NOT NULL,
            region {text} NOT NULL,
            model {text} NOT NULL,
            principal {text} NOT NULL,
            served {text} NOT NULL,
            profile {text} NOT NULL,
            tags {text} NOT NULL,
            metadata {text} NOT NULL,
            invocations BIGINT NOT NULL,
            errors BIGINT NOT NULL,
            throttles BIGINT NOT NULL,
            images BIGINT NOT NULL,
            input_tokens BIGINT NOT NULL,
            output_tokens BIGINT NOT NULL,
            cache_read_tokens BIGINT NOT NULL,
            cache_write_tokens BIGINT NOT NULL,
            latency_ms BIGINT NOT NULL,
            PRIMARY KEY (hour, id)
        )""",
    ),
    (
        # Documents that came with a request, as they came (features.rag.originals).
        """CREATE TABLE rag_originals (
            base {text} NOT NULL,
            source {text} NOT NULL,
            place {blob} NOT NULL,
            asked {blob} NOT NULL,
            PRIMARY KEY (base, source, place)
        )""",
    ),
)

_VERSIONS = "CREATE TABLE schema_versions (version BIGINT NOT NULL PRIMARY KEY, applied_at BIGINT NOT NULL)"


def migrate(engine: Engine, migrations: Sequence[Migration] = MIGRATIONS) -> None:
    """Bring the database to the newest form. Raises TooNew, and changes nothing, if a newer Craton was here.

    The engine's writing transactions must exclude each other from their start on (SQLite's BEGIN IMMEDIATE).
    """
    with engine.connect() as connection:
        found = _version(connection)
    _refuse_newer(found, len(migrations))
    while found < len(migrations):
        found = _next(engine, migrations)
        _refuse_newer(found, len(migrations))


def _next(engine: Engine, migrations: Sequence[Migration]) -> int:
    """Run the first migration still missing and return the version reached: another process may have been quicker."""
    with engine.connect().execution_options(writes=True) as connection, connection.begin():
        found = _version(connection)
        if found >= len(migrations):
            return found
        if found == 0:
            connection.execute(text(_VERSIONS))
        types = TYPES[engine.dialect.name]
        for statement in migrations[found]:
            connection.execute(text(statement.format_map(types)))
        done = {"version": found + 1, "at": time.time_ns() // 1000}
        connection.execute(text("INSERT INTO schema_versions (version, applied_at) VALUES (:version, :at)"), done)
        return found + 1


def _version(connection: Connection) -> int:
    """The newest migration on record; 0 for an empty database."""
    if not inspect(connection).has_table("schema_versions"):
        return 0
    return int(connection.execute(text("SELECT COALESCE(MAX(version), 0) FROM schema_versions")).scalar_one())


def _refuse_newer(found: int, known: int) -> None:
    if found > known:
        msg = f"the database has form {found}, this Craton knows forms up to {known}: start the newer Craton"
        raise TooNew(msg)
