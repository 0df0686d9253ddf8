"""Whole evaluations of models behind HTTP: their scores, their secrets, and a kill in the middle."""

import json
import logging
import os
import signal
import subprocess
import sys
import time

import numpy as np
import pytest
from PIL import Image
from pytrec_eval import RelevanceEvaluator

from jina_vdr.cli import main
from tests.api_encoders import CLASSES, FAMILIES, MODELS, page, wanted
from tests.api_server import KEY
from tests.replicas import beir, task_file

PAGES, QUERIES = 9, 4
TEXTS = [f"Seite {i} von {i * i}" for i in range(PAGES)]
ASKED = [f"Frage {i}" for i in range(QUERIES)]


@pytest.fixture
def task(tmp_path):
    beir(tmp_path / "data/default", PAGES, QUERIES, corpus={"text": TEXTS})
    return task_file(tmp_path, {})


def shown():
    """Return the pages of the task."""
    return [page(i, text, Image.new("RGB", (16, 20), (i, 0, 90))) for i, text in enumerate(TEXTS)]


def command(api, task, provider, model="", **options):
    given = {"base_url": api.base(provider), **options}
    flags = [part for name, value in given.items() for part in (f"--{name.replace('_', '-')}", str(value))]
    places = ["--results", str(task.parent / "results"), "--cache", str(task.parent / "cache")]
    model = f"{provider}:{model or MODELS[provider]}"
    return ["eval", "--model", model, "--task", str(task), *places, *flags]


def result(task):
    (path,) = (task.parent / "results").glob("*/*/*.json")
    return json.loads(path.read_text())


def similarity(query, document, name):
    if name.endswith("multi"):
        query, document = query.astype(np.float16).astype(float), document.astype(np.float16).astype(float)
        return float((query @ document.T).max(axis=1).sum())
    return float(query.astype(float) @ document.astype(float))


@pytest.mark.parametrize("name", [*CLASSES, "vllm multi", "jina multi", "voyage text"])
def test_an_evaluation_gives_what_trec_eval_makes_of_the_servers_vectors(api, task, name):
    options, model = FAMILIES[name]
    provider = name.partition(" ")[0]
    assert main(command(api, task, provider, model, **options)) == 0
    queries, documents = wanted(name, ASKED, shown())
    ranked = {
        str(q): {str(d): similarity(query, document, name) for d, document in enumerate(documents)}
        for q, query in enumerate(queries)
    }
    judged = {str(q): {str(q): 1, str(q + 1): 2} for q in range(QUERIES)}
    values = RelevanceEvaluator(judged, {"ndcg_cut_5"}).evaluate(ranked).values()
    mean, found = np.mean([value["ndcg_cut_5"] for value in values]), result(task)
    assert found["scores"][0]["main_score"] == pytest.approx(mean)
    assert found["model"]["settings"]["endpoint"] == api.requests[0][0].removeprefix(f"/{provider}")
    assert found["provenance"]["runtime"]["requests"] == len(api.requests)
    assert set(api.paid.values()) == {1}


def test_a_second_evaluation_asks_for_nothing(api, task):
    assert main(command(api, task, "jina")) == 0
    asked = len(api.requests)
    assert main([*command(api, task, "jina"), "--force"]) == 0
    assert len(api.requests) == asked


def gives_away(text):
    return any(KEY[i : i + 8] in text for i in range(len(KEY) - 7))


@pytest.mark.parametrize("fault", ["", "400", "401", "NaN", "quota"])
def test_the_key_is_in_no_file_no_log_and_no_output(api, task, fault, caplog, capsys):
    caplog.set_level(logging.DEBUG)
    api.always = fault
    assert main(command(api, task, "jina", concurrency=2)) == (4 if fault else 0)
    said = [*caplog.messages, *capsys.readouterr()]
    assert any("error[" in text for text in said) == bool(fault)
    files = [path for path in task.parent.rglob("*") if path.is_file()]
    said += [path.read_bytes().decode("latin-1") for path in files] + list(map(str, files))
    assert not any(map(gives_away, said))
    assert api.headers[0]["Authorization"] == f"Bearer {KEY}"


def start(api, task, **options):
    """Start an evaluation in a process of its own; the fault "kill" kills it."""
    arguments = command(api, task, "jina", batch_size=1, **options)
    process = subprocess.Popen(
        [sys.executable, "-m", "jina_vdr", *arguments],
        env={**os.environ, "HF_HUB_OFFLINE": "1"},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.default_int_handler),
    )
    api.victim = process.pid
    return process


def test_after_kill_9_no_answered_item_is_paid_for_again(api, task):
    for moment in (1, 4, 8):
        api.faults[len(api.requests) + moment] = "kill"
        process = start(api, task, concurrency=1)
        process.communicate(timeout=60)
        assert process.returncode == -signal.SIGKILL
    assert main(command(api, task, "jina", batch_size=1, concurrency=1)) == 0
    assert set(api.paid.values()) == {1}
    assert len(api.paid) == PAGES + QUERIES
    assert len(api.requests) == PAGES + QUERIES + 3


def test_after_kill_9_only_what_was_under_way_may_be_paid_for_again(api, task):
    api.faults[7], api.delay = "kill", 0.02
    process = start(api, task, concurrency=4)
    process.communicate(timeout=60)
    assert process.returncode == -signal.SIGKILL
    assert 3 <= sum(api.paid.values()) <= 9
    api.faults.clear()
    assert main(command(api, task, "jina", batch_size=1, concurrency=4)) == 0
    assert len(api.paid) == PAGES + QUERIES
    assert sum(api.paid.values()) - len(api.paid) <= 3


def test_an_interrupt_does_not_wait_for_answers_and_keeps_what_was_there(api, task):
    api.faults = dict.fromkeys(range(5, 99), "slow 60")
    process = start(api, task, concurrency=4)
    while len(api.requests) < 8 and process.poll() is None:
        time.sleep(0.01)
    begun = time.monotonic()
    process.send_signal(signal.SIGINT)
    out, err = process.communicate(timeout=30)
    assert (process.returncode, out) == (130, "")
    assert "Traceback" not in err
    assert time.monotonic() - begun < 5
    api.faults.clear()
    assert main(command(api, task, "jina", batch_size=1)) == 0
    assert set(api.paid.values()) == {1}
