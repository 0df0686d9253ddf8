"""Models behind HTTP when something goes wrong: what passes costs no vector, what does not is one error."""

import threading
import time

import pytest

from jina_vdr.encoders.api.pause import Patience, Pause
from jina_vdr.errors import DataError
from jina_vdr.records import Page
from tests.api_encoders import (
    CLASSES,
    MODELS,
    TEXTS,
    encoder,
    items,
    pages,
    same,
    until_error,
    wanted,
)

PASSING = ["shuffled", "429", "429 0.05", "500", "503 0.05", "html", "cut", "early", "drop"]


@pytest.mark.parametrize("fault", PASSING)
def test_what_passes_costs_one_more_request_and_no_vector(api, fault):
    api.faults = {2: fault, 4: fault}
    same(items(encoder(api, "openai").encode_queries(TEXTS)), wanted("openai", TEXTS, [])[0])
    assert len(api.requests) == (5 if fault == "shuffled" else 7)


@pytest.mark.parametrize("provider", CLASSES)
def test_all_of_it_may_happen_in_one_run(api, provider):
    api.faults = {2 * number: fault for number, fault in enumerate(PASSING, 1)}
    texts = [f"Frage {i}" for i in range(24)]
    same(items(encoder(api, provider).encode_queries(texts)), wanted(provider, texts, [])[0])
    assert len(api.requests) == len(PASSING) - 1 + (24 if provider == "vllm" else 12)


def test_a_date_to_wait_for_is_kept(api):
    api.faults = {1: "429 date 2"}
    same(items(encoder(api, "openai", concurrency=1).encode_queries(TEXTS)), wanted("openai", TEXTS, [])[0])
    assert 0.9 < api.times[1] - api.times[0] < 2.1


def test_a_server_that_does_not_answer_in_time_is_asked_again(api):
    api.faults = {1: "hang 0.5"}
    patience = Patience(tries=2, first=0.001, answer=0.1)
    same(
        items(encoder(api, "openai", patience=patience).encode_queries(TEXTS)), wanted("openai", TEXTS, [])[0]
    )


@pytest.mark.parametrize("fault", ["500", "429", "503 0", "cut", "early", "drop"])
def test_what_does_not_pass_is_one_error_after_the_last_try(api, fault):
    api.always = fault
    with pytest.raises(DataError, match="does not answer after 4 tries") as refused:
        list(encoder(api, "jina", concurrency=1).encode_queries(TEXTS))
    assert refused.value.code == "JV451"
    assert "0 of 10 items were answered and are kept" in refused.value.hint
    assert len(api.requests) == 4


def test_a_rate_limit_that_lets_some_through_is_waited_out_however_often_it_strikes(api):
    api.faults = {number: "429" for number in range(100) if number % 3}
    patience = Patience(tries=3, first=0.01, longest=0.02)
    same(
        items(encoder(api, "openai", batch_size=1, patience=patience).encode_queries(TEXTS)),
        wanted("openai", TEXTS, [])[0],
    )
    assert len(api.requests) == 30


def test_requests_that_meet_one_limit_together_count_as_one_pause():
    pause, stop = Pause(Patience(first=0.01)), threading.Event()
    sent = pause.keep(stop)
    assert [pause.begin(0, sent, "host") for _ in range(3)] == [1, 1, 1]
    pause.keep(stop)
    assert pause.begin(0, sent, "host") == 1
    assert pause.begin(0, pause.keep(stop), "host") == 2
    pause.answered()
    assert pause.begin(0, pause.keep(stop), "host") == 1


def test_one_request_that_is_told_to_wait_makes_all_wait(api):
    api.faults, api.meet = {2: "429 0.4"}, threading.Barrier(4)
    api.delay = 0.1
    ours = encoder(api, "openai", batch_size=1, concurrency=4)
    same(items(ours.encode_queries(TEXTS[:7])), wanted("openai", TEXTS[:7], [])[0])
    begun = sorted(api.times)
    assert len(begun) == 8
    assert begun[4] - begun[3] >= 0.4


def test_a_wait_that_is_too_long_ends_the_run_and_says_how_long(api):
    api.always = "429 86400"
    with pytest.raises(DataError, match="asks to wait 86400 s") as refused:
        list(encoder(api, "cohere").encode_queries(TEXTS))
    assert refused.value.code == "JV453"


@pytest.mark.parametrize("provider", CLASSES)
def test_a_used_up_quota_ends_the_run_at_once_and_what_was_paid_for_is_kept(api, provider):
    api.faults = {3: "quota"}
    ours = encoder(api, provider, batch_size=1, concurrency=1)
    kept, error = until_error(ours.encode_queries(TEXTS))
    assert (kept, error.code, len(api.requests)) == ([0, 1], "JV453", 3)
    assert "is used up" in error.message
    assert "2 of 10 items were answered and are kept; add to it" in error.hint


