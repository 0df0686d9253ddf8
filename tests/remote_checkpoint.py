"""A checkpoint with code of its own, in the way of Jina's models: `encode_text` and `encode_image`."""

import json
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from safetensors.numpy import load_file, save_file

LETTERS, WIDTH = 97, 12

CONFIGURATION = """
from transformers import PretrainedConfig


class TinyConfig(PretrainedConfig):
    model_type = "tiny_remote"
"""

MODELING = """
from pathlib import Path

import torch
from torch import nn
from torch.nn.functional import normalize
from transformers import PreTrainedModel

from .configuration_tiny import TinyConfig

Path("MARK").touch()
PREFIXES = {"query": "Query: ", "passage": "Passage: "}


class Base(PreTrainedModel):
    config_class = TinyConfig

    def __init__(self, config):
        super().__init__(config)
        self.letters = nn.Embedding(LETTERS, WIDTH)
        self.colours = nn.Linear(3, WIDTH)
        self.calls = []
        self.post_init()

    def rows(self, text):
        return self.letters(torch.tensor([ord(letter) % LETTERS for letter in text]))

    def vectors(self, rows, cut, multi):
        return normalize(rows, dim=-1) if multi else normalize(rows.mean(0)[:cut], dim=-1)


class Both(Base):
    def encode_text(self, texts, task=None, batch_size=8, prompt_name="query", truncate_dim=None,
                    return_multivector=False, show_progress_bar=True, **more):
        assert not show_progress_bar and not more and task in TASKS
        self.calls.append((len(texts), batch_size))
        found = [self.rows(PREFIXES[prompt_name] + text) for text in texts]
        return [self.vectors(rows, truncate_dim, return_multivector) for rows in found]

    def encode_image(self, images, batch_size=8, truncate_dim=None, return_multivector=False,
                     max_pixels=None):
        self.calls.append((len(images), batch_size))
        found = [self.corners(image) + (max_pixels or 0) for image in images]
        return [self.vectors(rows, truncate_dim, return_multivector) for rows in found]

    def corners(self, image):
        places = [(0, 0), (image.width - 1, 0), (0, image.height - 1)][: 2 + image.width % 2]
        return self.colours(torch.tensor([image.getpixel(place) for place in places]) / 255)


class Array(Base):
    def encode_text(self, texts):
        self.calls.append((len(texts), None))
        return torch.stack([self.rows(text).mean(0) for text in texts]).squeeze(0).numpy()


class Padded(Base):
    def encode_text(self, texts):
        found = [normalize(self.rows(text), dim=-1) for text in texts]
        return nn.utils.rnn.pad_sequence(found, batch_first=True)


class Needy(Base):
    def encode_text(self, texts):
        return []
"""


def remote_model(
    folder: Path, kind: str = "Both", tasks: tuple[str, ...] = ("retrieval", "text-matching")
) -> Path:
    """Write weights, config and code, which is told of its tasks; running it leaves a mark."""
    folder.mkdir(parents=True)
    random = np.random.default_rng(0)
    shapes = {"letters.weight": (LETTERS, WIDTH), "colours.weight": (WIDTH, 3), "colours.bias": (WIDTH,)}
    weights = {name: random.standard_normal(shape, np.float32) for name, shape in shapes.items()}
    save_file(weights, folder / "model.safetensors", {"format": "pt"})
    words = {"LETTERS": LETTERS, "WIDTH": WIDTH, "MARK": mark(folder), "TASKS": [*tasks, None]}
    code = MODELING
    for word, value in words.items():
        code = code.replace(word, str(value))
    (folder / "modeling_tiny.py").write_text(code)
    (folder / "configuration_tiny.py").write_text(CONFIGURATION)
    say(folder, AutoConfig="configuration_tiny.TinyConfig", AutoModel=f"modeling_tiny.{kind}")
    return folder


def say(folder: Path, tasks: tuple[str, ...] = ("retrieval", "text-matching"), **auto_map: str) -> None:
    """Write a config."""
    config = {"model_type": "tiny_remote", "dtype": "float32", "auto_map": auto_map}
    (folder / "config.json").write_text(json.dumps({**config, "text_config": {"task_names": tasks}}))


def mark(folder: Path) -> Path:
    """Return the file that is there once the code of a checkpoint has run."""
    return folder.parent / f"{folder.name}-ran"


def text_rows(folder: Path, text: str) -> NDArray[np.float32]:
    """Return what the code makes of a text, computed without it."""
    return load_file(folder / "model.safetensors")["letters.weight"][
        [ord(letter) % LETTERS for letter in text]
    ]


def image_rows(folder: Path, image: Image.Image, more: int = 0) -> NDArray[np.float32]:
    """Return what the code makes of an image, computed without it."""
    weights = load_file(folder / "model.safetensors")
    corners = [(0, 0), (image.width - 1, 0), (0, image.height - 1)][: 2 + image.width % 2]
    colours = np.array([image.getpixel(corner) for corner in corners], np.float32) / 255
    return colours @ weights["colours.weight"].T + weights["colours.bias"] + more


def unit(rows: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return vectors of length 1."""
    return rows / np.linalg.norm(rows, axis=-1, keepdims=True)
