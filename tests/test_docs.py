"""What the pages for users say is true: commands run, YAML is valid, flags and fields and links are there."""

import os
import re
import shlex
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

from jina_vdr.benchmark import load_benchmark
from jina_vdr.cli import app
from jina_vdr.plugs import GROUP
from jina_vdr.schema import SpecRecord
from jina_vdr.task import Task, load_task
from tests.replicas import pdf_bytes, table

ROOT = Path(__file__).parent.parent
PAGES = sorted([*ROOT.glob("*.md"), *(ROOT / "docs").glob("*.md"), *ROOT.glob("[!.]*/README.md")])
FENCE = re.compile(r"^```(\w*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)

NOT_RUN = {
    "make demo": "installs from the network",
    "make test": "would run this test",
    "jina-vdr eval --model jinaai/jina-embeddings-v4": "weights and data come from the network",
    "jina-vdr eval --model NAME --benchmark demo": "NAME stands for a model from the network",
    "jina-vdr models check NAME": "NAME stands for a model from the network",
    "jina-vdr eval --model tesseract --benchmark demo": "takes minutes",
    "jina-vdr eval --model jina:jina-embeddings-v4 --vector-type multi": "asks a paid API",
    "jina-vdr eval --model openai:text-embedding-3-large --truncate-dim 1024 --benchmark demo": "a paid API",
    "jina-vdr eval --model st:NAME --document-input ocr --task DemoPages": "NAME stands for a model",
}
"""Commands that are not run here, and why."""


def blocks(page, language):
    return [text for kind, text in FENCE.findall(page.read_text()) if kind == language]


def commands(page):
    lines = [line.partition(" #")[0].strip() for text in blocks(page, "sh") for line in text.splitlines()]
    return list(filter(None, lines))


def relative(page):
    return str(page.relative_to(ROOT))


def acme(root):
    """Write the folder that docs/your-own-pdfs.md describes, and its task file beside it."""
    (root / "acme/pdfs").mkdir(parents=True)
    (root / "acme/pdfs/manual.pdf").write_bytes(pdf_bytes())
    queries = [("1", "Wasser auf Seite 2", "de"), ("2", "Pumpe Seite 3", "de")]
    table(root / "acme/queries.csv", ("query-id", "query", "language"), *queries)
    rows = [("1", "manual_p2", 1), ("2", "manual_p3", 2), ("2", "manual_p2", 1)]
    table(root / "acme/qrels.tsv", ("query-id", "corpus-id", "score"), *rows)
    (text,) = blocks(ROOT / "docs/your-own-pdfs.md", "yaml")
    (root / "acme.yaml").write_text(text)
    (code,) = blocks(ROOT / "docs/plug-in.md", "python")
    (root / "mine.py").write_text(code)


def run(command, root):
    """Run a line as a user does, with nothing of this machine's but the programs."""
    program, *arguments = shlex.split(command)
    assert program == "jina-vdr"
    paths = {"HOME": str(root), "XDG_CACHE_HOME": str(root / "cache"), "HF_HUB_OFFLINE": "1"}
    return subprocess.run(
        [Path(sys.executable).parent / program, *arguments],
        cwd=root,
        env={**os.environ, **paths},
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.mark.parametrize("page", list(filter(commands, PAGES)), ids=relative)
def test_the_commands_of_a_page_run_in_their_order(tmp_path, page):
    acme(tmp_path)
    for command in commands(page):
        if command not in NOT_RUN:
            done = run(command, tmp_path)
            assert (done.returncode, "error[" in done.stderr) == (0, False), f"{command}\n{done.stderr}"


def test_the_commands_that_are_not_run_stand_on_a_page():
    assert set(NOT_RUN) <= {command for page in PAGES for command in commands(page)}


def test_each_block_is_of_a_kind_that_is_tested():
    kinds = {kind for page in PAGES for kind, _ in FENCE.findall(page.read_text())}
    assert kinds <= {"sh", "yaml", "python", "toml", ""}


@pytest.mark.parametrize("page", [page for page in PAGES if blocks(page, "yaml")], ids=relative)
def test_a_yaml_block_is_a_task_a_benchmark_or_settings(tmp_path, page):
    for text in blocks(page, "yaml"):
        path = tmp_path / "block.yaml"
        path.write_text(text)
        if "benchmark:" in text:
            load_benchmark(path)
        elif "name:" in text:
            load_task(path)
        else:
            done = run("jina-vdr eval --config block.yaml --dry-run", tmp_path)
            assert done.returncode == 0, done.stderr


def test_a_package_registers_under_the_group_that_is_looked_at():
    (text,) = (text for page in PAGES for text in blocks(page, "toml"))
    assert list(tomllib.loads(text)["project"]["entry-points"]) == [GROUP]


def test_vectors_written_as_the_page_says_are_evaluated(tmp_path, monkeypatch):
    acme(tmp_path)
    monkeypatch.chdir(tmp_path)
    Path("DIR/Acme/default").mkdir(parents=True)
    (code,) = blocks(ROOT / "docs/models.md", "python")
    vectors = {"manual_p1": [1.0, 0.0], "manual_p2": [0.6, 0.8], "manual_p3": [0.0, 1.0]}
    exec(code, {"ids": list(vectors), "vectors": list(vectors.values())})
    code = code.replace("documents.parquet", "queries.parquet")
    exec(code, {"ids": ["1", "2"], "vectors": [[0.6, 0.8], [0.0, 1.0]]})
    done = run("jina-vdr eval --model precomputed:DIR --task acme.yaml", tmp_path)
    assert "100.00" in done.stdout, done.stderr


def test_the_examples_of_errors_are_what_a_user_sees(tmp_path):
    acme(tmp_path)
    task = tmp_path / "acme.yaml"
    task.with_name("good.yaml").write_text(task.read_text())
    task.write_text(task.read_text().replace("format:", "fromat:"))
    table(tmp_path / "acme/qrels.tsv", ("query-id", "corpus-id", "score"), ("1", "manual_p0", 1))
    said = [
        run(f"jina-vdr tasks validate --data {name}", tmp_path).stderr for name in ("good.yaml", task.name)
    ]
    (text,) = blocks(ROOT / "docs/errors.md", "")
    assert "".join(said) == text


def test_each_option_of_eval_is_mentioned_on_a_page():
    pages = "\n".join(page.read_text() for page in PAGES)
    flags = [option.opts[-1] for option in app.commands["eval"].params]
    assert [flag for flag in flags if not re.search(rf"{flag}\b", pages)] == []


def fields(record):
    """Yield the names of all fields of a part of a task file, those of its parts included."""
    for name, field in record.model_fields.items():
        yield field.alias or name
        inner = field.annotation
        for part in (inner, *getattr(inner, "__args__", ())):
            if isinstance(part, type) and issubclass(part, SpecRecord):
                yield from fields(part)


def test_each_field_of_a_task_is_on_the_page_or_cannot_change_a_number(tmp_path):
    page = (ROOT / "docs/task-files.md").read_text()
    (shown,) = re.findall(r"^\| (.*), \.\.\. \| shown, never scored", page, re.MULTILINE)
    silent = {name for name in fields(Task) if not re.search(rf"\b{name}\b", page)}
    assert silent <= set(Task.model_fields)
    (tmp_path / "task.yaml").write_text(blocks(ROOT / "docs/task-files.md", "yaml")[0])
    task = load_task(tmp_path / "task.yaml")
    for name in {*silent, *re.findall("`(.+?)`", shown)}:
        changed = task.model_copy(update={name: "changed"})
        assert changed != task
        assert changed.sha256() == task.sha256(), name


@pytest.mark.parametrize("page", PAGES, ids=relative)
def test_the_links_of_a_page_lead_to_files_and_headings(page):
    for link in re.findall(r"\]\((?!https?:)([^)]+)\)", page.read_text()):
        path, _, heading = link.partition("#")
        target = page.parent / path if path else page
        assert target.is_file(), link
        headings = re.findall("^#+ (.*)$", target.read_text(), re.MULTILINE)
        assert not heading or heading in {
            re.sub("[^a-z0-9 -]", "", h.lower()).replace(" ", "-") for h in headings
        }


def test_the_readme_leads_to_each_page():
    links = set(re.findall(r"\]\((docs/[^)]+)\)", (ROOT / "README.md").read_text()))
    assert links == {relative(page) for page in (ROOT / "docs").glob("*.md")}
