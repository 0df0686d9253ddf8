"""Keys and addresses of models behind HTTP: from the environment, checked at once, and never repeated."""

import time

import pytest

from jina_vdr.encoders.api.endpoint import Endpoint
from jina_vdr.encoders.api.openai import OpenAI
from jina_vdr.encoders.api.vllm import VLLM
from jina_vdr.errors import DataError, UsageError
from jina_vdr.model import ModelSpec, Options
from tests.api_encoders import (
    CLASSES,
    MODELS,
    TEXTS,
    encoder,
    items,
)
from tests.api_server import KEY, VARIABLES


@pytest.mark.parametrize("provider", VARIABLES)
def test_a_key_that_is_not_taken_is_an_error_that_does_not_repeat_it(api, provider, monkeypatch):
    wrong = KEY[::-1]
    monkeypatch.setenv(VARIABLES[provider], wrong)
    with pytest.raises(DataError, match="refuses: 401") as refused:
        list(encoder(api, provider).encode_queries(TEXTS))
    said = str(refused.value)
    assert not any(wrong[i : i + 8] in said for i in range(len(wrong) - 7))
    assert "mend the key" in said


@pytest.mark.parametrize("part", [KEY, KEY[:10] + "...", "..." + KEY[-9:] + "."])
def test_a_part_of_a_key_is_hidden_too(part):
    said = Endpoint("http://host/v1/embeddings", KEY).scrubbed(
        f"Incorrect key {part} at embeddings, see the docs"
    )
    assert said == "Incorrect key *** at embeddings, see the docs"


@pytest.mark.parametrize("provider", VARIABLES)
def test_a_missing_key_is_named_before_anything_is_sent(api, provider, monkeypatch):
    monkeypatch.delenv(VARIABLES[provider])
    with pytest.raises(UsageError, match=f"{VARIABLES[provider]} is not set") as refused:
        CLASSES[provider](ModelSpec(provider, MODELS[provider]))
    assert refused.value.code == "JV145"


@pytest.mark.parametrize("key", ["two words", "Schlüssel", "line\nbreak", "tab\there"])
def test_what_cannot_be_a_key_is_refused_without_repeating_it(api, monkeypatch, key):
    monkeypatch.setenv("JINA_API_KEY", key)
    with pytest.raises(UsageError, match="JINA_API_KEY does not hold a key") as refused:
        encoder(api, "jina")
    assert key not in str(refused.value)
    monkeypatch.setenv("JINA_API_KEY", f" {KEY}\n")
    assert len(items(encoder(api, "jina").encode_queries(TEXTS))) == 10


def test_coheres_second_variable_is_read_too(api, monkeypatch):
    monkeypatch.delenv("CO_API_KEY")
    monkeypatch.setenv("COHERE_API_KEY", KEY)
    assert len(items(encoder(api, "cohere").encode_queries(TEXTS))) == 10


@pytest.mark.parametrize(
    "url",
    [
        "http://me:secret1@host/v1",
        "http://secret1@host",
        "https://host/v1?key=secret1",
        "ftp://secret1",
        "secret1",
    ],
)
def test_an_address_that_may_hold_a_secret_is_refused_without_repeating_it(api, url):
    with pytest.raises(UsageError) as refused:
        encoder(api, "openai", base_url=url)
    assert refused.value.code == "JV146"
    assert "secret1" not in str(refused.value)


@pytest.mark.parametrize(
    ("provider", "bases"),
    {
        "openai": ["/openai/v1", "/openai/v1/"],
        "vllm": ["/vllm", "/vllm/v1", "/vllm/v1/"],
        "jina": ["/jina", "/jina/v1"],
        "cohere": ["/cohere/", "/cohere/v2"],
        "voyage": ["/voyage", "/voyage/v1"],
    }.items(),
)
def test_a_server_may_be_given_with_or_without_the_version_of_its_api(api, provider, bases):
    for base in bases:
        ours = encoder(api, provider, base_url=api.url + base)
        assert len(items(ours.encode_queries(TEXTS[:1]))) == 1
        assert ours.info.runtime["host"] == api.url.removeprefix("http://")


def test_a_bare_address_of_an_openai_server_gets_the_version():
    ours = OpenAI(ModelSpec("openai", "m", options=Options(base_url="http://localhost:1")))
    assert ours._endpoint.url == "http://localhost:1/v1/embeddings"


def test_where_nobody_answers_is_said_at_once():
    begun = time.monotonic()
    with pytest.raises(DataError, match=r"127.0.0.1:9 cannot be reached") as refused:
        list(
            VLLM(ModelSpec("vllm", "m", options=Options(base_url="http://127.0.0.1:9"))).encode_queries(TEXTS)
        )
    assert refused.value.code == "JV451"
    assert time.monotonic() - begun < 1


def test_requests_go_through_the_proxy_that_the_environment_names(api, monkeypatch):
    monkeypatch.setenv("HTTP_PROXY", api.url)
    ours = encoder(api, "vllm", base_url="http://nowhere.invalid/vllm")
    assert len(items(ours.encode_queries(TEXTS))) == 10
    assert api.requests[0][0] == "http://nowhere.invalid/vllm/v1/embeddings"


def test_a_proxy_that_cannot_be_used_is_an_error_that_does_not_repeat_it(api, monkeypatch):
    monkeypatch.setenv("ALL_PROXY", "gopher://me:secret1@nowhere.invalid")
    with pytest.raises(DataError, match="proxy") as refused:
        list(encoder(api, "vllm").encode_queries(TEXTS))
    assert "secret1" not in str(refused.value)
