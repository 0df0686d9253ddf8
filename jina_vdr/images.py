"""Page images: decode to RGB, refuse what cannot be a page."""

import io
import struct
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from jina_vdr.errors import DataError

if TYPE_CHECKING:
    from PIL.Image import Image

MAX_PIXELS = 178_000_000
"""No page is larger: an A0 sheet at 300 dpi has 140 million pixels. More is an image bomb."""

SUFFIXES = frozenset({".png", ".jpg", ".jpeg", ".webp", ".tif", ".tiff", ".bmp", ".gif"})

FORMATS = ("PNG", "JPEG", "WEBP", "TIFF", "BMP", "GIF", "JPEG2000", "PPM")
"""What is decoded: pictures. Pillow would give other bytes to a program, PostScript to Ghostscript."""


def decode(data: bytes, name: str) -> "Image":
    """Return the image in `data` as RGB, transparent parts on white, turned as its EXIF data says.

    Raises DataError that speaks of `name` when the bytes are not an image or hold too many pixels.
    """
    from PIL import ImageOps

    with _opened(data, name) as image:
        return _rgb(ImageOps.exif_transpose(image))


def size(data: bytes, name: str) -> tuple[int, int]:
    """Return width and height of the image in `data`, in pixels, as its header says: no pixel is decoded.

    Raises DataError as `decode` does.
    """
    with _opened(data, name) as image:
        return image.size


@contextmanager
def _opened(data: bytes, name: str) -> Iterator["Image"]:
    """Give the image in `data`, not decoded yet; whatever is wrong with it becomes a DataError."""
    from PIL import Image, UnidentifiedImageError

    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of sizes we judge ourselves, and of EXIF data that is damaged
            image = Image.open(io.BytesIO(data), formats=FORMATS)
            if image.width * image.height > MAX_PIXELS:
                raise _bomb(name)
            yield image
    except Image.DecompressionBombError as error:
        raise _bomb(name) from error
    except UnidentifiedImageError as error:
        raise DataError("JV411", f"{name} is no image", f"write it as one of {', '.join(FORMATS)}") from error
    except (OSError, ValueError, SyntaxError, struct.error) as error:
        raise DataError("JV411", f"{name} is not a readable image ({error})", "replace it") from error


def read(path: Path) -> "Image":
    """Return the image file `path` as RGB."""
    return decode(path.read_bytes(), str(path))


def read_size(path: Path) -> tuple[int, int]:
    """Return width and height of the image file `path`, in pixels."""
    return size(path.read_bytes(), str(path))


def _rgb(image: "Image") -> "Image":
    from PIL import Image

    if image.mode in {"RGBA", "LA", "PA"} or "transparency" in image.info:
        rgba = image.convert("RGBA")
        white = Image.new("RGB", rgba.size, "white")
        white.paste(rgba, mask=rgba.getchannel("A"))
        return white
    return image.convert("RGB")


def _bomb(name: str) -> DataError:
    return DataError(
        "JV412", f"{name} has more than {MAX_PIXELS:,} pixels", "no page is that large: scale it down"
    )
