"""The names that a request may have: tasks, metrics, and the datasets that come along.

Owns the names alone, so that whoever checks a request need not load what stands behind them.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

TASKS = ("Summarization", "QuestionAndAnswer", "Classification", "Generation")
"""Those whose answers have an accuracy; the fifth is Custom."""
ACCURACY, ROBUSTNESS, TOXICITY = "Builtin.Accuracy", "Builtin.Robustness", "Builtin.Toxicity"
AUTOMATIC = (ACCURACY, ROBUSTNESS, TOXICITY)
JUDGED = (
    "Builtin.Correctness", "Builtin.Completeness", "Builtin.Faithfulness", "Builtin.Helpfulness", "Builtin.Coherence",
    "Builtin.Relevance", "Builtin.FollowingInstructions", "Builtin.ProfessionalStyleAndTone", "Builtin.Harmfulness",
    "Builtin.Stereotyping", "Builtin.Refusal",
)  # fmt: skip
"""Scored by an evaluator model."""
RETRIEVED = ("Builtin.ContextRelevance", "Builtin.ContextCoverage")
"""Of what a knowledge base finds."""
GENERATED = (
    "Builtin.Correctness", "Builtin.Completeness", "Builtin.Helpfulness", "Builtin.LogicalCoherence",
    "Builtin.Faithfulness", "Builtin.CitationPrecision", "Builtin.CitationCoverage", "Builtin.Harmfulness",
    "Builtin.Stereotyping", "Builtin.Refusal",
)  # fmt: skip
"""Of what is made of it."""
RAG_METRICS = (*RETRIEVED, *GENERATED)
DATASETS: Final[Mapping[str, tuple[str, str]]] = MappingProxyType(
    {
        "Craton.Questions": ("QuestionAndAnswer", "questions.json"),
        "Craton.Classification": ("Classification", "classification.json"),
        "Craton.Summaries": ("Summarization", "summaries.json"),
        "Craton.Generation": ("Generation", "generation.json"),
    }
)
"""Name → the task that it is made for, and its file."""
