"""A page as it is sent: PNG, or what loses least where that is too large for the provider."""

import base64
import io
import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from PIL.Image import Image

FORMATS: dict[str, dict[str, object]] = {
    "png": {},
    "webp": {"lossless": True},
    "jpeg": {"quality": 95, "subsampling": 0},
}
"""How a page is written, with what Pillow is told: the first that is small enough is sent."""

WEBP_SIDE = 16_383
"""Pixels that a side of a WebP image has at most."""


@dataclass(frozen=True)
class Picture:
    """An image as a data URL, and how many pixels it has."""

    url: str
    pixels: int

    @property
    def base64(self) -> str:
        """The bytes of the file in base64, without what says that it is an image."""
        return self.url.partition(",")[2]


@dataclass(frozen=True)
class Fit:
    """What an image must fit into: pixels, and bytes of the file in base64; None is no limit."""

    pixels: int | None = None
    bytes: int | None = None

    def settings(self) -> dict[str, object]:
        """Return what of it can change a number."""
        smaller = f"; above {self.bytes} bytes lossless webp, then jpeg 95" if self.bytes else ""
        return {"max_pixels": self.pixels, "image_format": f"png{smaller}"}

    def picture(self, image: "Image") -> Picture:
        """Return `image` (RGB) so that it fits.

        More pixels than allowed are scaled down (Lanczos). A PNG of too many bytes becomes a lossless WebP,
        else a JPEG of the same size; only a JPEG that is still too large is scaled down.
        """
        image = scaled(image, self.pixels)
        for kind in FORMATS:
            if kind == "webp" and max(image.size) > WEBP_SIDE:
                continue
            url = _url(image, kind)
            if not self.bytes or len(url) <= self.bytes:
                break
        while self.bytes and len(url) > self.bytes:
            image = scaled(image, int(image.width * image.height * 0.9 * self.bytes / len(url)))
            url = _url(image, "jpeg")
        return Picture(url, image.width * image.height)


def scaled(image: "Image", pixels: int | None) -> "Image":
    """Return `image` with at most `pixels` pixels, in its shape."""
    from PIL.Image import Resampling

    width, height = image.size
    if pixels is None or width * height <= pixels:
        return image
    factor = math.sqrt(pixels / (width * height))
    return image.resize((max(1, int(width * factor)), max(1, int(height * factor))), Resampling.LANCZOS)


def _url(image: "Image", kind: str) -> str:
    file = io.BytesIO()
    image.save(file, kind, **FORMATS[kind])
    return f"data:image/{kind};base64,{base64.b64encode(file.getvalue()).decode()}"
