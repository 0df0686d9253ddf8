"""What several test files run."""

import re

import pytest

from jina_vdr.cli import main


@pytest.fixture
def complains(tmp_path, capsys, caplog, monkeypatch):
    """Run a command in an empty folder; assert one line with the code, the exit code, and no other trace."""
    (tmp_path / "in").mkdir()
    monkeypatch.chdir(tmp_path / "in")
    monkeypatch.setenv("HF_HOME", str(tmp_path / "in/hub"))
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")

    def run(arguments, code, *names):
        caplog.clear()
        before = sorted(tmp_path.rglob("*"))
        arguments = [str(argument) for argument in arguments]
        if arguments[0] == "eval":
            arguments += ["--results", "../results", "--cache", "../cache"]
        assert main(arguments) == (2 if code.startswith("JV1") else int(code[2]))
        out, err = capsys.readouterr()
        lines = [*caplog.messages, *err.splitlines()]
        (line,) = (line for line in lines if not re.match(r"model  |task   |0 done, 1 failed", line))
        assert f"error[{code}] " in line
        for name in names:
            assert name in line
        assert out == ""
        assert sorted(tmp_path.rglob("*")) == before

    return run
