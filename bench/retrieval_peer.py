"""LlamaIndex's side of `bench.retrieval_quality`, in an environment of its own.

The first line of standard input says what to do (`documents` by name, `questions` by id, and `sizes`: for each run its name
and the splitter's tokens and overlap, null for LlamaIndex's own). It asks for vectors by a line {"embed": [texts]} on
standard output and reads them as one line; the last line that it writes is {"found": {run: {question: [[document, text]]}}}.
"""

from __future__ import annotations

import json
import sys
from typing import Any


def main() -> None:
    from llama_index.core import Document, VectorStoreIndex
    from llama_index.core.base.embeddings.base import BaseEmbedding
    from llama_index.core.llms import MockLLM
    from llama_index.core.node_parser import SentenceSplitter
    from llama_index.core.retrievers import QueryFusionRetriever
    from llama_index.retrievers.bm25 import BM25Retriever  # type: ignore[import-not-found]

    class Asked(BaseEmbedding):
        def _get_text_embeddings(self, texts: list[str]) -> list[list[float]]:
            print(json.dumps({"embed": texts}), flush=True)
            vectors: list[list[float]] = json.loads(sys.stdin.readline())
            return vectors

        def _get_text_embedding(self, text: str) -> list[float]:
            return self._get_text_embeddings([text])[0]

        def _get_query_embedding(self, query: str) -> list[float]:
            return self._get_text_embedding(query)

        async def _aget_query_embedding(self, query: str) -> list[float]:
            return self._get_text_embedding(query)

    given: dict[str, Any] = json.loads(sys.stdin.readline())
    documents = [Document(text=text, doc_id=name) for name, text in given["documents"].items()]
    found: dict[str, Any] = {}
    for name, size in given["sizes"].items():
        splitter = SentenceSplitter(chunk_size=size[0], chunk_overlap=size[1]) if size else SentenceSplitter()
        nodes = splitter.get_nodes_from_documents(documents)
        dense = VectorStoreIndex(nodes, embed_model=Asked(embed_batch_size=64)).as_retriever(similarity_top_k=10)
        words = BM25Retriever.from_defaults(nodes=nodes, similarity_top_k=10)
        both = QueryFusionRetriever(
            [dense, words], llm=MockLLM(), num_queries=1, mode="reciprocal_rerank", similarity_top_k=10, use_async=False
        )  # fmt: skip
        for kind, retriever in (("vectors", dense), ("BM25", words), ("fusion", both)):
            found[f"{name}, {kind}"] = {
                ident: [[one.node.ref_doc_id, one.node.get_content()] for one in retriever.retrieve(text)]
                for ident, text in given["questions"].items()
            }
    print(json.dumps({"found": found}), flush=True)


if __name__ == "__main__":
    main()
