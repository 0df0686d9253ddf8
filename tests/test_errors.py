"""What a user sees when something is wrong: one line with a code, the exit code, and nothing written."""

import ast
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from jina_vdr import errors
from jina_vdr.cli import main
from jina_vdr.errors import DataError, InvalidFile, OutOfMemory, UsageError, VDRError
from tests.replicas import documents

ROOT = Path(__file__).parent.parent
EXIT_CODES = {"1": 2, "3": 3, "4": 4, "5": 5}
"""The first digit of a code -> its exit code."""

RAISED = {
    "UsageError": UsageError,
    "InvalidFile": InvalidFile,
    "DataError": DataError,
    "OutOfMemory": OutOfMemory,
    "refuse": DataError,
    "Problem": InvalidFile,
    "_invalid": InvalidFile,
    "__init__": UsageError,
}
"""What makes an error in the source -> the class of what it makes."""


def source_codes():
    """Yield each code in the source with the name of what is called with it, None for one in a text."""
    for path in [*(ROOT / "jina_vdr").rglob("*.py"), *(ROOT / "synth").rglob("*.py")]:
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Call) and node.args and isinstance(node.args[0], ast.Constant):
                name = getattr(node.func, "id", getattr(node.func, "attr", None))
                if re.fullmatch("JV[0-9]{3}", str(node.args[0].value)):
                    yield node.args[0].value, name
            elif isinstance(node, ast.Constant) and isinstance(node.value, str):
                yield from ((code, None) for code in re.findall(r"error\[(JV[0-9]{3})\]", node.value))


def documented():
    """Return the codes of docs/errors.md: code -> exit code of the section."""
    found, exit_code = {}, ""
    for line in (ROOT / "docs/errors.md").read_text().splitlines():
        if heading := re.match(r"## JV[0-9]: .*\(exit code ([0-9])\)$", line):
            exit_code = heading[1]
        if row := re.match(r"\| (JV[0-9]{3}) \| \S.* \| \S.* \|$", line):
            assert row[1] not in found
            found[row[1]] = int(exit_code)
    return found


def test_docs_and_source_have_the_same_codes():
    assert sorted(documented()) == sorted({code for code, _ in source_codes()})


def test_each_code_has_the_exit_code_that_its_first_digit_says():
    assert documented() == {code: EXIT_CODES[code[2]] for code in documented()}
    for code, name in source_codes():
        assert name is None or RAISED[name].exit_code == EXIT_CODES[code[2]], (code, name)


def test_the_tree_of_errors_is_that_of_the_classes():
    above, told = {}, {}
    for line in errors.__doc__.splitlines():
        if row := re.match(r"([│├└─ ]*)([A-Z]\w+) +([0-9])  \w", line):
            depth = len(row[1]) // 4
            above[depth] = getattr(errors, row[2])
            told[row[2]] = (above.get(depth - 1, Exception) if depth else Exception, int(row[3]))
    classes = [kind for kind in vars(errors).values() if getattr(kind, "__module__", "") == errors.__name__]
    classes = [kind for kind in classes if isinstance(kind, type)]
    assert told == {kind.__name__: (kind.__base__, kind.exit_code) for kind in classes}


def test_a_message_is_one_line_that_cannot_act_on_the_terminal():
    error = VDRError("JV999", "page 'a\nb\x1b[2J\u202e\ud800'", "a\r\n\tb")
    assert str(error) == r"error[JV999] page 'a\nb\x1b[2J\u202e\ud800'; a\r\n\tb"
    assert errors.one_line("Käse  یہ‌ہے　日本 🧀") == "Käse  یہ‌ہے　日本 🧀"


@pytest.mark.parametrize(
    ("arguments", "code", "names"),
    [
        ("evl", "JV100", ["'evl'", "'eval'", "see jina-vdr --help"]),
        ("eval", "JV100", ["'--model'", "see jina-vdr eval --help"]),
        ("eval --model bm25 --tsak x", "JV100", ["--tsak", "--task"]),
        ("eval --model fake --task DemoPages --limit 0", "JV100", ["'--limit'", "0"]),
        ("eval --model fake --task DemoPages --vector-type mutli", "JV100", ["'mutli'", "'single', 'multi'"]),
        ("results export", "JV100", ["'--to'", "trec, csv, json, parquet", "see jina-vdr results export"]),
        ("eval --model fake --task DemoPage", "JV101", ["'DemoPage'", "'DemoPages'"]),
        ("eval --model fake --task demo\n\x1b[2J.yaml", "JV101", [r"demo\n\x1b[2J.yaml"]),
        ("eval --model fake --benchmark dmeo", "JV101", ["'dmeo'", "'demo'"]),
        (
            "eval --model fake --task my.benchmark.yaml",
            "JV101",
            ["a benchmark", "--benchmark my.benchmark.yaml"],
        ),
        ("eval --model fake --task DEMOPAGE", "JV101", ["did you mean 'DemoPages'?"]),
        ("eval --model fake --benchmark my.yaml", "JV101", ["my.yaml", "must end in .benchmark.yaml"]),
        (
            "eval --model fake --task DemoPages --language xx",
            "JV103",
            ["'xx'", "de, deu, deu-Latn or German"],
        ),
        ("eval --model fake --task DemoPages --language Germn", "JV103", ["'Germn'", "'german'"]),
        ("eval --model fake --task DemoPages --language swe", "JV106", ["no task passes"]),
        ("eval --model bm52 --task DemoPages", "JV107", ["'bm52'", "'bm25'"]),
        ("eval --model org/name --task DemoPages", "JV401", ["org/name"]),
        ("eval --model st:@main --task DemoPages", "JV107", ["'@main'", "NAME@REVISION"]),
        ("eval --model st:org/name@ --task DemoPages", "JV107", ["'org/name@'"]),
        ("eval --model bm25 --task DemoPages --device cpu", "JV108", ["bm25", "--device"]),
        ("eval --model fake --task DemoPages --truncate-dim 257", "JV109", ["256", "257"]),
        ("eval --model precomputed:none --task DemoPages", "JV110", ["none"]),
        ("eval --model fake --task DemoPages --domain Manual", "JV112", ["'Manual'", "'Manuals'"]),
        ("results show none", "JV117", ["none", "jina-vdr eval"]),
        ("tasks validate --data", "JV128", ["--data", "--offline"]),
    ],
)
def test_a_wrong_command(complains, arguments, code, names):
    complains(arguments.split(" "), code, *names)


