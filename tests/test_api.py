"""Models behind HTTP: the vectors that the server gives, how pages are sent, what is billed and recorded."""

import base64
import io
import re

import numpy as np
import pytest
from PIL import Image

from jina_vdr.encoders.api.batch import Item, Limits
from jina_vdr.encoders.api.picture import Fit
from jina_vdr.errors import UsageError
from jina_vdr.modelfile import ModelFile
from tests.api_encoders import (
    CLASSES,
    FAMILIES,
    TEXTS,
    encoder,
    items,
    page,
    pages,
    picture,
    same,
    wanted,
)
from tests.api_server import KEY
from tests.api_vectors import image_content, single, text_content


@pytest.mark.parametrize("name", FAMILIES)
def test_each_family_gives_the_vectors_of_its_server_exactly_for_all_items(api, name):
    options, model = FAMILIES[name]
    ours = encoder(api, name.partition(" ")[0], model, **options)
    queries, documents = wanted(name, TEXTS, pages())
    same(items(ours.encode_queries(TEXTS)), queries)
    same(items(ours.encode_documents(pages())), documents)
    assert set(api.paid.values()) == {1}


@pytest.mark.parametrize("provider", ["vllm", "jina", "cohere", "voyage"])
def test_a_page_without_an_image_is_sent_as_its_text_and_a_blank_one_as_a_full_stop(api, provider):
    mixed = [page(0, image=picture(0)), page(1, "nur Text"), page(2, " \n"), page(3, image=picture(3))]
    found = items(encoder(api, provider).encode_documents(mixed))
    role = {"vllm": "chat", "jina": "retrieval.passage", "cohere": "search_document", "voyage": "document"}[
        provider
    ]
    contents = [
        image_content(picture(0)),
        text_content("nur Text"),
        text_content("."),
        image_content(picture(3)),
    ]
    same(found, [single(content, role) for content in contents])


def test_requests_hold_as_many_items_as_the_provider_takes():
    def batches(limits, given):
        return [[item.position for item in batch] for batch in limits.batches(given)]

    texts = [Item(i, str(i), "x" * size) for i, size in enumerate([30, 30, 1, 70, 10, 60, 60])]
    assert batches(Limits(tokens=60), texts) == [[0, 1], [2], [3], [4], [5], [6]]
    assert batches(Limits(bytes=100), texts) == [[0, 1, 2], [3, 4], [5], [6]]
    photos = [Item(i, str(i), picture=Fit().picture(Image.new("RGB", (56, 10 * i)))) for i in (1, 20, 40, 10)]
    assert batches(Limits(tokens=61, pixels_a_token=10 * 56), photos) == [[1, 20, 40], [10]]


def test_the_batch_size_is_the_users_up_to_the_providers_limit(api):
    list(encoder(api, "cohere", batch_size=500).encode_queries([f"Text {i}" for i in range(200)]))
    assert sorted(len(body["texts"]) for _, body in api.requests) == [8, 96, 96]


def decoded(url):
    head, _, data = url.partition(",")
    return head, Image.open(io.BytesIO(base64.b64decode(data))).convert("RGB")


def loss(image, other):
    """Return the mean squared difference, after scaling back."""
    back = other.resize(image.size, Image.Resampling.LANCZOS)
    return float(np.mean((np.asarray(image, np.float64) - np.asarray(back, np.float64)) ** 2))


def test_an_image_is_sent_without_loss_and_as_the_jpeg_that_loses_least_only_where_it_must():
    image = Image.merge("RGB", [Image.effect_noise((400, 300), sigma) for sigma in (20, 30, 40)])
    losses, kinds, limit = [], [], None
    for _ in range(5):
        fitted = Fit(bytes=limit).picture(image).url
        head, seen = decoded(fitted)
        assert limit is None or len(fitted) <= limit
        losses.append(loss(image, seen))
        kinds.append((head, seen.size == image.size))
        limit = len(fitted) - 1
    names = [("png", True), ("webp", True), ("jpeg", True), ("jpeg", False), ("jpeg", False)]
    assert kinds == [(f"data:image/{kind};base64", whole) for kind, whole in names]
    assert losses[:2] == [0, 0]
    assert 0 < losses[2] < losses[3] < losses[4]
    halved = loss(image, image.resize((200, 150), Image.Resampling.LANCZOS))
    assert losses[2] < halved / 10


