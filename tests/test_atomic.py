"""A file is written whole or not at all: after errors, kill -9, side by side, and on a disk that is full."""

import errno
import os
import resource
import shutil
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from functools import cache
from pathlib import Path

import pyarrow.parquet as pq
import pytest
from safetensors.numpy import load_file

from jina_vdr.atomic import replacing, write_bytes, write_text
from jina_vdr.cli import main
from jina_vdr.result import read_result
from tests.replicas import evaluated, prepared, text_task


def names(folder):
    return sorted(path.name for path in folder.iterdir())


def test_a_new_file_takes_the_place_of_the_old_one(tmp_path):
    path = tmp_path / "a" / "b" / "file.txt"
    write_text(path, "alt")
    write_text(path, "neu: ä\n")
    assert path.read_bytes() == "neu: ä\n".encode()
    assert names(path.parent) == ["file.txt"]


def test_until_the_end_a_reader_sees_the_old_file(tmp_path):
    path = tmp_path / "file.txt"
    path.write_text("old")
    with replacing(path) as temporary:
        temporary.write_text("new")
        assert temporary.parent == path.parent  # of one file system: replacing is one step
        assert path.read_text() == "old"
    assert path.read_text() == "new"


@pytest.mark.parametrize("error", [ValueError, OSError, KeyboardInterrupt, SystemExit, GeneratorExit])
@pytest.mark.parametrize("written", [True, False])
@pytest.mark.parametrize("there", [True, False])
def test_on_any_error_all_is_as_it_was(tmp_path, error, written, there):
    path = tmp_path / "file.txt"
    if there:
        path.write_text("old")

    def fail():
        with replacing(path) as temporary:
            if written:
                temporary.write_text("half")
            raise error

    with pytest.raises(error):
        fail()
    assert names(tmp_path) == ["file.txt"] * there
    assert not there or path.read_text() == "old"


def test_nothing_written_is_an_error(tmp_path):
    path = tmp_path / "file.txt"
    path.write_text("old")
    with pytest.raises(FileNotFoundError), replacing(path):
        pass
    assert path.read_text() == "old"


def test_what_cannot_be_replaced_stays_and_nothing_else(tmp_path):
    (tmp_path / "file.txt" / "inside").mkdir(parents=True)
    with pytest.raises(IsADirectoryError):
        write_text(tmp_path / "file.txt", "new")
    assert names(tmp_path) == ["file.txt"]


KILLED = """
import os, signal, sys
from pathlib import Path
from jina_vdr.atomic import replacing
with replacing(Path(sys.argv[1])) as temporary:
    temporary.write_text("half")
    os.kill(os.getpid(), signal.SIGKILL)
"""


def test_after_kill_9_the_old_file_is_there_and_the_next_write_works(tmp_path):
    path = tmp_path / "file.txt"
    path.write_text("old")
    assert subprocess.run([sys.executable, "-c", KILLED, str(path)]).returncode == -9
    assert path.read_text() == "old"
    write_text(path, "new")
    assert path.read_text() == "new"


def test_what_a_killed_run_left_goes_after_a_day(tmp_path):
    fresh, old, other = (tmp_path / name for name in (".a.0badcafe.tmp", ".b.0badcafe.tmp", "c.tmp"))
    for path in (fresh, old, other):
        path.write_text("half")
    folder = tmp_path / ".d.0badcafe.tmp"
    folder.mkdir()
    for path in (old, other, folder):
        os.utime(path, (0, 0))
    write_text(tmp_path / "file.txt", "new")
    assert names(tmp_path) == [fresh.name, folder.name, other.name, "file.txt"]


def test_of_writers_side_by_side_a_reader_never_sees_half_a_file(tmp_path):
    path = tmp_path / "file.bin"
    whole = {bytes([i]) * 100_000 for i in range(4)}
    write_bytes(path, bytes(100_000))
    with ThreadPoolExecutor(4) as pool:
        writers = [pool.submit(write_bytes, path, data) for _ in range(15) for data in whole]
        while not all(writer.done() for writer in writers):
            assert path.read_bytes() in whole
    assert [writer.exception() for writer in writers] == [None] * 60
    assert names(tmp_path) == ["file.bin"]


def small_files():
    """Let no file of this process grow beyond 8 KB: writing more fails as on a disk that is full."""
    resource.setrlimit(resource.RLIMIT_FSIZE, (8192, 8192))


def test_a_write_that_fails_midway_names_the_file_and_leaves_nothing(tmp_path):
    path = tmp_path / "file.txt"
    path.write_text("old")
    code = f"""
from pathlib import Path
from jina_vdr.atomic import write_bytes
try:
    write_bytes(Path({str(path)!r}), bytes(100_000))
except OSError as error:
    print(error.errno, error.filename)
"""
    command = [sys.executable, "-c", code]
    done = subprocess.run(command, preexec_fn=small_files, capture_output=True, text=True, check=True)
    assert done.stdout.split() == [str(errno.EFBIG), str(path)]
    assert path.read_text() == "old"
    assert names(tmp_path) == ["file.txt"]


@cache
def namespace():
    """Return how a mount namespace of one's own is made here; skip where none can be."""
    for flags in ("-m", "-rm") if shutil.which("unshare") else ():
        done = subprocess.run(["unshare", flags, "mount", "-t", "tmpfs", "none", "/mnt"], capture_output=True)
        if done.returncode == 0:
            return ["unshare", flags]
    pytest.skip("no mount namespace can be made here")


