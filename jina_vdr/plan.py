"""What an evaluation is going to do, in a few lines, before it does it."""

from collections.abc import Sequence

from jina_vdr.catalog import Selection
from jina_vdr.evaluation import Evaluation, Failed
from jina_vdr.listing import sums
from jina_vdr.records import Ranker


def plan_lines(prepared: Sequence[Evaluation | Failed], ranker: Ranker) -> list[str]:
    """Return the plan: the model, and each task with its subsets, its size, and how much of it is done."""
    info = ranker.info
    details = [info.vector_type and f"{info.vector_type}-vector", info.similarity, info.revision]
    lines = [f"model  {info.name} ({', '.join(filter(None, details))})"]
    for evaluation in prepared:
        task = evaluation.selection.task
        if isinstance(evaluation, Failed):
            lines.append(f"task   {task.name}: cannot be evaluated")
            continue
        done = sum(scores.subset in evaluation.selection.subsets for scores in evaluation.result.scores)
        total = len(evaluation.selection.subsets) * len(task.eval_splits)
        subsets = "1 subset" if total == 1 else f"{total} subsets"
        state = f", {done} done already" if done else ""
        lines.append(f"task   {task.name}: {subsets}{_size(evaluation.selection)}{state}")
    if len(prepared) > 1:
        lines.append(f"total  {sums([evaluation.selection for evaluation in prepared])}")
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
