"""What makes a checkpoint's inputs: its processor, whose images are scaled by Pillow or torchvision."""

from typing import Any

import torch
from transformers import AutoImageProcessor, AutoProcessor

from jina_vdr.checkpoint import Checkpoint
from jina_vdr.encoders.loading import loading, origin
from jina_vdr.encoders.loop import Inputs
from jina_vdr.encoders.qwen_images import QwenImages, image_backend
from jina_vdr.errors import UsageError


def load_processor(
    checkpoint: Checkpoint, asked_backend: str | None, max_pixels: int | None, kind: Any = AutoProcessor
) -> Any:
    """Return the checkpoint's processor, its images scaled as asked for: by what, to how many pixels at most.

    Where nothing is asked for it is torchvision, if that is installed and scales as the model was trained to.
    Raises UsageError where a backend is not installed or the model has none of its kind, and for pixels
    where the model scales images to one size or to a longest side.
    """
    image_backend(asked_backend)  # refuses one that is not installed
    found = {**origin(checkpoint), "trust_remote_code": False}  # else it asks, on a terminal
    with loading(checkpoint.source):
        processor = kind.from_pretrained(**found)
        images = AutoImageProcessor.from_pretrained(**found, backend=asked_backend)
    if asked_backend and images.backend != asked_backend:
        raise UsageError(
            "JV108",
            f"{checkpoint.name} does not take --image-backend {asked_backend}",
            f"its images are scaled by {images.backend} alone",
        )
    if is_qwen(images):
        images = QwenImages(checkpoint.files, asked_backend, max_pixels).processor
    elif max_pixels and hasattr(images, "max_side"):  # NeoMME
        images.size = {"min_pixels": 1, "max_pixels": max_pixels}
    elif max_pixels:
        raise UsageError("JV108", f"{checkpoint.name} takes no --max-pixels", f"it {_scaling(images)}")
    processor.image_processor = images
    return processor


def is_qwen(images: Any) -> bool:
    """Say whether images are scaled as by Qwen-VL: to so many patches as they have room for."""
    return hasattr(images, "merge_size")


def most_pixels(images: Any) -> int | None:
    """Return how many pixels an image is left at most; None where that is no matter of area."""
    most: int | None = dict(images.size or {}).get("longest_edge" if is_qwen(images) else "max_pixels")
    return most


def fixed_pixels(images: Any) -> int | None:
    """Return the pixels that every image is scaled to; None where that depends on the image."""
    size = dict((images.crop_size if getattr(images, "do_center_crop", False) else images.size) or {})
    return size["height"] * size["width"] if size.get("height") and size.get("width") else None


def as_dtype(inputs: Any, dtype: str) -> Inputs:
    """Return what a processor gives, its pixels in the network's dtype."""
    precise = getattr(torch, dtype)
    return {name: value.to(precise) if value.is_floating_point() else value for name, value in inputs.items()}


def _scaling(images: Any) -> str:
    pixels = fixed_pixels(images)
    return f"scales every image to {pixels:,} pixels" if pixels else "scales images by their sides"
