"""What an account has set for its invocation logs in a region: where they go, and which data they hold.

Owns the row's body and the record that travels in snapshots. The shape is `LoggingConfig`'s of the API, so a body is
kept as it was put. It must not know the operations that set it, nor how logs are delivered.
"""

from __future__ import annotations

import msgspec

from craton.infra.store.port import Resource

KIND = "invocation-logging"


class _Named(msgspec.Struct, frozen=True, rename="camel", omit_defaults=True, kw_only=True):
    """Members are named as the API names them."""


class S3Config(_Named, frozen=True):
    bucket_name: str
    key_prefix: str = ""


class CloudWatchConfig(_Named, frozen=True):
    log_group_name: str
    role_arn: str
    large_data_delivery_s3_config: S3Config | None = msgspec.field(default=None, name="largeDataDeliveryS3Config")


class Terms(_Named, frozen=True):
    """One configuration. A switch that was not given is on, as the console and Terraform's provider have it."""

    cloud_watch_config: CloudWatchConfig | None = None
    s3_config: S3Config | None = msgspec.field(default=None, name="s3Config")
    text_data_delivery_enabled: bool = True
    image_data_delivery_enabled: bool = True
    embedding_data_delivery_enabled: bool = True
    video_data_delivery_enabled: bool = True
    audio_data_delivery_enabled: bool = True

    @property
    def delivers(self) -> bool:
        """Whether there is anywhere to go."""
        return self.cloud_watch_config is not None or self.s3_config is not None


class StoredTerms(msgspec.Struct, frozen=True, array_like=True):
    """What workers take: the terms of an account in a region, as JSON."""

    account: str
    region: str
    terms: bytes


def terms_of(row: Resource) -> StoredTerms:
    return StoredTerms(row.account, row.region, bytes(row.body))


def read(body: bytes) -> Terms:
    """Raises msgspec.ValidationError for what is no LoggingConfig."""
    return msgspec.json.decode(body, type=Terms)
