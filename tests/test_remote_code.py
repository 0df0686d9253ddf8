"""Checkpoints with code of their own: never run unless trusted, pinned, and what they give is what counts."""

import json
import shutil

import numpy as np
import pytest
import torch
from PIL import Image

from jina_vdr.cli import main
from jina_vdr.encoders.base import gather
from jina_vdr.encoders.remote_code import RemoteCode
from jina_vdr.errors import DataError, UsageError
from jina_vdr.model import Options, parse_model
from jina_vdr.records import Page
from tests.hub_server import run_several
from tests.remote_checkpoint import image_rows, mark, remote_model, say, text_rows, unit

TEXTS = ["Wie hoch?", "a", "", "https://example.com/page.png"]


@pytest.fixture(scope="module", autouse=True)
def modules(tmp_path_factory):
    """Keep transformers' copies of the code out of the user's cache."""
    from transformers import dynamic_module_utils

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(dynamic_module_utils, "HF_MODULES_CACHE", str(tmp_path_factory.mktemp("modules")))
        yield


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return remote_model(tmp_path_factory.mktemp("models") / "tiny")


def encoder(folder, trust_remote_code=True, **options):
    given = {"device": "cpu", "trust_remote_code": trust_remote_code, **options}
    return RemoteCode(parse_model(f"remote:{folder}", Options(**given)))


def picture(i):
    image = Image.new("RGB", (10 + i, 8), (40 * i, 90, 9))
    image.putpixel((0, 0), (200, 30 * i, 60))
    return image


def page(i, image=True):
    return Page(str(i), str(i), (lambda: picture(i)) if image else None, lambda: TEXTS[i])


def items(embeddings):
    return np.split(embeddings.values, embeddings.offsets[1:-1])


def close(found, wanted, tolerance=1e-6):
    np.testing.assert_allclose(np.asarray(found, np.float64), np.asarray(wanted), rtol=0, atol=tolerance)


def test_single_vectors_are_those_of_the_code_with_the_words_for_each_side(folder):
    ours = encoder(folder, batch_size=3)
    queries, pages = (
        gather(ours.encode_queries(TEXTS)),
        gather(ours.encode_documents([page(i) for i in range(5)])),
    )
    close(queries.values, [unit(text_rows(folder, "Query: " + text).mean(0)) for text in TEXTS])
    close(pages.values, [unit(image_rows(folder, picture(i)).mean(0)) for i in range(5)])
    texts = gather(ours.encode_documents([page(i, image=i == 1) for i in range(4)])).values
    close(texts[[0, 2, 3]], [unit(text_rows(folder, f"Passage: {TEXTS[i]}").mean(0)) for i in (0, 2, 3)])
    close(texts[1], unit(image_rows(folder, picture(1)).mean(0)))
    assert ours._model.calls == [(4, 3), (5, 3), (1, 3), (3, 3)]
    assert queries.values.dtype == np.float32


def test_multi_vectors_are_ragged_rows_of_the_code(folder):
    ours = encoder(folder, vector_type="multi")
    for found, text in zip(items(gather(ours.encode_queries(TEXTS))), TEXTS, strict=True):
        close(found, unit(text_rows(folder, "Query: " + text)), 5e-4)
    found = items(gather(ours.encode_documents([page(i) for i in range(3)])))
    assert [len(rows) for rows in found] == [2, 3, 2]
    for i, rows in enumerate(found):
        close(rows, unit(image_rows(folder, picture(i))), 5e-4)
    assert (ours.info.vector_type, ours.info.similarity) == ("multi", "maxsim")


def test_options_go_to_the_methods_that_know_them(folder):
    ours = encoder(folder, truncate_dim=4, max_pixels=7, adapter="text-matching")
    close(
        gather(ours.encode_queries(TEXTS)).values,
        [unit(text_rows(folder, "Query: " + t).mean(0)[:4]) for t in TEXTS],
    )
    close(
        gather(ours.encode_documents([page(2)])).values, [unit(image_rows(folder, picture(2), 7).mean(0)[:4])]
    )
    text = {"task": "text-matching", "prompt_name": "query", "truncate_dim": 4, "return_multivector": False}
    image = {"truncate_dim": 4, "max_pixels": 7, "return_multivector": False}
    said = {"query": text, "document": {**text, "prompt_name": "passage"}, "image": image}
    assert ours.info.settings["arguments"] == said


@pytest.mark.parametrize(
    ("tasks", "query", "document"),
    [
        (["retrieval", "code"], "retrieval", "retrieval"),
        (["retrieval.query", "retrieval.passage"], "retrieval.query", "retrieval.passage"),
        (["retrieval.query"], "retrieval.query", None),
        (["classification"], None, None),
    ],
)
def test_the_task_for_retrieval_is_taken_where_the_checkpoint_names_one(
    folder, tmp_path, tasks, query, document
):
    copy = shutil.copytree(folder, tmp_path / "copy")
    say(copy, tasks, **json.loads((folder / "config.json").read_text())["auto_map"])
    arguments = encoder(copy).info.settings["arguments"]
    assert (arguments["query"].get("task"), arguments["document"].get("task")) == (query, document)


@pytest.mark.parametrize("kind", ["Array", "Padded"])
def test_code_that_takes_no_batch_size_and_gives_arrays_is_called_batch_by_batch(tmp_path, kind):
    folder = remote_model(tmp_path / "model", kind)
    multi = kind == "Padded"
    ours = encoder(folder, batch_size=3, vector_type="multi" if multi else "single")
    found = items(gather(ours.encode_queries(["eins", "zwei und drei", "a", "ende"])))
    for rows, text in zip(found, ["eins", "zwei und drei", "a", "ende"], strict=True):
        wanted = text_rows(folder, text)
        close(rows, unit(wanted) if multi else [wanted.mean(0)], 5e-4)
    assert multi or ours._model.calls == [(3, None), (1, None)]
    assert ours.document_input == "text"


