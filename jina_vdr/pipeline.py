"""What ranks: one model, or several whose rankings are fused, and what reranks the best of it."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

from jina_vdr.encoders.making import load, make_encoder
from jina_vdr.errors import UsageError
from jina_vdr.family import FAMILIES, RERANKERS, Family, flag
from jina_vdr.fusion import Fusion
from jina_vdr.model import BOTH, ModelSpec, Options
from jina_vdr.ranker import make_ranker, reader
from jina_vdr.records import Ranker
from jina_vdr.rerank import PairScorer, Reranked, Scorer, VectorScorer
from jina_vdr.reranker_name import resolve_reranker
from jina_vdr.resolution import resolve
from jina_vdr.store import Store

FUSION = "rrf:"

TOP = 100
"""Pages of each query that are reranked, unless `--rerank-top` says otherwise."""


@dataclass(frozen=True)
class Pipeline:
    """The models whose rankings are fused, or the one; what reranks the `top` best pages, if anything."""

    models: tuple[ModelSpec, ...]
    reranker: ModelSpec | None = None
    top: int = TOP

    def variants(self) -> list["Pipeline"]:
        """Return what is evaluated: two where one model gives both kinds of vectors."""
        if len(self.models) > 1 or self.reranker:
            return [self]
        return [Pipeline((model,)) for model in self.models[0].variants()]


def resolve_pipeline(model: str, rerank: str | None, top: int | None, options: Options) -> Pipeline:
    """Return what `--model` and `--rerank` name: `rrf:A,B` are two models or more.

    Options go to each part that takes them. Raises UsageError for one that no part takes, and for what names
    no models, or no reranker.
    """
    if top is not None and rerank is None:
        raise UsageError("JV142", "--rerank-top is there, and no --rerank", "say what reranks")
    if rerank is None and not model.startswith(FUSION):
        return Pipeline((resolve(model, options),))
    models = tuple(resolve(name) for name in _names(model))
    reranker = resolve_reranker(rerank) if rerank is not None else None
    _check(options, [*models, *([reranker] if reranker else [])])
    return Pipeline(
        tuple(_with(spec, options) for spec in models), reranker and _with(reranker, options), top or TOP
    )


def make_pipeline(pipeline: Pipeline, store: Store) -> Ranker:
    """Return the ranker of all. Weights load when they are first needed, not here.

    Raises MissingExtra when the package of a family is not installed.
    """
    rankers = [make_ranker(spec, store) for spec in pipeline.models]
    ranker = rankers[0] if len(rankers) == 1 else Fusion(rankers)
    if pipeline.reranker is None:
        return ranker
    return Reranked(ranker, _scorer(pipeline.reranker, store), pipeline.top)


def _scorer(spec: ModelSpec, store: Store) -> Scorer:
    if spec.family in RERANKERS:
        device = (spec.options.device or "").partition(",")[0] or None  # of several the first: it runs on one
        one = replace(spec, options=replace(spec.options, device=device))
        return PairScorer(load(spec.family, RERANKERS)(one), store, reader(spec))
    return VectorScorer(make_encoder(spec), store, reader(spec))


def _names(model: str) -> list[str]:
    if not model.startswith(FUSION):
        return [model]
    names = [name.strip() for name in model.removeprefix(FUSION).split(",")]
    if len(names) < 2 or not all(names):
        raise UsageError("JV107", f"'{model}' does not name two models or more", "write --model rrf:A,B")
    return names


def _family(spec: ModelSpec) -> Family:
    return RERANKERS.get(spec.family) or FAMILIES[spec.family]


def _check(options: Options, specs: Sequence[ModelSpec]) -> None:
    if options.vector_type == BOTH:
        raise UsageError(
            "JV109", "both kinds of vectors are two rankings", "say which one is fused or reranked"
        )
    takes = frozenset().union(*(_family(spec).options for spec in specs))
    for option in options.given():
        if option not in takes:
            named = " and ".join(dict.fromkeys(spec.family for spec in specs))
            known = ", ".join(flag(name) for name in sorted(takes)) or "no options"
            raise UsageError("JV108", f"{named} do not take {flag(option)}", f"they take {known}")


def _with(spec: ModelSpec, options: Options) -> ModelSpec:
    """Return a part with those of the options that it takes."""
    takes = _family(spec).options
    given: dict[str, Any] = {name: value for name, value in options.given().items() if name in takes}
    return replace(spec, options=Options(**given))