def test_after_a_used_up_quota_no_request_starts_and_those_under_way_are_kept(api):
    api.faults, api.meet, api.delay = {2: "quota"}, threading.Barrier(4), 0.2
    ours = encoder(api, "openai", batch_size=1, concurrency=4)
    kept, error = until_error(ours.encode_queries(TEXTS))
    assert (len(kept), error.code, len(api.requests)) == (3, "JV453", 4)
    assert "3 of 10" in error.hint


BAD = {
    "dims": "has 15 dimensions, not 16",
    "short": "has 15 dimensions, not 16",
    "NaN": "holds NaN or infinity",
    "null": "holds NaN or infinity",
    "inf": "holds NaN or infinity",
    "zero": "is zero",
    "missing": "it answers 1 vectors for 2 items",
    "twice": "it answers the items 0, 0",
}


@pytest.mark.parametrize("fault", BAD)
def test_an_answer_that_cannot_be_right_is_asked_for_once_more_and_then_is_an_error(api, fault):
    ours = encoder(api, "jina", concurrency=1)
    api.faults = {2: fault}
    assert len(items(ours.encode_documents(pages(10)))) == 10
    assert len(api.requests) == 6
    api.faults = {8: fault, 9: fault}
    kept, error = until_error(ours.encode_documents(pages(10)))
    assert (kept, error.code, len(api.requests)) == ([0, 1], "JV454", 9)
    assert error.message.startswith("jina-embeddings-v4: ")
    assert BAD[fault] in error.message
    named = {"missing": "'p2'", "dims": "'p2'", "twice": ""}
    assert named.get(fault, "'p3'") in error.message


@pytest.mark.parametrize("provider", CLASSES)
def test_the_answers_of_each_provider_are_checked(api, provider):
    api.always = "NaN"
    kept, error = until_error(encoder(api, provider, concurrency=1, batch_size=1).encode_queries(TEXTS))
    assert (kept, error.code, len(api.requests)) == ([], "JV454", 2)
    assert f"{MODELS[provider]}: the vector of '{TEXTS[0]}' holds NaN" in error.message


def test_a_server_that_ignores_the_dimensions_asked_for_is_found_out(api):
    api.always = "dims"
    with pytest.raises(DataError, match="has 7 dimensions, not 8"):
        list(encoder(api, "jina", truncate_dim=8).encode_queries(TEXTS))


def test_multi_vectors_are_checked_row_by_row(api):
    ours = encoder(api, "jina", vector_type="multi")
    for fault, said in {"NaN": "holds NaN", "zero": "is zero", "dims": "has 7 dimensions, not 8"}.items():
        list(ours.encode_queries(TEXTS[:1]))
        api.always = fault
        with pytest.raises(DataError, match=said):
            list(ours.encode_queries(TEXTS[:2]))
        api.always = ""


@pytest.mark.parametrize("provider", CLASSES)
def test_a_request_that_is_refused_is_one_error_with_the_providers_own_words(api, provider):
    ours = encoder(api, provider, concurrency=1)
    for number, status in enumerate((400, 404, 413, 422), 1):
        api.always = str(status)
        kept, error = until_error(ours.encode_queries(TEXTS))
        assert (kept, error.code, len(api.requests)) == ([], "JV452", number)
        assert f"refuses: {status} it went wrong with" in error.message


def test_as_many_requests_as_asked_for_are_under_way_at_once_and_no_more(api):
    api.meet = threading.Barrier(5)
    assert len(items(encoder(api, "openai", batch_size=1, concurrency=5).encode_queries(TEXTS))) == 10
    assert api.most_under_way == 5
    api.meet, api.most_under_way = None, 0
    assert len(items(encoder(api, "openai", batch_size=1, concurrency=1).encode_queries(TEXTS))) == 10
    assert api.most_under_way == 1


def test_no_request_starts_before_the_answers_that_are_there_were_taken(api):
    parts = encoder(api, "openai", batch_size=1, concurrency=3).encode_queries(TEXTS)
    next(parts)
    time.sleep(0.2)
    assert len(api.requests) == 3
    next(parts)
    time.sleep(0.2)
    assert len(api.requests) == 4
    parts.close()


def test_an_answer_comes_out_before_slower_ones(api):
    api.faults = {1: "slow 1"}
    parts = encoder(api, "vllm", batch_size=1, concurrency=2).encode_queries(TEXTS)
    assert next(parts).positions != next(parts).positions
    assert len(api.requests) == 3


def test_a_page_that_cannot_be_read_ends_the_run_and_what_was_answered_is_kept(api):
    def broken():
        raise DataError("JV411", "page 'p4' is not a readable image", "replace it")

    shown = [*pages(4), Page("p4", "4", broken, lambda: None)]
    kept, error = until_error(encoder(api, "jina", concurrency=1).encode_documents(shown))
    assert (kept, error.code) == ([0, 1, 2, 3], "JV411")