@pytest.mark.parametrize(
    ("name", "value", "said"),
    [("LIMIT", "viele", "'--limit'"), ("VECTOR_TYPE", "x", "'x'"), ("FORCE", "vielleicht", "'--force'")],
)
def test_a_wrong_variable(complains, monkeypatch, name, value, said):
    monkeypatch.setenv(f"JINA_VDR_{name}", value)
    complains(["eval", "--model", "fake", "--task", "DemoPages"], "JV100", said)


@pytest.mark.parametrize(
    ("text", "code", "names"),
    [
        ("modle: fake\n", "JV311", ["config.yaml:1:1", "'modle'", "'model'"]),
        ("model: fake\nlimit: 1.5\n", "JV313", ["config.yaml:2:1", "limit", "'1.5'"]),
        ("model: fake\nforce: vielleicht\n", "JV313", ["config.yaml:2:1", "force"]),
        ("model: [fake]\n", "JV313", ["config.yaml:1:1", "model: it takes one word"]),
        ("model: fake\nlanguage: [deu, {a: b}]\n", "JV313", ["language", "a list of words"]),
        ("model: [\n", "JV301", ["config.yaml:2:1", "not YAML"]),
        ("model: fake\nmodel: bm25\n", "JV302", ["config.yaml:2:1", "'model'"]),
    ],
)
def test_a_wrong_config(complains, text, code, names):
    Path("config.yaml").write_text(text)
    complains(["eval", "--task", "DemoPages", "--config", "config.yaml"], code, *names)


def test_an_empty_or_missing_config(complains):
    Path("config.yaml").write_text("model:\n")
    complains(["eval", "--task", "DemoPages", "--config", "config.yaml"], "JV100", "'--model'")
    complains(["eval", "--config", "none.yaml"], "JV100", "none.yaml")


@pytest.mark.parametrize(
    ("text", "code", "names"),
    [
        ("name: T\nname: U\n", "JV302", [":2:1:", "'name'"]),
        ("notes: !!python/object/apply:os.system [touch pwned]\n", "JV303", [":1:8:", "os.system"]),
        ("include: task.yaml\n", "JV305", ["task.yaml -> task.yaml"]),
        ("include: ../out.yaml\n", "JV306", ["'../out.yaml'", "leads out"]),
        ("name: T\ndataset: {path: ./data, fromat: qa}\neval_langs: [deu-Latn]\n", "JV311", ["'format'"]),
        ("name: T\ndataset: {path: /etc}\neval_langs: [deu-Latn]\n", "JV313", ["'/etc' leads out"]),
    ],
)
def test_a_wrong_task_file(complains, text, code, names):
    Path("task.yaml").write_text(text)
    complains(["eval", "--model", "fake", "--task", "task.yaml"], code, "task.yaml", *names)


@pytest.mark.parametrize("program", [None, "#!/bin/sh\n"])
def test_no_tesseract(complains, monkeypatch, program):
    if program:
        Path("tesseract").write_text(program)
        Path("tesseract").chmod(0o755)
    monkeypatch.setenv("PATH", str(Path.cwd()))
    complains(["eval", "--model", "tesseract", "--task", documents(Path.cwd())], "JV104", "apt install")


def test_a_place_where_nothing_can_be_written(complains):
    Path("file").write_text("mine")
    complains(
        ["tasks", "new", "X", "--out", "file/x.yaml"], "JV502", "file: File exists; choose another place"
    )


@pytest.mark.parametrize("queries", [None, ""])
def test_what_fails_does_not_stop_the_others_and_gives_exit_code_1(tmp_path, capsys, queries):
    good = documents(tmp_path / "a")
    bad = documents(tmp_path / "b", {"queries.csv": queries}, name="Bad")
    places = ["--results", str(tmp_path / "results"), "--cache", str(tmp_path / "cache")]
    assert main(["eval", "--model", "fake", "--task", str(bad), "--task", str(good), *places]) == 1
    assert "1 done, 1 failed" in capsys.readouterr().err
    assert [path.name for path in tmp_path.glob("results/*/*/*.json")] == ["Replica.json"]


@pytest.mark.parametrize("where", ["pipe", "/dev/full"])
def test_an_output_that_takes_nothing(where):
    if where == "pipe":
        reader, out = os.pipe()
        os.close(reader)
    else:
        out = os.open(where, os.O_WRONLY)
    command = [sys.executable, "-m", "jina_vdr", "tasks", "schema"]
    done = subprocess.run(command, stdout=out, stderr=subprocess.PIPE, text=True, check=False)
    os.close(out)
    expected = (141, "") if where == "pipe" else (5, "error[JV502] the disk: No space left on device")
    assert (done.returncode, done.stderr.partition(";")[0]) == expected


@pytest.mark.parametrize("group", [[], ["tasks"], ["data"]])
def test_a_group_without_a_command_shows_its_help(capsys, group):
    assert main(group) == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert err.startswith("Usage: jina-vdr")
    assert "\nCommands:\n" in err
