"""`jina-vdr tasks pin` moves a task to another commit and its counts with it, and touches no other byte."""

import shutil
from functools import partial

import pytest

from jina_vdr.errors import UsageError
from jina_vdr.pin import Pin, write_pin
from jina_vdr.task import load_task
from tests.hub_server import run
from tests.replicas import beir
from tests.test_hub import SHARD, complaints, task, write

TASK = """\
# A task of ours: 3 queries, revision {old}
schema: 1
name: Manuals   # 3
dataset: {{path: org/manuals, "revision": '{old}', format: beir}}   # {old}
eval_langs:
  de: [deu-Latn]
  'fr': [fra-Latn]
  it: [ita-Latn]
expected:   # counted by hand
  'de': {{ queries : 3,documents: 6 , qrels: 0x6}}
  fr:
    documents:   6   # pages
    queries: !!int "3"
notes: >-
  Käse 🧀 has 3 queries
  and 6 documents.
"""


@pytest.fixture(scope="module")
def commits(tmp_path_factory, hub):
    """Serve three commits: v1; v2 with more pages in German and a query in French; main without Italian."""
    root = tmp_path_factory.mktemp("data")
    write(root / "old", "beir")
    shutil.copytree(root / "old", root / "new")
    beir(root / "new/de", n_pages=12)
    beir(root / "new/fr", n_queries=4)
    shutil.copytree(root / "new", root / "main")
    shutil.rmtree(root / "main/it")
    old = hub.add("datasets/org/manuals", root / "old")
    new = hub.push("datasets/org/manuals", root / "new", tag="v1")
    hub.push("datasets/org/manuals", root / "main", tag="v2")
    return old, new


@pytest.fixture
def path(tmp_path, commits):
    path = tmp_path / "manuals.yaml"
    path.write_text(TASK.format(old=commits[0]), encoding="utf-8")
    return path


@pytest.fixture(scope="module")
def pin(tmp_path_factory, hub):
    return partial(run, tmp_path_factory.mktemp("home"), hub.url, "tasks", "pin")


def pinned(commits):
    """Return the task file as it must be at the second commit."""
    text = TASK.replace("'{old}'", "'{new}'").replace("documents: 6 ,", "documents: 12 ,")
    return text.replace('!!int "3"', '!!int "4"').format(old=commits[0], new=commits[1])


@pytest.mark.parametrize(("newline", "encoding"), [("\n", "utf-8"), ("\r\n", "utf-8-sig")])
def test_the_revision_and_the_declared_counts_are_replaced_and_no_other_byte(
    pin, path, commits, newline, encoding
):
    path.write_bytes(TASK.format(old=commits[0]).replace("\n", newline).encode(encoding))
    path.chmod(0o640)
    done = pin(path, "v2")
    assert done.returncode == 0, done.stderr
    assert path.read_bytes() == pinned(commits).replace("\n", newline).encode(encoding)
    assert path.stat().st_mode & 0o777 == 0o640
    assert [name.name for name in path.parent.iterdir()] == [path.name]


def test_each_count_is_shown_with_what_was_declared_and_how_it_moves(pin, path, commits):
    table, said = pin(path, "v2").stdout.rstrip("\n").split("\n\n")
    header, _, *rows = [line.split() for line in table.splitlines()]
    assert header == ["subset", "what", "declared", "new", "change"]
    assert rows == [
        ["de", "queries", "3", "3"],
        ["de", "documents", "6", "12", "+6"],
        ["de", "qrels", "6", "6"],
        ["fr", "queries", "3", "4", "+1"],
        ["fr", "documents", "6", "6"],
        ["fr", "qrels", "-", "8"],
        ["it", "queries", "-", "3"],
        ["it", "documents", "-", "6"],
        ["it", "qrels", "-", "6"],
    ]
    assert said.splitlines() == [f"org/manuals {commits[0]} -> {commits[1]}", f"written: {path}"]


def test_what_was_pinned_is_what_the_data_has(pin, path, hub, tmp_path):
    validate = partial(run, tmp_path / "home", hub.url, "tasks", "validate", "--data", path)
    assert pin(path, "v2").returncode == 0
    done = validate()
    assert done.returncode == 0, done.stderr
    path.write_text(path.read_text().replace("documents: 12", "documents: 13"))
    assert "error[JV438]" in validate().stderr


def test_a_dry_run_shows_the_same_and_writes_nothing(pin, path):
    before = path.read_bytes()
    dry = pin(path, "v2", "--dry-run")
    assert path.read_bytes() == before
    assert pin(path, "v2").stdout == f"{dry.stdout}written: {path}\n"


def test_a_commit_can_be_named_and_a_pin_undone(pin, path, commits):
    before = path.read_bytes()
    assert pin(path, commits[1]).returncode == 0
    assert path.read_bytes() != before
    assert pin(path, "v1").returncode == 0
    assert path.read_bytes() == before


def test_where_nothing_has_changed_the_file_is_not_written(pin, path, commits):
    before = path.stat()
    done = pin(path, "v1")
    assert f"org/manuals at {commits[0]} already\n" in done.stdout
    assert done.stdout.endswith(f"nothing has changed: {path} stays as it is\n")
    assert (path.stat().st_mtime_ns, path.stat().st_ino) == (before.st_mtime_ns, before.st_ino)


def test_counts_that_were_wrong_are_mended_at_the_same_commit(pin, path):
    right = path.read_bytes()
    path.write_bytes(right.replace(b"queries : 3,", b"queries : 1_003,"))
    done = pin(path, "v1")
    assert ["de", "queries", "1,003", "3", "-1,000"] in map(str.split, done.stdout.splitlines())
    assert path.read_bytes() == right


