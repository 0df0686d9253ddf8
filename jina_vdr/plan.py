"""What an evaluation is going to do, in a few lines, before it does it."""

from collections.abc import Sequence

from jina_vdr.catalog import Selection
from jina_vdr.evaluation import Settings, open_result
from jina_vdr.model import ModelSpec
from jina_vdr.ranker import make_ranker


def plan_lines(selections: Sequence[Selection], spec: ModelSpec, settings: Settings) -> list[str]:
    """Return the plan: each task with its subsets, its size, and how much of it is done already."""
    ranker = make_ranker(spec, settings.store)
    info = ranker.info
    details = [info.vector_type and f"{info.vector_type}-vector", info.similarity, info.revision]
    lines = [f"model  {info.name} ({', '.join(filter(None, details))})"]
    for selection in selections:
        _, result = open_result(selection, ranker, settings)
        done = sum(scores.subset in selection.subsets for scores in result.scores)
        total = len(selection.subsets) * len(selection.task.eval_splits)
        subsets = "1 subset" if total == 1 else f"{total} subsets"
        state = f", {done} done already" if done else ""
        lines.append(f"task   {selection.task.name}: {subsets}{_size(selection)}{state}")
    return lines


def _size(selection: Selection) -> str:
    """Say the size as far as the task file declares it."""
    expected = [selection.task.expected.get(subset) for subset in selection.subsets]
    if not expected or any(counts is None for counts in expected):
        return ""
    sums = {
        what: sum(getattr(counts, what) or 0 for counts in expected)
        for what in ("queries", "documents", "pairs")
    }
    names = {"queries": "queries", "documents": "pages", "pairs": "pairs"}
    return "".join(f", {count:,} {names[what]}" for what, count in sums.items() if count)
