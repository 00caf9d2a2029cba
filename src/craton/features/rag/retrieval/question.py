"""The vector of a question, by the knowledge base's own embedding model and with the rights of its role.

Owns how a question differs from a document (Cohere's models want to be told), and in whose words a failure is told. What
the vectors must look like says the index (`Shape`). It must not know how documents are embedded.
"""

from __future__ import annotations

from craton.aws.wire.faults import Fault, validation
from craton.context import Call
from craton.features.inference import embed, run
from craton.features.rag.retrieval.acting import Base, counted, within
from craton.features.rag.retrieval.models import dependency
from craton.infra.vectors.port import Shape, Vector
from craton.models.canon.embedding import EmbedRequest, Encoding, Item

ROLE_MAY_NOT = "The knowledge base's role {role} cannot use its embedding model {model}: {reason}"


async def vector_of(call: Call, base: Base, model: str, text: str, shape: Shape) -> Vector:
    """The question as a point among the index's vectors.

    Raises ValidationException (the role may not, the text is too long), ThrottlingException,
    DependencyFailedException (the model failed, or makes other vectors than the index has).
    """
    import numpy as np

    encoding: Encoding = "float" if shape.kind == "float" else "ubinary"
    asked = EmbedRequest(
        items=[Item(text)], model_id=model, purpose="query", dimensions=shape.dimensions, normalize=True,
        encodings=(encoding,), typed=encoding != "float",
    )  # fmt: skip
    inner = within(call, "InvokeModel", base.role)
    try:
        resolved = run.resolve(inner, model, run.INVOKE)
        reply = await counted(inner, lambda at: embed.embed(at, resolved, asked))
    except Fault as fault:
        if fault.name == "AccessDeniedException":
            raise validation(ROLE_MAY_NOT.format(role=base.body.role_arn, model=model, reason=fault.message)) from None
        raise dependency(fault, model) from None
    vector = reply.vectors[encoding][0]
    length = len(vector) * (1 if encoding == "float" else 8)
    if length != shape.dimensions:
        raise dependency_length(model, length, shape.dimensions)
    return np.asarray(vector, dtype=np.float32) if encoding == "float" else np.asarray(vector, dtype=np.uint8)


def dependency_length(model: str, found: int, wanted: int) -> Fault:
    return Fault(
        "DependencyFailedException",
        f"The embedding model gives vectors of {found} dimensions, but the index has {wanted}. "
        "Start an ingestion job, which embeds all documents again.",
        fields={"resourceName": model},
    )
