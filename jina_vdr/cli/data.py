"""`jina-vdr data`: fetch what an evaluation needs, so that it works offline."""

import json
from typing import TYPE_CHECKING, Any

import click

from jina_vdr.cli.options import (
    cache_option,
    filter_options,
    filters,
    hub_of,
    json_option,
    offline_option,
    option,
)

if TYPE_CHECKING:
    from collections.abc import Sequence

    from jina_vdr.pull import DataSet, Need


@click.group()
def data() -> None:
    """Fetch data from the Hub, to work offline."""


@data.command("pull")
@click.argument("benchmark", required=False, envvar="JINA_VDR_BENCHMARK")
@option("--task", multiple=True, help="Data of this task: a name, or the path of a task file. Repeatable.")
@filter_options
@cache_option
@offline_option
@option("--dry-run", is_flag=True, help="Show the sizes and stop.")
@json_option
def pull(benchmark: str | None, dry_run: bool, as_json: bool, **values: Any) -> int:
    """Fetch all that an evaluation of BENCHMARK (by default JinaVDR) or of tasks needs, sizes first.

    Afterwards jina-vdr eval works with --offline. What is in the cache is not fetched again.
    """
    from jina_vdr.benchmark import asked_for
    from jina_vdr.pull import check_space, data_sets, fetch_all, find_needs

    hub = hub_of(values["cache"], offline=values["offline"])
    _, selections = asked_for(benchmark, values["task"], filters(values))
    needs = find_needs(selections, hub)
    sets = data_sets(needs)
    click.echo(_as_json(sets) if as_json else _table(sets))
    known = [need for need in needs if need.error]
    _complain(known)
    if not hub.offline:
        check_space(sets)
    if not dry_run:
        needs = fetch_all(needs, hub)
        _complain([need for need in needs if need.error and need not in known])
    return _end(needs, dry_run=dry_run)


def _table(sets: "Sequence[DataSet]") -> str:
    """Return a row a data set, the sums, and the room that there is."""
    from jina_vdr.hub import free_space
    from jina_vdr.listing import counted
    from jina_vdr.pull import human
    from jina_vdr.report import text_table

    table = text_table(
        ["task", "data set", "files", "size", "cached"], list(map(_row, sets)), right=(2, 3, 4)
    )
    folder, free = free_space()
    size, missing = sum(one.size for one in sets), sum(one.missing_size for one in sets)
    said = [counted(len(sets), "data set"), counted(sum(len(one.files) for one in sets), "file"), human(size)]
    return f"{table}\n\n{', '.join(said)}; to fetch: {human(missing)}; free in {folder}: {human(free)}"


def _row(one: "DataSet") -> list[str]:
    from jina_vdr.pull import human

    names = [task.name for task in one.tasks]
    shown = ", ".join(names[:2]) + (f" and {len(names) - 2} more" if len(names) > 2 else "")
    data = one.tasks[0].dataset
    if not data.revision:
        return [shown, f"{data.path} (local: nothing to fetch)", "-", "-", "-"]
    cached = human(one.size - one.missing_size)
    return [shown, f"{data.path}@{data.revision[:7]}", str(len(one.files)), human(one.size), cached]


def _as_json(sets: "Sequence[DataSet]") -> str:
    from jina_vdr.hub import free_space

    records = [
        {
            "path": one.tasks[0].dataset.path,
            "revision": one.tasks[0].dataset.revision,
            "tasks": [task.name for task in one.tasks],
            "files": len(one.files),
            "bytes": one.size,
            "missing_files": len(one.missing),
            "missing_bytes": one.missing_size,
        }
        for one in sets
    ]
    return json.dumps({"data_sets": records, "free_bytes": free_space()[1]}, indent=1, ensure_ascii=False)


def _complain(needs: "Sequence[Need]") -> None:
    for need in needs:
        click.echo(str(need.error), err=True)


def _end(needs: "Sequence[Need]", *, dry_run: bool) -> int:
    """Say whether all is there; return 0, 1 when some failed, the first error's code when all did."""
    errors = [need.error for need in needs if need.error]
    if errors:
        click.echo(f"{len(needs) - len(errors)} done, {len(errors)} failed", err=True)
        return errors[0].exit_code if len(errors) == len(needs) else 1
    if not dry_run:
        click.echo("all data is there: jina-vdr eval works with --offline", err=True)
    return 0