ON_A_MOUNT = """
mount -t tmpfs -o "$1" none "$2"
disk=$2 code=0
shift 2
"$@" || code=$?
cp -a "$disk" "$disk.kept"
exit $code
"""


def arguments(root, results="results", cache="cache"):
    said = ["--task", root / "replica.yaml", "--results", root / results, "--cache", root / cache]
    return ["eval", "--model", "fake", *map(str, said)]


def run(arguments, before=(), **settings):
    """Run the command line in a process of its own."""
    command = [*before, sys.executable, "-m", "jina_vdr", *arguments]
    done = subprocess.run(command, capture_output=True, text=True, **settings)
    return done.returncode, done.stdout, done.stderr


def evaluate_on_a_mount(root, options, **folders):
    """Evaluate with a file system of memory on the folder `disk`; what lay there is then in `disk.kept`."""
    text_task(root)
    (root / "disk").mkdir()
    script = ["sh", "-euc", ON_A_MOUNT, "sh", options, root / "disk"]
    return run(arguments(root, **folders), [*namespace(), *script])


def one_line(code, stdout, stderr):
    """Return the one line that says what went wrong, below the plan."""
    said = stderr.splitlines()
    assert [line.split()[0] for line in said] == ["model", "task", "error[JV502]"], stderr
    assert (code, stdout) == (5, "")
    return said[-1]


def check_files(root):
    """Assert that each file below a folder can be read."""
    for path in filter(Path.is_file, root.rglob("*")):
        readers = {".json": read_result, ".parquet": pq.read_table, ".safetensors": load_file}
        readers[path.suffix](path)


@pytest.mark.parametrize(("size", "finished"), [(4, []), (16, []), (36, ["de"])])
def test_eval_on_a_full_disk_keeps_what_it_finished_and_goes_on_from_there(tmp_path, size, finished):
    line = one_line(*evaluate_on_a_mount(tmp_path, f"size={size}k", results="disk"))
    assert f"{tmp_path}/disk/fake/" in line
    assert "No space left on device" in line
    check_files(tmp_path / "disk.kept")
    fresh = evaluated(tmp_path).result.scores
    (tmp_path / "results").rename(tmp_path / "other")
    (tmp_path / "disk.kept").rename(tmp_path / "results")
    kept = prepared(tmp_path)[2].result.scores
    assert [scores.subset for scores in kept] == finished
    resumed = evaluated(tmp_path).result.scores
    assert resumed[: len(kept)] == kept
    assert [scores.per_query for scores in resumed] == [scores.per_query for scores in fresh]


def test_eval_with_a_full_cache_says_so(tmp_path):
    line = one_line(*evaluate_on_a_mount(tmp_path, "size=16k", cache="disk"))
    assert f"{tmp_path}/disk/store/" in line
    assert "No space left on device" in line
    check_files(tmp_path / "disk.kept")
    assert not (tmp_path / "results").exists()


@pytest.mark.parametrize("place", ["results", "cache"])
def test_eval_into_a_folder_that_is_read_only_says_so(tmp_path, place):
    line = one_line(*evaluate_on_a_mount(tmp_path, "ro", **{place: "disk/inside"}))
    assert f"{tmp_path}/disk/inside" in line
    assert "Read-only file system" in line


def test_eval_into_a_folder_without_permission_says_so(tmp_path):
    text_task(tmp_path)
    (tmp_path / "results").mkdir(mode=0o555)
    bound = ["setpriv", "--bounding-set=-dac_override"] if os.geteuid() == 0 else []
    line = one_line(*run(arguments(tmp_path), bound))
    assert f"{tmp_path}/results/fake" in line
    assert "Permission denied" in line


def test_eval_that_may_not_write_large_files_says_so(tmp_path):
    text_task(tmp_path)
    line = one_line(*run(arguments(tmp_path), preexec_fn=small_files))
    assert f"{tmp_path}/cache/store/" in line
    assert "File too large" in line
    assert not list(tmp_path.rglob("*.tmp"))


@pytest.mark.parametrize("place", ["model", "task", "store"])
def test_eval_with_a_file_where_a_folder_should_be_says_so(tmp_path, capsys, place):
    text_task(tmp_path)
    path = prepared(tmp_path)[2].path
    folders = {"model": path.parent.parent, "task": path.with_suffix(""), "store": tmp_path / "cache/store"}
    write_text(folders[place], "mine")
    code = main(arguments(tmp_path))
    assert str(folders[place]) in one_line(code, *capsys.readouterr())
    assert folders[place].read_text() == "mine"


def test_eval_with_a_folder_where_its_file_should_be_says_so(tmp_path, capsys):
    text_task(tmp_path)
    path = prepared(tmp_path)[2].path
    path.mkdir(parents=True)
    code = main(arguments(tmp_path))
    assert f"{path}: Is a directory" in one_line(code, *capsys.readouterr())
    assert list(path.iterdir()) == []


def test_results_that_are_a_file_are_refused_before_anything_is_computed(tmp_path, capsys):
    text_task(tmp_path)
    write_text(tmp_path / "results", "mine")
    assert main(arguments(tmp_path)) == 2
    assert "is a file" in capsys.readouterr().err
    assert not (tmp_path / "cache").exists()
