"""Page images for the Qwen-VL models: what scales them, the tokens they take, their place in a prompt."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
from transformers import Qwen2VLImageProcessorPil
from transformers.utils import is_torchvision_available

from jina_vdr.encoders.loading import loading
from jina_vdr.errors import DataError, UsageError

LONGEST = 200
"""How many times the short side of an image the long one may be: what Qwen's resizing takes."""


class QwenImages:
    """The image processor of a Qwen-VL checkpoint, whose size is `max_pixels` where that is given.

    Qwen scales an image to multiples of `patch x merge` pixels (28 or 32), between `min_pixels` and
    `max_pixels` in all; one such square becomes one token (Qwen2.5-VL, arXiv 2502.13923, section 2.1).
    Raises UsageError for a backend that is not installed, or fewer pixels than the checkpoint's least.
    """

    def __init__(self, files: Path, asked_backend: str | None = None, max_pixels: int | None = None) -> None:
        self.backend = image_backend(asked_backend)
        with loading(str(files)):
            self.processor = _processor_class(self.backend).from_pretrained(files)
        self.min_pixels: int = self.processor.size["shortest_edge"]
        self.max_pixels: int = max_pixels or self.processor.size["longest_edge"]
        if self.max_pixels < self.min_pixels:
            raise UsageError(
                "JV100",
                f"--max-pixels {max_pixels} is below the {self.min_pixels} that images are scaled up to",
            )
        # both, and here: what a call or a config says under other names is read differently by versions
        self.processor.size = {"shortest_edge": self.min_pixels, "longest_edge": self.max_pixels}

    def tokens(self, pixels: int) -> int:
        """Return about how many tokens an image of so many pixels takes."""
        scaled = min(max(pixels, self.min_pixels), self.max_pixels)
        return int(scaled // (self.processor.patch_size * self.processor.merge_size) ** 2)

    def inputs(
        self, images: Sequence[Any], prompt: Sequence[int], image_token: int, dtype: torch.dtype
    ) -> dict[str, torch.Tensor]:
        """Return what a Qwen-VL model takes for a batch: one of `images` (PIL, RGB) in each copy of `prompt`.

        `prompt` holds `image_token` once; in its place come as many as the image takes. `pixel_values` has
        the shape [patches, values] and the dtype given; the image of item i is row i of `image_grid_thw`.
        """
        check_shapes(images)
        scaled = self.processor(images=list(images), return_tensors="pt")
        grids = scaled["image_grid_thw"]
        counts = (grids.prod(-1) // self.processor.merge_size**2).tolist()
        batch = padded([expanded(prompt, image_token, count) for count in counts])
        return {
            **batch,
            "mm_token_type_ids": (batch["input_ids"] == image_token).int(),
            "pixel_values": scaled["pixel_values"].to(dtype),
            "image_grid_thw": grids,
        }


def image_backend(asked: str | None) -> str:
    """Return what scales images: as asked for, else torchvision where it is installed, else Pillow.

    Their roundings differ, and so do vectors, in the fourth digit. Raises UsageError where torchvision is
    asked for and not installed.
    """
    if asked == "torchvision" and not is_torchvision_available():
        raise UsageError(
            "JV102",
            "torchvision is not installed",
            "run: pip install torchvision, or take --image-backend pil",
        )
    return asked or ("torchvision" if is_torchvision_available() else "pil")


def check_shapes(images: Sequence[Any]) -> None:
    """Raise DataError where an image is too narrow to be scaled."""
    for image in images:
        if max(image.size) > LONGEST * min(image.size):
            raise DataError(
                "JV411",
                f"a page of {image.width} x {image.height} pixels is too narrow for the model",
                f"one side may be {LONGEST} times the other",
            )


def expanded(prompt: Sequence[int], image_token: int, count: int) -> list[int]:
    """Return a prompt that holds `image_token` once with as many as its image takes."""
    at = list(prompt).index(image_token)
    return [*prompt[:at], *[image_token] * count, *prompt[at + 1 :]]


def padded(rows: Sequence[Sequence[int]]) -> dict[str, torch.Tensor]:
    """Return token ids and their attention mask, int64 [items, longest row], padded on the right.

    Attention is causal: what stands on the right of a token cannot change it, so that an item's vectors do
    not depend on its batch.
    """
    lengths = torch.tensor([len(row) for row in rows])
    mask = (torch.arange(int(lengths.max())) < lengths[:, None]).long()
    ids = torch.zeros_like(mask)
    ids[mask.bool()] = torch.tensor([token for row in rows for token in row])
    return {"input_ids": ids, "attention_mask": mask}


def _processor_class(backend: str) -> Any:
    if backend == "pil":
        return Qwen2VLImageProcessorPil
    from transformers import Qwen2VLImageProcessor  # needs torchvision

    return Qwen2VLImageProcessor
