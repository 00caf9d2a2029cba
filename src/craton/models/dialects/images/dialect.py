"""What a dialect of pictures offers: one schema ↔ `canon.image`, both ways, without state and without I/O."""

from __future__ import annotations

from typing import Protocol

from craton.aws.wire.faults import Fault, validation
from craton.models.canon.image import ImageReply, ImageRequest, Task
from craton.models.dialects.dialect import Outgoing


class ImageDialect(Protocol):
    @property
    def name(self) -> str:
        """Such as `amazon.titan-image`."""
        ...

    def read_request(self, body: bytes, model_id: str) -> ImageRequest:
        """A native body → canon. Raises ValidationException that names the member at fault."""
        ...

    def write_request(self, request: ImageRequest, out: Outgoing) -> bytes:
        """Canon → a native body; what it cannot carry goes to the ledger, a task that it lacks is refused."""
        ...

    def read_reply(self, body: bytes) -> ImageReply:
        """A native reply → canon. Raises ModelErrorException if it cannot be read."""
        ...

    def write_reply(self, reply: ImageReply, request: ImageRequest) -> bytes:
        """Canon → the native reply. Raises Fault where the schema reports a refusal as an error."""
        ...


def cannot_do(task: Task) -> Fault:
    """The ValidationException of a task that a target has nothing for; in both modes, since nothing could be sent."""
    return validation(f"The target of this model cannot do {task}. Use a model whose target can, or another task.")
