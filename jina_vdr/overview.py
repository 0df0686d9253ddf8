"""All tasks on one Markdown page: a table a benchmark, then the tasks that are in none."""

from collections.abc import Iterator, Sequence

from jina_vdr.benchmark import Benchmark, all_benchmarks, resolve
from jina_vdr.catalog import Selection
from jina_vdr.languages import language_of
from jina_vdr.listing import count, languages, sums
from jina_vdr.report import markdown_table
from jina_vdr.vocabulary import display_name

HEADER = ("task", "languages", "subsets", "queries", "pages", "score", "domains", "formats", "license")
RIGHT = {"subsets", "queries", "pages"}

INTRODUCTION = """\
# Tasks

Written by `jina-vdr tasks list --markdown`, not by hand. `jina-vdr tasks show NAME` says more of a task:
where its data is, at which revision, how it was made, and what was corrected in what others say of it.
Models are ordered by the mean in bold; there is none while a task of it is missing. The queries of a pair
task are its pairs. Pages are counted in each subset; equal pages are encoded once.
"""


def overview(selections: Sequence[Selection]) -> str:
    """Return the page, with those of the tasks that are selected."""
    left = {selection.task.name: selection for selection in selections}
    sections = []
    for benchmark in all_benchmarks().values():
        held = [left[s.task.name] for s in resolve(benchmark) if s.task.name in left]
        if held:
            sections.append(f"## {benchmark.benchmark}\n\n{_about(benchmark)}\n\n{_table(held)}\n")
    named = {s.task.name for benchmark in all_benchmarks().values() for s in resolve(benchmark)}
    others = [selection for name, selection in left.items() if name not in named]
    if others:
        sections.append(f"## In no benchmark\n\n{_table(others)}\n")
    return "\n".join([INTRODUCTION, *sections])


def _about(benchmark: Benchmark) -> str:
    means = ", ".join(f"**{a.name}**" if benchmark.is_primary(a) else a.name for a in benchmark.aggregates)
    source = f" [Source]({benchmark.reference})." if benchmark.reference else ""
    return f"{benchmark.description}{source} Means: {means}."


def _table(selections: Sequence[Selection]) -> str:
    rows = (list(_cells(selection)) for selection in selections)
    return f"{markdown_table(HEADER, rows, RIGHT)}\n\n{sums(selections)}."


def _cells(selection: Selection) -> Iterator[str]:
    task = selection.task
    name = f"[{task.name}]({task.reference})" if task.reference else task.name
    yield name if task.is_public else f"{name} (gated)"
    yield _language_names(languages([selection]))
    yield str(len(selection.subsets))
    for what in ("pairs" if task.dataset.format == "pairs" else "queries", "documents"):
        number = count(selection, what)
        yield "-" if number is None else f"{number:,}"
    yield display_name(task.main_score)
    yield ", ".join(task.domains)
    yield ", ".join(task.document_formats)
    yield task.license


def _language_names(tags: Sequence[str]) -> str:
    if len(tags) > 3:
        return f"{len(tags)} languages"
    known = [(tag, language_of(tag)) for tag in tags]
    return ", ".join(language.name if language else tag for tag, language in known)