def test_an_image_that_is_too_long_for_webp_becomes_a_jpeg():
    image = Image.effect_noise((17_000, 3), 60).convert("RGB")
    whole = len(Fit().picture(image).url)
    assert Fit(bytes=whole - 1).picture(image).url.startswith("data:image/jpeg;")


@pytest.mark.parametrize("provider", ["vllm", "jina", "cohere", "voyage"])
def test_max_pixels_scales_pages_down_before_they_are_sent(api, provider):
    ours = encoder(api, provider, max_pixels=200)
    list(ours.encode_documents(pages(2)))
    text = str([body for _, body in api.requests])
    assert ours.info.settings["max_pixels"] == 200
    sizes = [
        Image.open(io.BytesIO(base64.b64decode(part))).size for part in re.findall(r"iVBOR[\w+/=]+", text)
    ]
    assert sorted(sizes) == [(11, 17), (11, 17)]


def test_the_pixels_that_voyage_takes_are_the_most_that_are_sent(api):
    given = {wanted: encoder(api, "voyage", max_pixels=wanted) for wanted in (None, 99, 99_000_000)}
    sent = {wanted: ours.info.settings["max_pixels"] for wanted, ours in given.items()}
    assert sent == {None: 16_000_000, 99: 99, 99_000_000: 16_000_000}


@pytest.mark.parametrize("provider", CLASSES)
def test_tokens_requests_and_images_are_counted_as_the_answers_bill_them(api, provider):
    ours = encoder(api, provider)
    api.faults = {2: "NaN", 4: "500"}
    assert list(ours.encode_queries(TEXTS)) + list(ours.encode_documents(pages()))
    queries, documents = (5, 4) if provider != "vllm" else (10, 7)
    images = 0 if provider == "openai" else 7
    again = 1 if provider == "vllm" else 2
    tokens = 3 * (10 + again) + (100 * 7 if images else 3 * 7)
    runtime = ours.info.runtime
    assert (runtime["requests"], runtime["images"]) == (queries + documents + 1, images)
    assert runtime["tokens"] == tokens
    assert "cost" not in runtime


def test_a_known_price_gives_the_cost(api):
    price = {"per_million_tokens": 20.0, "per_image": 0.5, "source": "a page", "as_of": "2026-07"}
    known = ModelFile(
        name="jina-embeddings-v4", family="jina", vector_types=["single"], open_weights=False, price=price
    )
    ours = encoder(api, "jina", known=known)
    list(ours.encode_documents(pages()))
    assert ours.info.runtime["cost"] == pytest.approx(700 * 20 / 1e6 + 7 * 0.5)
    assert ours.info.runtime["currency"] == "USD"


SEEN = [("truncate_dim", 8), ("max_pixels", 99), ("document_input", "text"), ("document_input", "ocr")]
CHANGES = {
    "openai": [("truncate_dim", 8), ("query_prompt", "q: "), ("document_prompt", "d: ")],
    "vllm": [*SEEN, ("vector_type", "multi"), ("query_prompt", "q: "), ("document_prompt", "d: ")],
    "jina": [*SEEN, ("vector_type", "multi"), ("adapter", "text-matching")],
    "cohere": SEEN,
    "voyage": SEEN,
}


@pytest.mark.parametrize("provider", CLASSES)
def test_what_changes_a_number_changes_the_identity_and_nothing_else_does(api, provider):
    def identity(**options):
        info = encoder(api, provider, **options).info
        return (info.name, info.family, info.vector_type, info.similarity, repr(info.settings))

    first = identity()
    changed = [identity(**{name: value}) for name, value in CHANGES[provider]]
    assert len({first, *changed}) == 1 + len(changed)
    assert identity(concurrency=3, batch_size=7, base_url="http://elsewhere/v1") == first
    assert KEY not in repr(first)


@pytest.mark.parametrize(
    ("provider", "options"),
    [
        ("jina", {"vector_type": "multi", "truncate_dim": 8}),
        ("vllm", {"vector_type": "multi", "similarity": "cosine"}),
        ("openai", {"similarity": "maxsim"}),
        ("jina", {"adapter": "poetry"}),
    ],
)
def test_what_a_model_cannot_give_is_refused_before_anything_is_sent(api, provider, options):
    with pytest.raises(UsageError) as refused:
        encoder(api, provider, **options)
    assert refused.value.code == "JV109"
    assert api.requests == []
