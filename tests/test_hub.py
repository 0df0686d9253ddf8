"""Data sets on the Hub: the numbers of the same files on disk, fetched once, and errors in one line."""

import json
import os
import socket
import threading
import time
from functools import partial

import pytest

from jina_vdr.errors import DataError, InvalidFile
from jina_vdr.hub import DOWNLOADS, Hub, downloads
from jina_vdr.task import load_task
from tests.hub_server import TOKEN, run
from tests.replicas import beir, card, images, parquet, png, qa, task_file

LANGUAGES = {"de": ["deu-Latn"], "fr": ["fra-Latn"], "it": ["ita-Latn"]}
SHARD = "test-00000-of-00001.parquet"
PARTS = ("corpus", "qrels", "queries")
LAYOUTS = {
    "beir": [f"it/{part}/{SHARD}" for part in PARTS],
    "mteb": ["README.md", *(f"it/{part}/{SHARD}" for part in PARTS)],
    "qa": ["README.md", f"it/{SHARD}"],
    "pairs": ["README.md", f"it/{SHARD}"],
}
"""Layout -> the files that its Italian subset needs."""


def write(root, layout):
    """Write a data set in three languages."""
    for language in LANGUAGES:
        texts = [f"Frage {i} {language}" for i in range(6)]
        cells = images([png(i) for i in range(6)])
        if layout == "beir":
            beir(root / language, corpus={"text": texts})
        elif layout == "mteb":
            ids = {"query-id": None, "query": None, "id": [0, 1, 2], "text": texts[:3]}
            beir(
                root / language, corpus={"corpus-id": None, "id": list(range(6)), "text": texts}, queries=ids
            )
        elif layout == "qa":
            rows = [(f"Frage {i}" if i < 4 else None, f"{i % 3}.png", png(i % 3)) for i in range(6)]
            qa(root / language / SHARD, rows, text_description=texts)
        else:
            columns = {"sentence1": cells, "sentence2": cells[::-1], "text1": texts, "text2": texts[::-1]}
            parquet(root / language / SHARD, {**columns, "score": [0.0, 3.0, 1.0, 5.0, 2.0, 4.0]})
    if layout == "mteb":
        card(root, {f"{lang}-{part}": f"{lang}/{part}/*.parquet" for lang in LANGUAGES for part in PARTS})
    elif layout != "beir":
        card(root, {language: f"{language}/*.parquet" for language in LANGUAGES})


def task(folder, name, repo, revision, layout="beir"):
    folder.mkdir(parents=True, exist_ok=True)
    kind = {"type": "VisualSTS"} if layout == "pairs" else {}
    dataset = {"path": repo, "format": layout} | ({"revision": revision} if revision else {})
    path = task_file(folder, dataset, name=name, eval_langs=LANGUAGES, **kind)
    return path.rename(folder / f"{name}.yaml")


def evaluate(home, endpoint, tasks, *more, **environment):
    named = [word for path in tasks for word in ("--task", path)]
    return run(
        home, endpoint, "eval", "--model", "fake", *named, "--cache", home / "cache", *more, **environment
    )


def scores(results):
    """Return what was measured: task -> subset -> metrics and counts."""
    found = {}
    for path in results.glob("*/*/*.json"):
        said = json.loads(path.read_text())
        found[said["task"]["name"]] = [
            (s["subset"], s["metrics"], s["n_queries"], s["n_documents"], s["dropped"])
            for s in said["scores"]
        ]
    return found


def complaints(done):
    """Return the error lines; nothing of Python's may stand beside them."""
    assert "Traceback" not in done.stderr
    return [line for line in done.stderr.splitlines() if line.startswith("error[")]


@pytest.fixture(scope="module")
def online(tmp_path_factory, hub):
    """Evaluate each layout in Italian, from disk and from private repositories on the Hub."""
    root = tmp_path_factory.mktemp("online")
    tasks = []
    for layout in LAYOUTS:
        write(root / layout / "data", layout)
        commit = hub.add(f"datasets/org/{layout}", root / layout / "data", "private")
        tasks.append(task(root / layout, f"{layout}-disk", "./data", None, layout))
        tasks.append(task(root / layout, f"{layout}-hub", f"org/{layout}", commit, layout))
    again = partial(evaluate, root / "home", hub.url, tasks, HF_TOKEN=TOKEN)
    hub.requests.clear()
    done = again("--language", "ita", "--results", root / "results")
    assert done.returncode == 0, done.stderr
    return root, again, done, (hub.fetched, list(hub.requests))


@pytest.mark.parametrize("layout", LAYOUTS)
def test_data_on_the_hub_gives_the_numbers_of_the_same_files_on_disk(online, layout):
    found = scores(online[0] / "results")
    assert found[f"{layout}-hub"] == found[f"{layout}-disk"]
    assert [subset for subset, *_ in found[f"{layout}-hub"]] == ["it"]


