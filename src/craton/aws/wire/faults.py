"""The one tree of errors that a caller can be shown.

    Fault                 an AWS error: name, message, modelled fields, whose fault, safe to retry, wait in seconds
    ├── AuthFault         raised before the service is reached (signature, token, policy); body says ``Message``
    └── ProtocolFault     bytes of a peer that are no message at all (event-stream frames)

This file owns names, default texts and default statuses. The status that an operation's model gives wins over the
table here. It must not know how an error is written on the wire (``restjson``), nor any single service.
Sources: the texts of Bedrock's and IAM's public answers; botocore's models for statuses of modelled errors.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

if TYPE_CHECKING:
    from collections.abc import Container, Mapping

# Statuses of errors that no model lists, and defaults for those that most models list.
STATUS: dict[str, int] = {
    "AccessDeniedException": 403,
    "BadGatewayException": 502,
    "ConflictException": 400,
    "DependencyFailedException": 424,
    "ExpiredTokenException": 403,
    "IncompleteSignatureException": 403,
    "InternalServerException": 500,
    "InvalidSignatureException": 403,
    "MethodNotAllowedException": 405,
    "MissingAuthenticationTokenException": 403,
    "ModelErrorException": 424,
    "ModelNotReadyException": 429,
    "ModelStreamErrorException": 424,
    "ModelTimeoutException": 408,
    "RequestEntityTooLargeException": 413,
    "RequestTimeoutException": 408,
    "ResourceInUseException": 400,
    "ResourceNotFoundException": 404,
    "SerializationException": 400,
    "ServiceQuotaExceededException": 400,
    "ServiceUnavailableException": 503,
    "ThrottlingException": 429,
    "TooManyTagsException": 400,
    "UnknownOperationException": 404,
    "UnrecognizedClientException": 403,
    "ValidationException": 400,
}

# Errors after which the same request may succeed. Botocore marks only ModelNotReady; the others are what SDKs retry.
RETRYABLE = frozenset(
    {
        "BadGatewayException",
        "InternalServerException",
        "ModelNotReadyException",
        "ModelStreamErrorException",
        "ModelTimeoutException",
        "RequestTimeoutException",
        "ServiceUnavailableException",
        "ThrottlingException",
    }
)

UNEXPECTED = "The system encountered an unexpected error during processing. Try your request again."
UNAVAILABLE = "Bedrock is unable to process your request."
TOO_MANY_REQUESTS = "Too many requests, please wait before trying again."
TOO_MANY_TOKENS = "Too many tokens, please wait before trying again."
TOO_MANY_CONNECTIONS = "Too many connections, please wait before trying again."
MODEL_TIMED_OUT = "Model has timed out in processing the request. Try your request again."
MODEL_NOT_READY = "Model is not ready for inference. Wait and try your request again."
NO_SUCH_CLIENT = "The security token included in the request is invalid."
PAST_ITS_END = "The security token included in the request is expired"
BAD_SIGNATURE = (
    "The request signature we calculated does not match the signature you provided. Check your AWS Secret Access Key "
    "and signing method. Consult the service documentation for details."
)


class Fault(Exception):
    """An AWS error as a value.

    Args:
        name: AWS's error name, e.g. ``ValidationException``.
        message: text for the caller; never holds a secret.
        fields: further modelled members of the error body, e.g. ``{"originalStatusCode": 500}``.
        retry_after_s: seconds the caller should wait, when known.
        status: HTTP status that overrides both the operation's model and ``STATUS``.
    """

    message_key: ClassVar[str] = "message"
    __slots__ = ("fields", "message", "name", "retry_after_s", "status")

    def __init__(
        self,
        name: str,
        message: str,
        *,
        fields: Mapping[str, object] | None = None,
        retry_after_s: float | None = None,
        status: int | None = None,
    ) -> None:
        super().__init__(name, message)
        self.name = name
        self.message = message
        self.fields: Mapping[str, object] = fields or {}
        self.retry_after_s = retry_after_s
        self.status = status

    def __str__(self) -> str:
        return f"{self.name}: {self.message}"

    @property
    def client_fault(self) -> bool:
        """Whether the caller, not the server, must change something."""
        return self.http_status() < 500

    @property
    def retryable(self) -> bool:
        """Whether the same request may succeed later."""
        return self.name in RETRYABLE or self.retry_after_s is not None

    def http_status(self, modelled: Mapping[str, int] | None = None) -> int:
        """Return the status: own override, then the operation's model (``modelled``), then the table, then 400."""
        if self.status is not None:
            return self.status
        if modelled is not None and self.name in modelled:
            return modelled[self.name]
        return STATUS.get(self.name, 400)


class AuthFault(Fault):
    """A refusal by the layer before the service. AWS spells its body ``{"Message": …}`` with a capital."""

    message_key: ClassVar[str] = "Message"
    __slots__ = ()


class ProtocolFault(Fault):
    """Bytes that break the event-stream format: nothing after them can be trusted, so the connection must end."""

    __slots__ = ()

    def __init__(self, message: str) -> None:
        super().__init__("SerializationException", message)


