"""`jina-vdr benchmarks`: which tasks belong together."""

import json
import shlex

import click

from jina_vdr.cli.options import json_option


@click.group()
def benchmarks() -> None:
    """List and show benchmarks."""


@benchmarks.command("list")
@json_option
def list_benchmarks(as_json: bool) -> None:
    """List all benchmarks."""
    from jina_vdr.benchmark import all_benchmarks, resolve
    from jina_vdr.report import text_table

    found = all_benchmarks()
    if as_json:
        records = [benchmark.model_dump(mode="json", by_alias=True) for benchmark in found.values()]
        click.echo(json.dumps(records, indent=1, ensure_ascii=False))
        return
    rows = []
    for name, benchmark in found.items():
        selections = resolve(benchmark)
        subsets = sum(len(selection.subsets) for selection in selections)
        rows.append([name, str(len(selections)), str(subsets), benchmark.description])
    click.echo(text_table(["benchmark", "tasks", "subsets", "description"], rows, right=(1, 2)))


@benchmarks.command("show")
@click.argument("name")
@json_option
def show_benchmark(name: str, as_json: bool) -> None:
    """Show one benchmark: a name, or the path of a benchmark file."""
    from jina_vdr.benchmark import aggregated, find_benchmark, resolve
    from jina_vdr.listing import counted, task_table

    benchmark = find_benchmark(name)
    if as_json:
        click.echo(json.dumps(benchmark.model_dump(mode="json", by_alias=True), indent=1, ensure_ascii=False))
        return
    selections = resolve(benchmark)
    click.echo(": ".join(filter(None, [benchmark.benchmark, benchmark.description])) + "\n")
    click.echo(task_table(selections))
    click.echo("\nreported, each only when nothing is missing:")
    for mean in benchmark.aggregates:
        order = ", orders models" if benchmark.is_primary(mean) else ""
        parts = counted(len(aggregated(benchmark, mean)), "task")
        click.echo(f"  {mean.name} ({parts}{order})")
    click.echo(f"\nrun: jina-vdr eval --model bm25 --benchmark {shlex.quote(name)}")