def test_only_the_files_of_one_language_are_fetched_once_and_at_the_pinned_commit(online):
    fetched, requests = online[3]
    assert fetched == sorted(f"org/{layout}/{name}" for layout, names in LAYOUTS.items() for name in names)
    assert not [request for request in requests if "/main" in request]


@pytest.mark.parametrize("flag", [(), ("--offline",)], ids=["online", "offline"])
def test_what_was_fetched_is_read_again_without_a_request(online, hub, flag):
    root, again, *_ = online
    yesterday = time.time() - 2 * 86_400
    for path in (root / "home/hf").glob(".*.json"):  # what the client itself asks for once a day
        os.utime(path, (yesterday, yesterday))
    hub.requests.clear()
    done = again("--language", "ita", "--results", root / "again", "--force", *flag)
    assert done.returncode == 0, done.stderr
    assert scores(root / "again") == scores(root / "results")
    assert hub.requests == []


def test_offline_what_was_not_fetched_is_one_line_a_task(online, hub):
    root, again, *_ = online
    hub.requests.clear()
    done = again("--results", root / "offline", "--language", "deu", "--offline")
    assert [line.split(";")[0] for line in complaints(done)] == [
        f"error[JV401] task {layout}-hub: org/{layout} is not in the cache and cannot be fetched"
        for layout in LAYOUTS
    ]
    assert done.returncode == 1
    assert set(scores(root / "offline")) == {f"{layout}-disk" for layout in LAYOUTS}
    assert hub.requests == []


def test_offline_with_an_empty_cache_is_one_line_and_leaves_nothing(tmp_path, hub):
    path = task(tmp_path, "beir", "org/beir", "0" * 40)
    hub.requests.clear()
    done = evaluate(tmp_path / "home", hub.url, [path], "--offline", "--results", tmp_path / "results")
    assert complaints(done) == [
        "error[JV401] org/beir is not in the cache and cannot be fetched; go online once to fetch it"
    ]
    assert done.returncode == 4
    assert done.stdout.strip() == ""
    assert hub.requests == []
    assert not (tmp_path / "results").exists()
    assert not list((tmp_path / "home").rglob("*"))


@pytest.mark.parametrize("listed", ['{"a.parq', '["a.parquet"]'], ids=["damaged", "without sizes"])
def test_a_damaged_list_of_files_is_as_good_as_none_and_so_is_one_without_sizes(tmp_path, listed):
    hub = Hub(tmp_path, offline=True)
    listing = tmp_path / "hub" / f"org__name@{'0' * 40}.json"
    listing.parent.mkdir()
    listing.write_text(listed)
    with pytest.raises(DataError, match="is not in the cache"):
        hub.files("org/name", "0" * 40)


def test_an_offline_hub_asks_nobody_whatever_the_client_is_set_to(tmp_path):
    offline = Hub(tmp_path / "cache", offline=True)
    for ask in (offline.files, partial(offline.fetch, names=["test.parquet"])):
        with pytest.raises(DataError, match="is not in the cache"):
            ask("org/of-these-tests-alone", "0" * 40)


def test_where_nobody_listens_the_run_ends_with_one_line(tmp_path):
    path = task(tmp_path, "beir", "org/beir", "0" * 40)
    with socket.socket() as bound:
        bound.bind(("127.0.0.1", 0))
        endpoint = f"http://127.0.0.1:{bound.getsockname()[1]}"
        done = evaluate(tmp_path / "home", endpoint, [path], "--results", tmp_path / "results")
    (line,) = complaints(done)
    assert line.startswith("error[JV401] org/beir: the Hub cannot be reached (")
    assert line.endswith("; check the connection; what is in the cache works with --offline")
    assert done.returncode == 4
    assert not (tmp_path / "results").exists()


def test_a_server_that_hangs_up_is_not_tried_again_and_again(tmp_path):
    calls = []

    def hang_up():
        while True:
            calls.append(listening.accept()[0].close())

    paths = [task(tmp_path, name, f"org/{name}", "0" * 40) for name in ("one", "two")]
    with socket.create_server(("127.0.0.1", 0)) as listening:
        threading.Thread(target=hang_up, daemon=True).start()
        endpoint = f"http://127.0.0.1:{listening.getsockname()[1]}"
        done = evaluate(tmp_path / "home", endpoint, paths, "--results", tmp_path / "results")
    assert [line[:12] for line in complaints(done)] == ["error[JV401]"] * 2
    assert len(calls) == 2