# --- what callers did ---------------------------------------------------------------------------------------------


def validation(message: str, *, fields: Mapping[str, object] | None = None) -> Fault:
    """Return a ValidationException (400)."""
    return Fault("ValidationException", message, fields=fields)


def serialization(message: str) -> Fault:
    """Return a SerializationException (400): the request is not the JSON, number or date that it should be."""
    return Fault("SerializationException", message)


def not_found(message: str) -> Fault:
    """Return a ResourceNotFoundException (404)."""
    return Fault("ResourceNotFoundException", message)


def conflict(message: str) -> Fault:
    """Return a ConflictException; its status differs by service, so the operation's model decides."""
    return Fault("ConflictException", message)


def quota_exceeded(message: str) -> Fault:
    """Return a ServiceQuotaExceededException; its status differs by service."""
    return Fault("ServiceQuotaExceededException", message)


def throttled(message: str = TOO_MANY_REQUESTS, retry_after_s: float | None = None) -> Fault:
    """Return a ThrottlingException (429)."""
    return Fault("ThrottlingException", message, retry_after_s=retry_after_s)


def unknown_operation(message: str = "The requested operation is not recognized by the service.") -> Fault:
    """Return an UnknownOperationException (404): no operation has this method and path."""
    return Fault("UnknownOperationException", message)


def too_large(message: str = "The request body exceeds the maximum size that this server accepts.") -> Fault:
    """Return a RequestEntityTooLargeException (413)."""
    return Fault("RequestEntityTooLargeException", message)


def not_built(operation: str, modelled: Container[str] = ("ValidationException",)) -> Fault:
    """Return the error of an operation that this server does not have.

    Args:
        operation: the operation's name.
        modelled: error names that the operation's model lists; the answer is one of them where possible, and a
            client error where possible, so that no SDK retries it.
    """
    text = f"The operation {operation} is not implemented by this server."
    for name in ("ValidationException", "AccessDeniedException"):
        if name in modelled:
            return Fault(name, text)
    return Fault("InternalServerException", text)


# --- what the model or the server did -----------------------------------------------------------------------------


def model_error(
    message: str = UNEXPECTED, *, original_status: int | None = None, resource_name: str | None = None
) -> Fault:
    """Return a ModelErrorException (424): the model behind the operation failed."""
    fields: dict[str, object] = {}
    if original_status is not None:
        fields["originalStatusCode"] = original_status
    if resource_name is not None:
        fields["resourceName"] = resource_name
    return Fault("ModelErrorException", message, fields=fields)


def model_stream_error(
    message: str = UNEXPECTED, *, original_status: int | None = None, original_message: str | None = None
) -> Fault:
    """Return a ModelStreamErrorException (424): the model failed after its first byte."""
    fields: dict[str, object] = {}
    if original_status is not None:
        fields["originalStatusCode"] = original_status
    if original_message is not None:
        fields["originalMessage"] = original_message
    return Fault("ModelStreamErrorException", message, fields=fields)


def model_timeout(message: str = MODEL_TIMED_OUT) -> Fault:
    """Return a ModelTimeoutException (408)."""
    return Fault("ModelTimeoutException", message)


def model_not_ready(message: str = MODEL_NOT_READY, retry_after_s: float | None = None) -> Fault:
    """Return a ModelNotReadyException (429 on the runtime, 424 on agents: the operation's model decides)."""
    return Fault("ModelNotReadyException", message, retry_after_s=retry_after_s)


def unavailable(message: str = UNAVAILABLE, retry_after_s: float | None = None) -> Fault:
    """Return a ServiceUnavailableException (503)."""
    return Fault("ServiceUnavailableException", message, retry_after_s=retry_after_s)


def internal(message: str = UNEXPECTED) -> Fault:
    """Return an InternalServerException (500)."""
    return Fault("InternalServerException", message)


# --- what the layer before the service refuses ---------------------------------------------------------------------


def access_denied(message: str) -> AuthFault:
    """Return an AccessDeniedException (403) of the authorization layer."""
    return AuthFault("AccessDeniedException", message)


def missing_token() -> AuthFault:
    """Return the error of a request that carries no credentials at all."""
    return AuthFault("MissingAuthenticationTokenException", "Missing Authentication Token")


def incomplete_signature(message: str) -> AuthFault:
    """Return the error of credentials that are there but malformed."""
    return AuthFault("IncompleteSignatureException", message)


def unrecognized_client(message: str = NO_SUCH_CLIENT) -> AuthFault:
    """Return the error of an unknown access key or a session token that does not belong to it."""
    return AuthFault("UnrecognizedClientException", message)


def invalid_signature(message: str = BAD_SIGNATURE) -> AuthFault:
    """Return the error of a signature, date or scope that does not hold."""
    return AuthFault("InvalidSignatureException", message)


def expired_token(message: str = PAST_ITS_END) -> AuthFault:
    """Return the error of temporary credentials past their end."""
    return AuthFault("ExpiredTokenException", message)
