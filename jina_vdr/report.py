"""Results as tables of text, for a terminal."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from pathlib import Path
from statistics import fmean
from typing import TYPE_CHECKING, Any

from jina_vdr.catalog import Selection
from jina_vdr.errors import one_line
from jina_vdr.result import Result, Scores
from jina_vdr.vocabulary import display_name

if TYPE_CHECKING:
    from jina_vdr.comparison import Difference

Row = Sequence[str]


def text_table(header: Row, rows: Sequence[Row], right: Sequence[int] = ()) -> str:
    """Return aligned columns under a header; those numbered in `right` are set to the right."""
    lines = [[one_line(cell) for cell in line] for line in (header, *rows)]
    widths = [max(len(line[i]) for line in lines) for i in range(len(header))]

    def cells(line: Row) -> str:
        return "  ".join(
            cell.rjust(width) if i in right else cell.ljust(width)
            for i, (cell, width) in enumerate(zip(line, widths, strict=True))
        ).rstrip()

    rule = "  ".join("-" * width for width in widths)
    return "\n".join([cells(lines[0]), rule, *map(cells, lines[1:])])


def markdown_table(header: Row, rows: Iterable[Row], right: Collection[str] = ()) -> str:
    """Return a table in Markdown; the columns named in `right` are set to the right."""
    rule = ["---:" if name in right else "---" for name in header]
    return "\n".join(f"| {' | '.join(cells)} |" for cells in (header, rule, *rows))


def result_table(result: Result, subsets: Sequence[str] = ()) -> str:
    """Return one row a subset, and their mean: the main score with its 95 % interval, in percent.

    With `subsets` only those are shown, and the mean is over them.
    """
    metric = display_name(result.task.main_score)
    shown = _selected(result, subsets)
    rows = [_subset_row(scores) for scores in shown]
    if len(rows) > 1:
        queries, pages = _sum(s.n_queries for s in shown), _sum(s.n_documents for s in shown)
        mean = _percent_or_dash(_mean(result, subsets))
        rows.append(["mean", "", _count(queries), _count(pages), mean, "", ""])
    header = ["subset", "language", "queries", "pages", metric, "95 %", "tied"]
    title = one_line(f"{result.task.name} · {result.model.name}{_how_much(result, subsets)}")
    return f"{title}\n{text_table(header, rows, right=range(2, 7))}"


def summary_table(results: Sequence[tuple[Result, Sequence[str]]]) -> str:
    """Return one row a task, over the subsets given with each."""
    rows = []
    for result, subsets in results:
        shown = _selected(result, subsets)
        queries = _count(_sum(scores.n_queries for scores in shown))
        mean = _percent_or_dash(_mean(result, subsets))
        metric = display_name(result.task.main_score)
        rows.append([result.task.name, str(len(shown)), queries, metric, mean])
    return text_table(["task", "subsets", "queries", "metric", "mean"], rows, right=(1, 2, 4))


def results_table(results: Sequence[tuple[Path, Result]]) -> str:
    """Return one row a result file."""
    rows = [
        [
            result.model.name,
            path.parent.name,
            result.task.name,
            str(len(result.scores)),
            display_name(result.task.main_score),
            _percent_or_dash(result.main_score),
            result.status if result.limit is None else f"limited to {result.limit}",
        ]
        for path, result in results
    ]
    return text_table(["model", "variant", "task", "subsets", "metric", "mean", "status"], rows, right=(3, 5))


def comparison_table(differences: "Sequence[Difference]") -> str:
    """Return one row a subset: both scores in percent, their difference in points and its interval."""
    rows = [
        [
            d.task,
            d.subset,
            _count(d.n_queries),
            display_name(d.metric),
            percent(d.first),
            percent(d.second),
            f"{round(100 * d.value, 2) + 0.0:+.2f}",  # a tiny loss is +0.00, never -0.00
            f"{100 * d.interval.low:+.1f} to {100 * d.interval.high:+.1f}" if d.interval else "-",
        ]
        for d in differences
    ]
    header = ["task", "subset", "queries", "metric", "first", "second", "diff", "95 %"]
    return text_table(header, rows, right=(2, 4, 5, 6, 7))


def provenance_lines(result: Result) -> list[str]:
    """Return what was run, where, and with which versions."""
    model, about = result.model, result.provenance
    settings = _said({name: value for name, value in model.settings.items() if name != "versions"})
    versions = ", ".join(f"{name} {version}" for name, version in about.packages.items())
    return [
        "; ".join(
            filter(
                None, [f"model:   {model.name} ({model.family}) revision {model.revision or '-'}", settings]
            )
        ),
        f"data:    {result.task.dataset.path or 'not named,'} at {result.task.dataset.revision}",
        *(_made_here(result, versions) if result.origin == "run" else _made_elsewhere(result, versions)),
    ]


def _made_here(result: Result, versions: str) -> list[str]:
    about = result.provenance
    return [
        f"made:    {about.started} with jina-vdr {about.jina_vdr}, {versions}",
        f"on:      {about.host.get('cpu')}, {about.host.get('cores')} cores, device {about.device}",
        *([f"ran:     {ran}"] if (ran := _said(about.runtime)) else []),
        f"seconds: {sum(scores.seconds or 0 for scores in result.scores):.1f}",
    ]


def _said(values: Mapping[str, Any]) -> str:
    """Return names and values in a line; what has no value is left out, a text stands as it is typed."""
    said = []
    for name, value in values.items():
        if isinstance(value, Mapping):
            said.append(f"{name} ({_said(value)})" if _said(value) else "")
        elif value is not None and value != "":
            said.append(f"{name} {value!r}" if " " in str(value) else f"{name} {value}")
    return ", ".join(filter(None, said))


def _made_elsewhere(result: Result, versions: str) -> list[str]:
    about = result.provenance
    made = f"made:    {about.started or '-'} with {versions or 'mteb'}"
    return [f"{made}, imported by jina-vdr {about.jina_vdr}"]


def aggregate(wanted: Sequence[Selection], results: Sequence[Result], over: str) -> float | None:
    """Return the mean of main scores over `task`, `subset` or `language`; None while something is missing.

    Over tasks: each selection counts once, with the mean over its subsets. Over languages: first the mean
    over the subsets of each language, then over languages.
    """
    measured = {result.task.name: result for result in results}
    parts = [_scores_of(selection, measured.get(selection.task.name)) for selection in wanted]
    scores = [s for part in parts for s in part or ()]
    if not parts or None in parts:
        return None
    if over == "task":
        return fmean(fmean(s.main_score for s in part or ()) for part in parts)
    if over == "subset":
        return fmean(s.main_score for s in scores)
    languages = sorted({language for s in scores for language in s.languages})
    return fmean(fmean(s.main_score for s in scores if language in s.languages) for language in languages)


def _scores_of(selection: Selection, result: Result | None) -> list[Scores] | None:
    """Return the scores of all that is selected, None while one is missing."""
    places = [(split, subset) for split in selection.task.eval_splits for subset in selection.subsets]
    found = [result.of(*place) for place in places] if result else [None]
    return [scores for scores in found if scores] if all(found) else None


def percent(value: float) -> str:
    """Return a fraction as the field prints it: 0.8098 -> 80.98."""
    return f"{100 * value:.2f}"


def _percent_or_dash(value: float | None) -> str:
    return "-" if value is None else percent(value)


def _count(value: int | None) -> str:
    return "-" if value is None else f"{value:,}"


def _sum(values: Iterable[int | None]) -> int | None:
    """Add up; a sum of which a part is not known is not known."""
    known = list(values)
    return None if None in known else sum(value or 0 for value in known)


def _selected(result: Result, subsets: Sequence[str]) -> list[Scores]:
    return [scores for scores in result.scores if not subsets or scores.subset in subsets]


def _mean(result: Result, subsets: Sequence[str]) -> float | None:
    if not subsets:
        return result.main_score
    return fmean(scores.main_score for scores in _selected(result, subsets))


def _how_much(result: Result, subsets: Sequence[str]) -> str:
    notes = []
    if subsets:
        notes.append(f"only {', '.join(subsets)}")
    elif result.status == "partial":
        notes.append("subsets are missing")
    if result.limit:
        notes.append(f"first {result.limit} queries")
    return f" ({'; '.join(notes)})" if notes else ""


def _subset_row(scores: Scores) -> Row:
    interval = f"{100 * scores.ci95[0]:.1f} to {100 * scores.ci95[1]:.1f}" if scores.ci95 else "-"
    return [
        scores.subset,
        " ".join(scores.languages),
        _count(scores.n_queries),
        _count(scores.n_documents),
        percent(scores.main_score),
        interval,
        _count(scores.n_tied_queries_at_5),
    ]
