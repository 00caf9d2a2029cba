"""How the API asks for passages, as a query: its search configurations, reranking, implicit filters and who asks.

Owns the meaning of a KnowledgeBaseRetrievalConfiguration, which Retrieve and RetrieveAndGenerate share, and what of it is
refused here. Pure but for what the server was configured with. It must not know how a query is answered.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from craton.aws.wire.faults import validation
from craton.context import Call
from craton.features.rag.retrieval.acting import Base
from craton.features.rag.retrieval.filters import filter_of
from craton.features.rag.retrieval.query import DEFAULT_LIMIT, Attribute, Implicit, Query, Reranking

if TYPE_CHECKING:
    from craton.aws.shapes.bedrock_agent_runtime import (
        ImplicitFilterConfiguration,
        KnowledgeBaseQuery,
        KnowledgeBaseRetrievalConfiguration,
        KnowledgeBaseVectorSearchConfiguration,
        ManagedSearchConfiguration,
        MetadataConfigurationForReranking,
        UserContext,
    )

MANAGED_RERANKER = "cohere.rerank-v3-5:0"
NO_GUARDRAILS = "Guardrails are not built here yet: leave out the guardrailConfiguration."
NO_IMAGES = "Knowledge bases here hold text: ask with retrievalQuery.text, not with an image."
NO_TEXT = "The query must have text."
BOTH = "Give vectorSearchConfiguration or managedSearchConfiguration, not both."
CUSTOM = "rerankingModelType CUSTOM needs a rerankingConfiguration, and the other types take none."
SELECTIVE = "{place}: the selectionMode SELECTIVE needs a selectiveModeConfiguration, and ALL takes none."
NO_MODEL = "{place}: the type BEDROCK_RERANKING_MODEL needs bedrockRerankingConfiguration."
_WHERE = "retrievalConfiguration"


def check_guardrail(configuration: Any) -> None:
    """The one place where guardrails will be asked for passages: a guardrail that is not obeyed is refused instead."""
    if configuration is not None:
        raise validation(NO_GUARDRAILS)


def text_of(query: KnowledgeBaseQuery) -> str:
    """The question in words. Raises ValidationException for an image, and for none."""
    if query.image is not None or query.type == "IMAGE":
        raise validation(NO_IMAGES)
    if query.text is None or not query.text.strip():
        raise validation(NO_TEXT)
    return query.text


def query_of(
    call: Call,
    text: str,
    configuration: KnowledgeBaseRetrievalConfiguration | None,
    user: UserContext | None = None,
    where: str = _WHERE,
    *,
    ranks: bool = False,
) -> Query:
    """The query that a configuration asks for; `where` is its place in the request. Raises ValidationException.

    `ranks`: a managed search that says nothing of reranking has the service's.
    """
    asked = Query(text=text, user=user.userId if user is not None else None)
    if configuration is None:
        return asked
    vector, managed = configuration.vectorSearchConfiguration, configuration.managedSearchConfiguration
    if vector is not None and managed is not None:
        raise validation(BOTH)
    if vector is not None:
        return _vector(asked, vector, f"{where}.vectorSearchConfiguration")
    if managed is not None:
        return _managed(call, asked, managed, f"{where}.managedSearchConfiguration", ranks=ranks)
    return asked


def _vector(asked: Query, given: KnowledgeBaseVectorSearchConfiguration, place: str) -> Query:
    return _with(
        asked,
        limit=given.numberOfResults or DEFAULT_LIMIT,
        mode=given.overrideSearchType,
        where=filter_of(given.filter, f"{place}.filter") if given.filter is not None else None,
        implicit=_implicit(given.implicitFilterConfiguration),
        reranking=_reranking(given.rerankingConfiguration, f"{place}.rerankingConfiguration"),
    )


def _managed(call: Call, asked: Query, given: ManagedSearchConfiguration, place: str, *, ranks: bool) -> Query:
    if (given.rerankingModelType == "CUSTOM") != (given.rerankingConfiguration is not None):
        raise validation(CUSTOM)
    reranking = _reranking(given.rerankingConfiguration, f"{place}.rerankingConfiguration")
    if given.rerankingModelType == "MANAGED" or (given.rerankingModelType is None and ranks):
        reranking = managed_reranking(call)
    return _with(
        asked,
        limit=given.numberOfResults or DEFAULT_LIMIT,
        where=filter_of(given.filter, f"{place}.filter") if given.filter is not None else None,
        reranking=reranking,
    )


def _with(asked: Query, **changes: Any) -> Query:
    return Query(text=asked.text, user=asked.user, **changes)


def managed_reranking(call: Call) -> Reranking | None:
    """Reranking by the model of the service's choice; None where this server has none but a stand-in.

    A stand-in ranks by the embeddings that have been searched already, which makes nothing better.
    """
    route = call.app.live.routes.by_id.get(MANAGED_RERANKER)
    if route is None or not route.targets or any(target.standin for target in route.targets):
        return None
    return Reranking(MANAGED_RERANKER, managed=True)


def is_managed(base: Base) -> bool:
    """Whether the service chose the knowledge base's embedding model, and so chooses what ranks as well."""
    configuration = base.body.configuration
    managed = configuration.get("managedKnowledgeBaseConfiguration", {})
    return (configuration["type"], managed.get("embeddingModelType", "MANAGED")) == ("MANAGED", "MANAGED")


def _implicit(given: ImplicitFilterConfiguration | None) -> Implicit | None:
    if given is None:
        return None
    attributes = tuple(Attribute(one.key, one.type, one.description) for one in given.metadataAttributes)
    return Implicit(given.modelArn, attributes)


def _reranking(given: Any, place: str) -> Reranking | None:
    """Vector and managed searches ask for reranking in the same form."""
    if given is None:
        return None
    chosen = given.bedrockRerankingConfiguration
    if chosen is None:
        raise validation(NO_MODEL.format(place=place))
    include, exclude = _fields(chosen.metadataConfiguration, f"{place}.bedrockRerankingConfiguration")
    return Reranking(
        chosen.modelConfiguration.modelArn,
        keep=chosen.numberOfRerankedResults,
        extras=dict(chosen.modelConfiguration.additionalModelRequestFields or {}),
        metadata=chosen.metadataConfiguration is not None,
        include=include,
        exclude=exclude,
    )


def _fields(
    given: MetadataConfigurationForReranking | None, place: str
) -> tuple[tuple[str, ...] | None, tuple[str, ...] | None]:
    """The attributes that are named to be read, and those to be left out."""
    if given is None:
        return None, None
    selected = given.selectiveModeConfiguration
    if (given.selectionMode == "SELECTIVE") != (selected is not None):
        raise validation(SELECTIVE.format(place=f"{place}.metadataConfiguration"))
    if selected is None:
        return None, None
    lists = selected.fieldsToInclude, selected.fieldsToExclude
    include, exclude = (None if names is None else tuple(name.fieldName for name in names) for names in lists)
    return include, exclude
