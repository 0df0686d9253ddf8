"""What several test files run."""

import re

import pytest

from jina_vdr.cli import main
from tests.api_server import KEY, VARIABLES, api_server
from tests.hub_server import hub_server


@pytest.fixture(scope="module")
def hub():
    """Serve a Hub for the tests of one file."""
    with hub_server() as served:
        yield served


@pytest.fixture
def keys(monkeypatch):
    """Set the keys of all APIs."""
    for variable in VARIABLES.values():
        monkeypatch.setenv(variable, KEY)


@pytest.fixture
def api(keys):
    """Serve embedding APIs, with their key in the environment."""
    with api_server() as served:
        yield served


@pytest.fixture
def passes():
    """Return the networks that ran since, one entry a pass."""
    from torch.nn.modules.module import register_module_forward_hook

    seen = []
    hook = register_module_forward_hook(lambda module, *_: seen.append(module))
    yield seen
    hook.remove()


@pytest.fixture(scope="module")
def mteb(tmp_path_factory):
    """Import MTEB, offline and with caches of its own."""
    home = tmp_path_factory.mktemp("home")
    with pytest.MonkeyPatch.context() as patch:
        for name, value in {"HF_HUB_OFFLINE": 1, "HF_HOME": home, "MTEB_CACHE": home}.items():
            patch.setenv(name, str(value))
        import datasets
        import mteb

        datasets.disable_progress_bars()
        patch.setattr(datasets.config, "HF_DATASETS_CACHE", home / "datasets")
        yield mteb


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