def test_without_trust_no_line_of_the_code_is_run(tmp_path, complains):
    folder = remote_model(tmp_path / "model")
    arguments = ["eval", "--model", f"remote:{folder}", "--benchmark", "demo", "--language", "deu"]
    complains(
        arguments,
        "JV143",
        "configuration_tiny.py, modeling_tiny.py of model at sha256:",
        "--trust-remote-code",
    )
    assert not mark(folder).exists()
    encoder(folder)
    assert mark(folder).exists()


@pytest.mark.parametrize(
    ("kind", "options", "said"),
    [
        ("Both", {"adapter": "retreival"}, "has no adapter 'retreival'; did you mean 'retrieval'?"),
        ("Array", {"truncate_dim": 4}, "encode_text of model does not take --truncate-dim"),
        ("Array", {"adapter": "retrieval"}, "encode_text of model does not take --adapter"),
        ("Both", {"similarity": "maxsim"}, "single-vector embeddings cannot be scored by maxsim"),
    ],
)
def test_an_option_that_the_code_does_not_know_is_refused(tmp_path, kind, options, said):
    with pytest.raises(UsageError, match=r"JV10[89]") as refused:
        encoder(remote_model(tmp_path / "model", kind), **options)
    assert said in str(refused.value)


def test_a_folder_without_such_code_is_one_line(tmp_path, folder):
    plain = shutil.copytree(folder, tmp_path / "plain")
    say(plain)
    with pytest.raises(DataError, match=r"JV441.*no auto_map"):
        encoder(plain)
    with pytest.raises(DataError, match=r"JV441.*Base of .* has no method encode_text"):
        encoder(remote_model(tmp_path / "base", "Base"))
    needy = remote_model(tmp_path / "needy")
    (needy / "modeling_tiny.py").write_text(
        "import no_such_package\n" + (needy / "modeling_tiny.py").read_text()
    )
    with pytest.raises(UsageError, match=r"JV102.*needy needs.*no_such_package"):
        encoder(needy)


def test_what_the_code_gives_in_another_shape_is_one_line(tmp_path):
    with pytest.raises(DataError, match="gave 0 vectors for 4 items"):
        gather(encoder(remote_model(tmp_path / "model", "Needy")).encode_queries(TEXTS))
    with pytest.raises(DataError, match="which is no multi-vector"):
        gather(
            encoder(remote_model(tmp_path / "array", "Array"), vector_type="multi").encode_queries(["a", "b"])
        )


def test_the_settings_change_with_code_dtype_and_arguments_and_name_what_it_imports(folder, tmp_path):
    first = encoder(folder).info
    assert first.settings["code"] == {
        "checkpoint": "tiny",
        "revision": first.revision,
        "class": "modeling_tiny.Both",
    }
    assert first.settings["versions"].keys() == {"torch", "transformers", "pillow"}
    other = shutil.copytree(folder, tmp_path / "other")
    code = (other / "modeling_tiny.py").read_text()
    (other / "modeling_tiny.py").write_text("import safetensors\n" + code)
    half = encoder(other, dtype="bfloat16")
    second = half.info
    assert half._model.dtype == torch.bfloat16
    assert second.revision != first.revision
    assert (second.settings["dtype"], first.settings["dtype"]) == ("bfloat16", "float32")
    assert "safetensors" in second.settings["versions"]


def test_the_demo_benchmark_runs(folder, tmp_path):
    folders = ["--results", str(tmp_path / "results"), "--cache", str(tmp_path / "cache")]
    demo = ["--benchmark", "demo", "--language", "deu", "--limit", "3", "--trust-remote-code"]
    assert main(["eval", "--model", f"remote:{folder}", *demo, *folders]) == 0
    results = [json.loads(path.read_text()) for path in (tmp_path / "results").glob("*/*/*.json")]
    assert {result["task"]["type"] for result in results} == {"VisualDocumentRetrieval", "VisualSTS"}
    assert {result["model"]["family"] for result in results} == {"remote"}


def test_code_and_weights_of_the_hub_are_those_of_one_commit(folder, tmp_path, hub):
    """The code lies in a repository of its own. Both have moved on; what was asked for is run."""
    code = hub.add("models/org/code", folder)
    weights = shutil.copytree(folder, tmp_path / "weights")
    for path in weights.glob("*.py"):
        path.unlink()
    names = {"AutoConfig": "configuration_tiny.TinyConfig", "AutoModel": "modeling_tiny.Both"}
    say(weights, **{key: f"org/code--{name}" for key, name in names.items()})
    commit = hub.add("models/org/model", weights)
    hub.push("models/org/model", remote_model(tmp_path / "later", "Base"), "v1")
    call = ["eval", "--model", f"remote:org/model@{commit}", "--benchmark", "demo", "--language", "deu"]
    call += ["--limit", "3"]
    done = run_several(tmp_path / "home", hub.url, [call, [*call, "--trust-remote-code"]])
    assert done.stdout.splitlines()[-1] == "codes [2, 0]", done.stderr
    assert f"configuration_tiny.py, modeling_tiny.py of org/code at {code}" in done.stderr
    results = [json.loads(path.read_text()) for path in (tmp_path / "home/results").glob("*/*/*.json")]
    home = {"checkpoint": "org/code", "revision": code, "class": "org/code--modeling_tiny.Both"}
    assert {result["model"]["revision"] for result in results} == {commit}
    assert all(result["model"]["settings"]["code"] == home for result in results)
    assert not any("/resolve/main/" in request for request in hub.requests)