@pytest.fixture(scope="module")
def refused(tmp_path_factory, hub):
    """Ask for what the Hub does not give: without a token, then with one, then with a wrong one."""
    root = tmp_path_factory.mktemp("refused")
    for name in ("open", "cut", "storage", "gated", "private"):
        write(root / name / "data", "beir")
        access = name if name in {"gated", "private"} else "open"
        hub.add(f"datasets/org/{name}", root / name / "data", access)
    wanted = {name: (f"org/{name}", hub.repos[f"datasets/org/{name}"].commit) for name in ("cut", "storage")}
    wanted |= {"missing": ("org/nothing", "0" * 40), "revision": ("org/open", "0" * 40)}
    wanted |= {n: (f"org/{n}", hub.repos[f"datasets/org/{n}"].commit) for n in ("gated", "private")}
    wanted["odd"] = ("org/a--b", "0" * 40)
    tasks = [task(root / "tasks", name, *place) for name, place in wanted.items()]
    again = partial(
        evaluate, root / "home", hub.url, tasks, "--language", "it", "--results", root / "results"
    )
    hub.faults |= {"org/cut": "cut", "org/storage": "storage"}
    without = again()
    hub.faults.clear()
    return root, list(wanted), without, again(HF_TOKEN=TOKEN), again("--force", HF_TOKEN="hf_WrongAndSecret")


@pytest.mark.parametrize(
    ("name", "code", "says"),
    [
        ("missing", "JV402", "there is no data set org/nothing on the Hub; mend the name"),
        ("private", "JV402", "set HF_TOKEN if it is private"),
        ("revision", "JV402", f"org/open has no revision {'0' * 40}; write the 40-hex commit"),
        ("gated", "JV403", "org/gated is gated; accept its terms on its page and set HF_TOKEN"),
        ("odd", "JV402", "'org/a--b' cannot be the name of a data set; write org/name"),
        ("cut", "JV401", "org/cut: a file did not arrive"),
        ("storage", "JV401", "org/storage: a file did not arrive"),
    ],
)
def test_what_the_hub_does_not_give_is_one_line_with_its_code_and_hint(refused, name, code, says):
    _, names, without, *_ = refused
    lines = dict(zip(names, complaints(without), strict=True))
    assert lines[name].startswith(f"error[{code}] ")
    assert says in lines[name]
    assert without.returncode == 4


def test_with_a_token_private_data_is_read_and_gated_data_is_still_gated(refused):
    root, _, _, with_token, _ = refused
    assert with_token.returncode == 1
    assert [line[:12] for line in complaints(with_token)] == ["error[JV402]"] * 2 + [
        "error[JV403]",
        "error[JV402]",
    ]
    assert "private" in scores(root / "results")


def test_a_file_that_did_not_arrive_is_fetched_by_the_next_run(refused):
    assert {"cut", "storage"} <= set(scores(refused[0] / "results"))


def test_a_token_that_the_hub_refuses_is_said_to_be_the_cause(refused):
    lines = complaints(refused[4])
    assert (
        "error[JV403] task missing: org/nothing: the Hub refuses access; set HF_TOKEN to a token that may"
        in lines[0]
    )


def test_no_token_is_printed_or_written_anywhere(online, refused):
    written = [path.read_bytes() for r in (online[0], refused[0]) for path in r.rglob("*") if path.is_file()]
    printed = [(done.stdout + done.stderr).encode() for done in (online[2], *refused[2:])]
    assert len(written) > 100
    for secret in (TOKEN, "hf_WrongAndSecret"):
        assert not [data for data in (*written, *printed) if secret.encode() in data]


@pytest.mark.parametrize("revision", ["main", "v1.0", "0" * 39, "0" * 41, "A" * 40, "refs/pr/1", None])
def test_a_task_file_must_pin_a_commit(tmp_path, revision):
    path = task(tmp_path, "beir", "org/beir", revision)
    with pytest.raises(InvalidFile, match=r"40 hex digits|40-hex commit") as caught:
        load_task(path)
    assert caught.value.exit_code == 3


@pytest.mark.parametrize(
    ("error", "takes", "waited_for"),
    [(DataError("JV401", "no", ""), 0.2, DOWNLOADS), (KeyboardInterrupt(), 30, 0)],
)
def test_an_error_waits_for_what_is_under_way_an_interrupt_does_not_and_nothing_else_begins(
    error, takes, waited_for
):
    begun, ended, under_way, go_on = [], [], threading.Semaphore(0), threading.Event()

    def fetch(number):
        begun.append(number)
        under_way.release()
        go_on.wait(takes)
        ended.append(number)

    def fail():
        with downloads() as pool:
            for number in range(3 * DOWNLOADS):
                pool.submit(fetch, number)
            for _ in range(DOWNLOADS):
                under_way.acquire()
            raise error

    with pytest.raises(type(error)):
        fail()
    assert len(ended) == waited_for
    go_on.set()
    while len(ended) < DOWNLOADS:
        time.sleep(0.01)
    assert sorted(begun) == sorted(ended) == list(range(DOWNLOADS))
