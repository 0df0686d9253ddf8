"""An evaluation that is killed or interrupted breaks nothing, and goes on when it is asked again."""

import signal
import subprocess
import sys
import time

import pyarrow.parquet as pq
import pytest
from safetensors.numpy import load_file

from jina_vdr.result import read_result, read_results
from tests.replicas import evaluated, prepared, text_task

SUBSETS = ("de", "es", "fr", "it", "nl", "pt")


@pytest.fixture(scope="module")
def expected(tmp_path_factory):
    """The scores of the same evaluation when nothing disturbs it."""
    root = tmp_path_factory.mktemp("undisturbed")
    text_task(root, SUBSETS, n_pages=150, n_queries=30)
    return numbers(evaluated(root, vector_type="multi").result)


@pytest.fixture
def root(tmp_path):
    text_task(tmp_path, SUBSETS, n_pages=150, n_queries=30)
    return tmp_path


def numbers(result):
    return [(s.split, s.subset, s.metrics, s.ci95, s.n_tied_queries_at_5, s.per_query) for s in result.scores]


def start(root):
    """Start the evaluation in a process of its own."""
    places = ["--task", root / "replica.yaml", "--results", root / "results", "--cache", root / "cache"]
    command = [sys.executable, "-m", "jina_vdr", "eval", "--model", "fake", "--vector-type", "multi", *places]
    return subprocess.Popen(
        command,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.default_int_handler),
    )


def kept(root):
    """Return the files of results and cache, temporary ones included."""
    return {path for name in ("results", "cache") for path in (root / name).rglob("*") if path.is_file()}


def wait_for(process, root, n_files):
    """Wait until there are more files than `n_files`, or the process has ended."""
    while process.poll() is None and len(kept(root)) <= n_files:
        time.sleep(0.001)


def check(root):
    """Assert that every file can be read but those that are marked as temporary; return the scores so far."""
    for path in kept(root):
        if path.suffix == ".parquet":
            pq.read_table(path)
        elif path.suffix == ".safetensors":
            load_file(path)
        else:
            assert path.suffix == ".json" or (path.name[0], path.suffix) == (".", ".tmp")
    result = next(root.glob("results/*/*/*.json"), None)
    return read_result(result).scores if result else []


def tables(root):
    return {path.name: path.stat().st_mtime_ns for path in root.rglob("*.per_query.parquet")}


def test_kill_9_at_any_moment_loses_nothing_that_was_finished(root, expected):
    finished, kills = {}, 0
    for moment in range(8):
        process = start(root)
        wait_for(process, root, len(kept(root)) + moment % 3)
        time.sleep(0.003 * (moment % 7))
        process.kill()
        process.communicate()
        kills += process.returncode == -signal.SIGKILL
        done, now = {scores.per_query.path for scores in check(root)}, tables(root)
        assert set(finished) <= done
        assert {name: now[name] for name in finished} == finished
        finished = {name: now[name] for name in done}
    assert kills >= 5
    process = start(root)
    process.communicate()
    assert process.returncode == 0
    assert {name: tables(root)[name] for name in finished} == finished
    assert numbers(prepared(root, vector_type="multi")[2].result) == expected


def test_an_interrupt_ends_with_130_and_a_message_and_the_same_command_goes_on(root, expected):
    process = start(root)
    while process.poll() is None and not list(root.glob("results/*/*/*.json")):
        time.sleep(0.001)
    process.send_signal(signal.SIGINT)
    out, err = process.communicate()
    assert process.returncode == 130, err
    assert out == ""
    assert err.splitlines()[-1].startswith("interrupted; what was finished is kept")
    assert "Traceback" not in err
    assert {path.suffix for path in kept(root)} == {".json", ".parquet", ".safetensors"}
    done, before = [scores.per_query.path for scores in check(root)], tables(root)
    assert 1 <= len(done) < len(SUBSETS)
    assert numbers(evaluated(root, vector_type="multi").result) == expected
    assert {name: tables(root)[name] for name in done} == {name: before[name] for name in done}


def test_what_a_killed_run_left_half_written_is_no_result(root, expected):
    evaluation = evaluated(root, vector_type="multi")
    for path in kept(root):
        path.with_name(f".{path.name}.0badcafe.tmp").write_bytes(path.read_bytes()[:100])
    for path in list(evaluation.path.with_suffix("").glob("[df]*")):
        path.unlink()
    assert [path for path, _ in read_results(root / "results")] == [evaluation.path]
    assert numbers(evaluated(root, vector_type="multi").result) == expected
