"""The errors of S3: their statuses, and the texts of those that arise before an operation is reached.

S3 has its own names for what other services call ValidationException and the like, and models few of them. This file
owns the table of statuses, the names that the common errors have here, and the wording of the wire's own faults. What
an operation refuses is worded by the operation, through `fault`. It must not know how an error is written (`restxml`).
Source: "List of error codes" of the S3 API reference; texts as the public service answers them.
"""

from __future__ import annotations

from typing import Final

from craton.aws.wire.faults import Fault

STATUS: Final[dict[str, int]] = {
    "AccessControlListNotSupported": 400,
    "AccessDenied": 403,
    "AccessForbidden": 403,
    "AllAccessDisabled": 403,
    "AuthorizationHeaderMalformed": 400,
    "AuthorizationQueryParametersError": 400,
    "BadDigest": 400,
    "BadRequest": 400,
    "BucketAlreadyExists": 409,
    "BucketAlreadyOwnedByYou": 409,
    "BucketNotEmpty": 409,
    "ConditionalRequestConflict": 409,
    "EntityTooLarge": 400,
    "EntityTooSmall": 400,
    "ExpiredToken": 400,
    "IllegalLocationConstraintException": 400,
    "IllegalVersioningConfigurationException": 400,
    "IncompleteBody": 400,
    "InternalError": 500,
    "InvalidAccessKeyId": 403,
    "InvalidArgument": 400,
    "InvalidBucketName": 400,
    "InvalidBucketState": 409,
    "InvalidDigest": 400,
    "InvalidEncryptionAlgorithmError": 400,
    "InvalidLocationConstraint": 400,
    "InvalidObjectState": 403,
    "InvalidPart": 400,
    "InvalidPartOrder": 400,
    "InvalidPolicyDocument": 400,
    "InvalidRange": 416,
    "InvalidRequest": 400,
    "InvalidSecurity": 403,
    "InvalidStorageClass": 400,
    "InvalidTag": 400,
    "InvalidToken": 400,
    "InvalidURI": 400,
    "KeyTooLongError": 400,
    "MalformedACLError": 400,
    "MalformedPolicy": 400,
    "MalformedPOSTRequest": 400,
    "MalformedXML": 400,
    "MaxMessageLengthExceeded": 400,
    "MaxPostPreDataLengthExceededError": 400,
    "MetadataTooLarge": 400,
    "MethodNotAllowed": 405,
    "MissingContentLength": 411,
    "MissingRequestBodyError": 400,
    "MissingSecurityHeader": 400,
    "NoSuchBucket": 404,
    "NoSuchBucketPolicy": 404,
    "NoSuchConfiguration": 404,
    "NoSuchCORSConfiguration": 404,
    "NoSuchKey": 404,
    "NoSuchLifecycleConfiguration": 404,
    "NoSuchPublicAccessBlockConfiguration": 404,
    "NoSuchTagSet": 404,
    "NoSuchUpload": 404,
    "NoSuchVersion": 404,
    "NoSuchWebsiteConfiguration": 404,
    "NotImplemented": 501,
    "NotModified": 304,
    "ObjectLockConfigurationNotFoundError": 404,
    "OperationAborted": 409,
    "OwnershipControlsNotFoundError": 404,
    "PermanentRedirect": 301,
    "PreconditionFailed": 412,
    "ReplicationConfigurationNotFoundError": 404,
    "RequestTimeout": 400,
    "RequestTimeTooSkewed": 403,
    "ServerSideEncryptionConfigurationNotFoundError": 404,
    "ServiceUnavailable": 503,
    "SignatureDoesNotMatch": 403,
    "SlowDown": 503,
    "TooManyBuckets": 400,
    "UnexpectedContent": 400,
    "UnresolvableGrantByEmailAddress": 400,
    "XAmzContentSHA256Mismatch": 400,
}

NAMES: Final[dict[str, str]] = {
    "AccessDeniedException": "AccessDenied",
    "ExpiredTokenException": "ExpiredToken",
    "IncompleteSignatureException": "AuthorizationHeaderMalformed",
    "InternalServerException": "InternalError",
    "InvalidSignatureException": "SignatureDoesNotMatch",
    "MissingAuthenticationTokenException": "AccessDenied",
    "RequestEntityTooLargeException": "MaxMessageLengthExceeded",
    "RequestTimeoutException": "RequestTimeout",
    "SerializationException": "InvalidArgument",
    "ServiceUnavailableException": "ServiceUnavailable",
    "ThrottlingException": "SlowDown",
    "UnknownOperationException": "MethodNotAllowed",
    "UnrecognizedClientException": "InvalidAccessKeyId",
    "ValidationException": "InvalidArgument",
}
"""What errors from before the service, which all protocols share, are called here."""

MALFORMED_XML: Final = "The XML you provided was not well-formed or did not validate against our published schema"
DENIED: Final = "Access Denied"


def fault(code: str, message: str, **fields: object) -> Fault:
    """An error of S3 with its status; `fields` become elements beside the message."""
    return Fault(code, message, fields=fields, status=STATUS.get(code, 400))


def malformed_xml() -> Fault:
    return fault("MalformedXML", MALFORMED_XML)


def invalid_argument(message: str, name: str, value: str) -> Fault:
    return fault("InvalidArgument", message, ArgumentName=name, ArgumentValue=value)


def incomplete_body() -> Fault:
    return fault("IncompleteBody", "The request body terminated unexpectedly")


def timed_out() -> Fault:
    return fault(
        "RequestTimeout",
        "Your socket connection to the server was not read from or written to within the timeout period. "
        "Idle connections will be closed.",
    )


def too_large(size: int, most: int) -> Fault:
    return fault(
        "EntityTooLarge",
        "Your proposed upload exceeds the maximum allowed size",
        ProposedSize=size,
        MaxSizeAllowed=most,
    )


def sha256_mismatch(stated: str, computed: str) -> Fault:
    return fault(
        "XAmzContentSHA256Mismatch",
        "The provided 'x-amz-content-sha256' header does not match what was computed.",
        ClientComputedContentSHA256=stated,
        S3ComputedContentSHA256=computed,
    )


def md5_mismatch(expected: str, computed: str) -> Fault:
    return fault(
        "BadDigest",
        "The Content-MD5 you specified did not match what we received.",
        ExpectedDigest=expected,
        CalculatedDigest=computed,
    )


def checksum_mismatch(algorithm: str) -> Fault:
    return fault("BadDigest", f"The {algorithm} you specified did not match the calculated checksum.")


def invalid_checksum(algorithm: str) -> Fault:
    return fault("InvalidRequest", f"Value for x-amz-checksum-{algorithm.lower()} header is invalid.")


def malformed_trailer() -> Fault:
    return fault(
        "MalformedTrailerError", "The request contained trailing data that was not well-formed or did not conform to "
        "our published schema."
    )  # fmt: skip


def bad_signature(**fields: object) -> Fault:
    return fault(
        "SignatureDoesNotMatch",
        "The request signature we calculated does not match the signature you provided. Check your key and signing "
        "method.",
        **fields,
    )


def not_implemented(what: str) -> Fault:
    return fault(
        "NotImplemented", f"A header or operation you provided implies functionality that is not implemented: {what}."
    )
