"""Encoders of plain transformers checkpoints, what they are given, and what they give before it is kept."""

import numpy as np
import torch
from PIL import Image

from jina_vdr.encoders.transformers_models import transformers_model
from jina_vdr.model import Options, parse_model
from jina_vdr.records import Page

TEXTS = ["Wie hoch?", "a", "", "Frage 1 von 12, mit vielen Wörtern darin", "1.234,5 kg"]


def encoder(folder, **options):
    options = {"device": "cpu", "image_backend": "pil"} | options
    return transformers_model(parse_model(f"hf:{folder}", Options(**options)))


def picture(seed):
    """Return a coarse pattern; each seed has another size."""
    coarse = np.random.default_rng(seed).integers(0, 256, (4 + seed % 3, 5 + seed % 2, 3), np.uint8)
    return Image.fromarray(coarse).resize((100 + 40 * seed, 260 - 40 * seed), Image.Resampling.NEAREST)


PICTURES = [picture(seed) for seed in range(5)]
PAGES = [Page(str(i), str(i), lambda image=image: image, lambda: None) for i, image in enumerate(PICTURES)]


def items(embeddings):
    return np.split(embeddings.values, embeddings.offsets[1:-1])


def close(found, wanted, tolerance):
    assert np.shape(found) == np.shape(wanted)
    np.testing.assert_allclose(np.asarray(found, np.float64), np.asarray(wanted), rtol=0, atol=tolerance)


def kept(vectors):
    """Return someone else's multi-vectors as ours are kept."""
    return [np.asarray(vector).astype(np.float16) for vector in vectors]


def images(ours, pictures):
    """Return what the network gives for one batch, before it is rounded."""
    with torch.inference_mode():
        return ours._forward_images(ours._prepare_images(pictures))


def texts(ours, asked, *, is_query=True):
    with torch.inference_mode():
        return ours._forward_texts(ours._prepare_texts(asked, is_query=is_query), is_query=is_query)
