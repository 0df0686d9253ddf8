"""The vectors that the embedding APIs of the tests give: each follows from a text or pixels, and a role."""

import hashlib
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from PIL import Image

WIDTH, TOKEN_WIDTH = 16, 8
"""Dimensions of a single vector, and of the vector of a token."""


@dataclass(frozen=True)
class Content:
    """A text or the pixels of an image, with what the request asks to do with it (a task, a prompt)."""

    kind: str
    text: str = ""
    pixels: bytes = b""
    size: tuple[int, int] = (0, 0)

    @property
    def seed(self) -> bytes:
        return hashlib.sha256(repr((self.text, self.size)).encode() + self.pixels).digest()

    @property
    def rows(self) -> int:
        """Tokens: words, or one for each 100 pixels."""
        return max(1, len(self.text.split()) + self.size[0] * self.size[1] // 100)


def text_content(text: str) -> Content:
    return Content("text", text)


def image_content(image: Image.Image, text: str = "") -> Content:
    return Content("image", text, image.convert("RGB").tobytes(), image.size)


def single(content: Content, role: str, width: int = WIDTH) -> NDArray[np.float32]:
    """Return the vector of a content; `role` is what a provider is told of its side."""
    return _unit(_random(content, role, 1)[0, :width])


def multi(content: Content, role: str) -> NDArray[np.float32]:
    """Return one vector a token."""
    return _unit(_random(content, role, content.rows)[:, :TOKEN_WIDTH])


def _random(content: Content, role: str, rows: int) -> NDArray[np.float64]:
    seed = hashlib.sha256(content.seed + role.encode()).digest()
    return np.random.default_rng(list(seed)).normal(size=(rows, WIDTH))


def _unit(values: NDArray[np.float64]) -> NDArray[np.float32]:
    return (values / np.linalg.norm(values, axis=-1, keepdims=True)).astype(np.float32)
