"""Models of colpali_engine: the vectors and scores of its own calls, adapters over a base included.

colpali_engine needs torchvision, which changes what transformers does: `tests/colpali_runs.py` runs both ways
in a process of its own, once for all tests here.
"""

import json
import subprocess
import sys

import numpy as np
import pytest

from tests.hub_server import environment
from tests.needs import needs_vision

COLS = ("ColQwen2", "ColQwen2_5", "ColQwen3", "ColIdefics3", "ColModernVBert", "ColPali")
BIS = ("BiQwen2", "BiQwen3", "BiModernVBert")
HALF = 2.5e-4
"""The rounding of float16 below 1."""


@pytest.fixture(scope="module")
def commits(hub, tmp_path_factory):
    """Serve an adapter, and its base, which has moved on since the commit that the adapter names."""
    models = tmp_path_factory.mktemp("runs") / "models"
    base = hub.add("models/org/base", models / "ColQwen2")
    later = hub.push("models/org/base", models / "BiQwen3", "v1")
    return {"base": base, "later": later, "adapter": hub.add("models/org/adapter", models / "on-hub")}


@pytest.fixture(scope="module")
def runs(hub, commits):
    folder = hub.repos["models/org/adapter"].folder.parent.parent
    settings = environment(folder, hub.url, OMP_NUM_THREADS="1", **needs_vision())
    command = [sys.executable, "-m", "tests.colpali_runs", str(folder), commits["base"]]
    done = subprocess.run(command, env=settings, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stderr[-3000:]
    return folder


@pytest.fixture
def gave(runs):
    """Give what a run gave."""
    return lambda name: np.load(runs / f"{name}.npz")


def same(found, wanted, tolerance=HALF, parts=("queries", "pages", "texts")):
    for part in parts:
        np.testing.assert_allclose(found[part].astype(np.float64), wanted[part], rtol=0, atol=tolerance)


def settings(run):
    return json.loads(str(run["info"]))[2]


@pytest.mark.parametrize("name", COLS)
def test_rows_and_scores_are_those_of_colpali_engine_without_padding(gave, name):
    ours, theirs = gave(f"{name}-ours"), gave(f"{name}-theirs")
    same(ours, theirs)
    assert ours["rows"].tolist() == theirs["rows"].tolist()
    assert ours["queries"].dtype == np.float16
    np.testing.assert_allclose(ours["scores"], theirs["scores"], rtol=0, atol=0.01)
    assert (np.argsort(ours["scores"]) == np.argsort(theirs["scores"])).all()
    assert json.loads(str(ours["info"]))[:2] == ["multi", "maxsim"]


@pytest.mark.parametrize("name", BIS)
def test_single_vectors_are_those_of_colpali_engine(gave, name):
    ours, theirs = gave(f"{name}-ours"), gave(f"{name}-theirs")
    same(ours, theirs, 1e-5)
    np.testing.assert_allclose(ours["scores"], theirs["scores"], rtol=0, atol=1e-5)
    assert json.loads(str(ours["info"]))[:2] == ["single", "dot"]


@pytest.mark.parametrize("name", ["adapter", "by-network", "old-keys", "no-processor"])
def test_an_adapter_changes_its_base_as_colpali_engine_does(gave, name):
    ours, base = gave(f"{name}-ours"), gave("ColQwen2-ours")
    same(ours, gave("adapter-theirs"))
    assert np.abs(ours["queries"] - base["queries"]).max() > 0.05
    said = settings(ours)
    stock = name == "by-network"
    assert (said["class"], said["base"]["name"]) == ("ColQwen2", "stock-ColQwen2" if stock else "ColQwen2")
    assert (said["base"]["revision"] == settings(base)["base"]["revision"]) == (not stock)


@pytest.mark.parametrize("name", ["by-processor", "by-mapping"])
def test_an_adapter_over_a_stock_network_says_itself_of_which_class_it_is(gave, name):
    ours = gave(f"{name}-ours")
    same(ours, gave("by-processor-theirs"), 1e-5)
    assert settings(ours)["class"] == "BiQwen2"


def test_a_prompt_before_queries_replaces_the_processors_own(gave):
    ours, theirs, without = gave("prefix-ours"), gave("prefix-theirs"), gave("ColQwen2-ours")
    same(ours, theirs)
    assert len(ours["queries"]) > len(without["queries"])
    assert settings(ours)["prompts"]["query"] == "Query: "
    assert settings(without)["prompts"]["query"] == ""


def test_a_prompt_that_the_processor_brings_stands_there_once(gave):
    ours = gave("own-prefix-ours")
    same(ours, gave("own-prefix-theirs"))
    assert settings(ours)["prompts"]["query"] == "Frage: "


def test_mteb_s_wrapper_of_the_checkpoint_gives_the_same_without_its_padding(gave):
    through_mteb, ours = gave("prefix-mteb"), gave("prefix-ours")
    same(through_mteb, ours, parts=("queries", "pages"))
    np.testing.assert_allclose(through_mteb["scores"], ours["scores"], rtol=0, atol=0.01)


def test_pages_take_no_more_pixels_than_asked_for(gave):
    ours, whole = gave("few-ours"), gave("ColQwen2-ours")
    same(ours, gave("few-theirs"))
    assert ours["rows"].max() < whole["rows"].max()
    assert [settings(run)["max_pixels"] for run in (ours, whole)] == [6272, 16_384]


def test_what_changes_a_vector_is_in_the_settings(gave):
    plain, pillow, eager = gave("ColQwen2-ours"), gave("pil-ours"), gave("eager-ours")
    assert np.abs(plain["pages"] - pillow["pages"]).max() > HALF
    assert settings(plain) == {**settings(pillow), "image_backend": "torchvision"}
    assert settings(pillow)["image_backend"] == "pil"
    assert settings(eager) == {**settings(plain), "attention": "eager", "dtype": "bfloat16"}
    assert set(settings(plain)["versions"]) >= {"colpali-engine", "peft", "torchvision", "transformers"}


@pytest.mark.parametrize(
    ("name", "code", "words"),
    [
        ("wrong-keys", "JV441", "lacks 16 weights of ColQwen2"),
        ("no-class", "JV441", "names ColNothing"),
        ("other-vectors", "JV109", "ColQwen2 is a ColQwen2: it gives multi-vectors"),
        ("fixed-size", "JV108", "takes no --max-pixels"),
    ],
)
def test_what_does_not_fit_is_one_line(gave, name, code, words):
    error = str(gave(name)["error"])
    assert error.startswith(f"error[{code}]")
    assert words in error
    assert "\n" not in error


def test_without_the_extra_the_command_that_installs_it_is_named(complains, monkeypatch):
    monkeypatch.setitem(sys.modules, "colpali_engine", None)
    arguments = ["eval", "--model", "colpali-engine:org/model", "--benchmark", "demo", "--language", "deu"]
    complains(arguments, "JV102", 'pip install "jina-vdr[colpali]"')


def test_an_adapter_of_the_hub_is_run_with_the_base_it_was_made_for(runs, hub, commits):
    results = [json.loads(path.read_text()) for path in (runs / "results").glob("*/*/*.json")]
    assert {result["task"]["type"] for result in results} == {"VisualDocumentRetrieval", "VisualSTS"}
    assert {result["model"]["revision"] for result in results} == {commits["adapter"]}
    base = {"name": "org/base", "revision": commits["base"]}
    assert all(result["model"]["settings"]["base"] == base for result in results)
    assert not any(commits["later"] in request for request in hub.requests)