def test_pairs_are_counted(pin, hub, tmp_path):
    write(tmp_path / "data", "pairs")
    commit = hub.add("datasets/org/sts", tmp_path / "data")
    path = task(tmp_path / "tasks", "sts", "org/sts", commit, "pairs")
    path.write_text(path.read_text() + "expected: {it: {pairs: 5}}\n")
    assert ["it", "pairs", "5", "6", "+1"] in map(str.split, pin(path).stdout.splitlines())
    assert path.read_text().endswith("expected: {it: {pairs: 6}}\n")


def refused(done, code):
    (line,) = complaints(done)
    assert line.startswith(f"error[{code}] ")
    assert done.stdout == ""
    return line, done.returncode


@pytest.mark.parametrize(
    ("revision", "more", "code", "says"),
    [
        ("main", {}, "JV404", "task Manuals: org/manuals has no folder 'it/corpus'"),
        ("v3", {}, "JV402", "org/manuals has no revision v3"),
        ("v2", {"HF_HUB_OFFLINE": "1"}, "JV401", "only the Hub knows which commit 'v2' is; go online"),
    ],
)
def test_what_is_not_there_is_one_line_and_nothing_is_written(pin, path, revision, more, code, says):
    before = path.read_bytes()
    line, exit_code = refused(pin(path, revision, **more), code)
    assert says in line
    assert exit_code == 4
    assert path.read_bytes() == before


def test_data_that_breaks_another_rule_is_not_pinned(pin, path, hub, commits, tmp_path):
    write(tmp_path / "bad", "beir")
    beir(tmp_path / "bad/fr", qrels={"corpus-id": [0, 1, 1, 2, 2, 99]})
    before = path.read_bytes()
    hub.add("datasets/org/bad", tmp_path / "bad")
    path.write_bytes(before.replace(b"org/manuals", b"org/bad"))
    line, _ = refused(pin(path), "JV437")
    assert "Manuals (fr): qrels name the page '99'" in line
    assert path.read_bytes() == before.replace(b"org/manuals", b"org/bad")


@pytest.mark.parametrize(
    ("shared", "names"),
    [
        ("dataset: {{path: org/manuals, revision: '{old}'}}", "dataset.revision of "),
        ("expected: {{de: {{documents: 6}}}}", "expected.de.documents of "),
    ],
)
def test_what_stands_in_an_included_file_is_not_changed(pin, path, hub, commits, shared, names):
    base = path.with_name("_base.yaml")
    base.write_text("# shared\n" + shared.format(old=commits[0]))
    own = TASK.format(old=commits[0]).replace(f"\"revision\": '{commits[0]}', ", "")
    if "documents" in shared:
        own = TASK.format(old=commits[0]).replace("documents: 6 ,", "")
    path.write_text(own + "include: _base.yaml\n")
    before = path.read_bytes(), base.read_bytes()
    hub.requests.clear()
    line, exit_code = refused(pin(path, "v2"), "JV123")
    assert f"{names}{path} stands in {base}:2:" in line
    assert exit_code == 2
    assert (path.read_bytes(), base.read_bytes()) == before
    assert not (hub.fetched and "revision" in shared)


def test_a_folder_here_has_nothing_to_pin(pin, tmp_path):
    line, _ = refused(pin(task(tmp_path, "local", "./data", None)), "JV122")
    assert "the folder ./data, which has no revision" in line


def test_a_value_in_an_unusual_spelling_is_left_alone(pin, path, commits):
    odd = commits[0].replace("e", "\\x65", 1)
    path.write_text(path.read_text().replace(f"'{commits[0]}'", f'"{odd}"'))
    assert load_task(path).dataset.revision == commits[0]
    before = path.read_bytes()
    done = pin(path, "v2")
    (line,) = complaints(done)
    assert line.startswith(f"error[JV124] {path} spells one of these in an unusual way: dataset.revision, ")
    assert path.read_bytes() == before
    assert [name.name for name in path.parent.iterdir()] == [path.name]


def test_a_file_that_has_changed_meanwhile_is_left_alone(path, commits):
    pin = Pin(load_task(path), commits[1], ())
    path.write_text(path.read_text().replace("version: 1", "version: 2") + "version: 2\n")
    before = path.read_bytes()
    with pytest.raises(UsageError, match="has changed meanwhile"):
        write_pin(pin)
    assert path.read_bytes() == before


def test_splits_with_different_counts_cannot_share_a_declared_one(pin, path, hub, tmp_path):
    write(tmp_path / "splits", "beir")
    beir(tmp_path / "more/de", n_pages=7)
    for part in ("corpus", "queries", "qrels"):
        shutil.copy(
            tmp_path / "more/de" / part / SHARD, tmp_path / "splits/de" / part / SHARD.replace("test", "dev")
        )
    commit = hub.add("datasets/org/splits", tmp_path / "splits")
    path = task(tmp_path, "splits", "org/splits", commit)
    text = path.read_text().replace("fr:\n  - fra-Latn", "").replace("it:\n  - ita-Latn", "")
    path.write_text(text + "eval_splits: [test, dev]\nexpected: {de: {queries: 3}}\n")
    assert pin(path).returncode == 0
    path.write_text(path.read_text().replace("queries: 3", "documents: 6"))
    line, exit_code = refused(pin(path), "JV418")
    assert "splits (de) has 6 in test, 7 in dev: documents cannot be one number" in line
    assert exit_code == 4
