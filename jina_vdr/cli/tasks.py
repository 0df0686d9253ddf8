"""`jina-vdr tasks`: find, read, check and write task files."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from jina_vdr.cli.import_mteb import import_mteb
from jina_vdr.cli.options import (
    cache_option,
    filter_options,
    filters,
    hub_of,
    json_option,
    offline_option,
    option,
)
from jina_vdr.cli.pin import pin_task

if TYPE_CHECKING:
    from jina_vdr.catalog import Selection
    from jina_vdr.hub import Hub
    from jina_vdr.task import Task


@click.group()
def tasks() -> None:
    """List, show, check and write task files."""


tasks.add_command(import_mteb)


tasks.add_command(pin_task)


@tasks.command("list")
@option("--benchmark", help="Tasks of this benchmark.")
@filter_options
@json_option
@click.option("--markdown", is_flag=True, help="Print a Markdown page: docs/tasks.md is one.")
@click.option(
    "--sizes", is_flag=True, help="Ask the Hub how large the data is; what is known is in the cache."
)
@cache_option
@offline_option
def list_tasks(
    benchmark: str | None,
    as_json: bool,
    markdown: bool,
    sizes: bool,
    cache: Path,
    offline: bool,
    **values: Any,
) -> None:
    """List tasks; filters intersect."""
    from jina_vdr.benchmark import find_benchmark, resolve
    from jina_vdr.catalog import all_tasks, select, whole
    from jina_vdr.listing import languages, task_table
    from jina_vdr.overview import overview

    tasks = [whole(task) for task in all_tasks().values()]
    selections = select(resolve(find_benchmark(benchmark)) if benchmark else tasks, filters(values))
    if as_json:
        records = [
            {**_record(s.task), "subsets": list(s.subsets), "languages": languages([s])} for s in selections
        ]
        click.echo(json.dumps(records, indent=1, ensure_ascii=False))
    elif markdown:
        click.echo(overview(selections), nl=False)
    else:
        found = _sizes(selections, hub_of(cache, offline=offline)) if sizes else None
        click.echo(task_table(selections, found))


def _sizes(selections: "Sequence[Selection]", hub: "Hub") -> dict[str, str]:
    """Return how large the data of each task is; `-` where that cannot be known, with an error."""
    from jina_vdr.pull import find_needs, human

    needs = find_needs(selections, hub)
    for need in needs:
        if need.error:
            click.echo(str(need.error), err=True)
    return {
        need.task.name: "-" if need.error else human(sum(need.files.values())) if need.files else "local"
        for need in needs
    }


@tasks.command("show")
@click.argument("name")
@json_option
def show_task(name: str, as_json: bool) -> None:
    """Show one task: a name, or the path of a task file."""
    from jina_vdr.catalog import find_task
    from jina_vdr.listing import task_card

    task = find_task(name)
    if as_json:
        click.echo(json.dumps(_record(task), indent=1, ensure_ascii=False))
    else:
        click.echo(task_card(task, asked_as=name))


@tasks.command("validate")
@click.argument("files", nargs=-1, type=click.Path(path_type=Path))
@click.option("--data", is_flag=True, help="Open the data too: ids, qrels, counts; every image is decoded.")
@cache_option
@offline_option
def validate_tasks(files: tuple[Path, ...], data: bool, cache: Path, offline: bool) -> int:
    """Check task and benchmark files, or folders of them; without any, those that come with us.

    Every file is checked. The exit code is 3 when one is invalid, else 4 when data is missing or wrong.
    """
    from jina_vdr.catalog import bundled_root
    from jina_vdr.errors import UsageError, VDRError

    if data and not (files or offline):
        raise UsageError(
            "JV128",
            "--data without files would fetch the data of all tasks that come with us",
            "name the files, or add --offline to check what is in the cache",
        )
    codes: list[int] = []
    seen: list[Task] = []
    for path in _spec_files(files or (bundled_root(),)):
        try:
            said = _validate(path, seen, hub_of(cache, offline=offline) if data else None)
            click.echo(f"{path}: {said}")
        except VDRError as error:
            click.echo(str(error), err=True)
            codes.append(error.exit_code)
    return min(codes, default=0)


@tasks.command("schema")
@click.option("--benchmark", is_flag=True, help="The schema of benchmark files.")
def print_schema(benchmark: bool) -> None:
    """Print the JSON Schema of task files: editors check and complete with it."""
    from jina_vdr.benchmark import Benchmark
    from jina_vdr.schema import json_schema
    from jina_vdr.task import Task

    click.echo(json.dumps(json_schema(Benchmark if benchmark else Task), indent=1))


@tasks.command("new")
@click.argument("name")
@click.option(
    "--format",
    "layout",
    type=click.Choice(["folder", "beir", "mteb", "qa", "pairs"]),
    default="folder",
    show_default=True,
    help="How the data is laid out.",
)
@click.option(
    "--out", type=click.Path(path_type=Path, dir_okay=False), help="File to write.  [default: NAME.yaml]"
)
def new_task(name: str, layout: str, out: Path | None) -> None:
    """Write a task file to fill in; a file that is there stays as it is."""
    from jina_vdr.atomic import write_text
    from jina_vdr.catalog import BENCHMARKS
    from jina_vdr.errors import UsageError
    from jina_vdr.template import template

    text = template(name, layout)
    path = out or Path(f"{name.lower()}.yaml")
    if path.name.endswith(BENCHMARKS):
        raise UsageError("JV113", f"{path} would be taken for a benchmark file", "choose another --out")
    if path.exists():
        raise UsageError("JV115", f"{path} is there already", "choose another --out")
    write_text(path, text)
    click.echo(path)
    click.echo(f"next: fill it in, then jina-vdr tasks validate --data {path}", err=True)


def _spec_files(paths: Sequence[Path]) -> list[Path]:
    from jina_vdr.catalog import benchmark_files, task_files
    from jina_vdr.errors import UsageError

    files: list[Path] = []
    for path in paths:
        if not path.exists():
            raise UsageError("JV101", f"there is no file or folder {path}", "write the path of a YAML file")
        found = [*task_files(path), *benchmark_files(path)] if path.is_dir() else [path]
        if not found:
            raise UsageError("JV101", f"{path} holds no task file", "task files end in .yaml")
        files += found
    return files


def _validate(path: Path, seen: "list[Task]", hub: "Hub | None") -> str:
    """Check one file, and with a `hub` its data; return what to say about it."""
    from jina_vdr.catalog import BENCHMARKS, refuse_namesakes

    if path.name.endswith(BENCHMARKS):
        from jina_vdr.benchmark import aggregated, load_benchmark, resolve
        from jina_vdr.listing import counted

        benchmark = load_benchmark(path)
        for mean in benchmark.aggregates:
            aggregated(benchmark, mean)
        return f"ok, {counted(len(resolve(benchmark)), 'task')}"
    from jina_vdr.task import load_task

    task = load_task(path)
    refuse_namesakes([*seen, task])
    seen.append(task)
    if hub is None:
        return "ok"
    from jina_vdr.data.inspection import inspect

    return f"ok, {inspect(task, hub)}"


def _record(task: "Task") -> dict[str, Any]:
    return task.model_dump(mode="json", by_alias=True, exclude_defaults=True)
