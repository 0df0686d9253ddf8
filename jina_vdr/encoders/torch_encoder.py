"""What all families share whose networks run here, in torch: settings, weights, the way through the loop."""

from abc import ABC, abstractmethod
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from time import monotonic
from typing import Any, ClassVar

import numpy as np
import torch

from jina_vdr.checkpoint import Checkpoint
from jina_vdr.encoders.base import Encoded, pack
from jina_vdr.encoders.loading import attention, loading, own_dtype, versions
from jina_vdr.encoders.loop import Inputs, Loop, Work
from jina_vdr.errors import DataError, UsageError
from jina_vdr.model import ModelSpec, Options
from jina_vdr.records import ModelInfo, Page
from jina_vdr.similarity import check_similarity

KEPT, SECONDS = 64, 20.0
"""Items that are kept together, fewer where they take longer than this: what a killed run loses at most."""

SIMILARITIES = {"single": "cosine", "multi": "maxsim"}
"""What compares the vectors of a checkpoint that does not say."""

PIXELS_A_TOKEN = 28 * 28
CHARACTERS_A_TOKEN = 3


@dataclass(frozen=True)
class Traits:
    """What a checkpoint says of itself, after the user's options.

    `settings` is what only this family has and can change a number (an adapter, a pooling).
    """

    vector_type: str
    similarity: str
    dtype: str
    attention: str | None = None
    image_backend: str | None = None
    max_pixels: int | None = None
    query_prompt: str = ""
    document_prompt: str = ""
    settings: dict[str, Any] = field(default_factory=dict)

    @classmethod
    def of(
        cls,
        chosen: Options,
        checkpoint: Checkpoint,
        network: Any,
        vector_type: str = "single",
        own_similarity: str | None = None,
        **more: Any,
    ) -> "Traits":
        """Return the traits of a network of transformers: what the user chose, else the checkpoint's own."""
        return cls(
            vector_type=vector_type,
            similarity=chosen.similarity or own_similarity or SIMILARITIES[vector_type],
            dtype=chosen.dtype or own_dtype(checkpoint),
            attention=attention(chosen.attention, network),
            **more,
        )


class TorchEncoder(ABC):
    """An encoder whose forward pass runs here. A family says how to load, prepare and run.

    Single vectors leave as float32, multi-vectors as float16. Whatever the network computes in, vectors are
    cut and normalised in float32.
    """

    family: ClassVar[str]
    packages: ClassVar[tuple[str, ...]] = ("torch", "transformers", "pillow")

    def __init__(self, spec: ModelSpec, checkpoint: Checkpoint, traits: Traits) -> None:
        check_similarity(traits.vector_type, traits.similarity)
        self._checkpoint = checkpoint
        self._traits = traits
        self._truncate_dim = spec.options.truncate_dim
        if self._truncate_dim and traits.vector_type == "multi":
            raise UsageError("JV109", "--truncate-dim cuts single vectors; this model gives one a token")
        self._max_items = spec.options.batch_size
        self._device = torch.device(spec.options.device or best_device())
        self.document_input = "image" if (spec.options.document_input or "image") == "image" else "text"
        scaled_by = ("torchvision",) if traits.image_backend == "torchvision" else ()
        self.info = ModelInfo(
            name=spec.known.name if spec.known else checkpoint.name,
            family=self.family,
            revision=checkpoint.revision,
            vector_type=traits.vector_type,
            similarity=traits.similarity,
            settings={
                "checkpoint": checkpoint.name,
                "truncate_dim": self._truncate_dim,
                "dtype": traits.dtype,
                "attention": traits.attention,
                "image_backend": traits.image_backend,
                "max_pixels": traits.max_pixels,
                "prompts": {"query": traits.query_prompt, "document": traits.document_prompt},
                "document_input": spec.options.document_input,
                **traits.settings,
                "versions": versions(*self.packages, *scaled_by),
            },
            runtime={"device": str(self._device), "batch_size": self._max_items},
        )

    def encode_queries(self, queries: Sequence[str]) -> Iterator[Encoded]:
        """Encode texts as queries."""
        texts = [self._traits.query_prompt + query for query in queries]
        return self._encode(texts, self._texts(is_query=True))

    def encode_documents(self, pages: Sequence[Page]) -> Iterator[Encoded]:
        """Encode the images of pages, and the text of pages that have none."""
        images = [i for i, page in enumerate(pages) if page.open_image]
        texts = [i for i, page in enumerate(pages) if not page.open_image]
        if images:
            work = Work(self._page_tokens, self._prepare_pages, self._run_images)
            yield from self._encode([pages[i] for i in images], work, images)
        if texts:
            read = [self._traits.document_prompt + (pages[i].read_text() or "") for i in texts]
            yield from self._encode(read, self._texts(is_query=False), texts)

    def _encode(
        self, items: Sequence[Any], work: Work[Any], places: Sequence[int] | None = None
    ) -> Iterator[Encoded]:
        """Yield the vectors of items, some batches at a time; `places` are their positions in the call."""
        positions: list[int] = []
        vectors: list[torch.Tensor] = []
        kept = monotonic()
        for done, found in self._loop.run(items, work):
            positions += done if places is None else [places[i] for i in done]
            vectors += found
            if len(positions) >= KEPT or monotonic() - kept > SECONDS:
                yield self._packed(positions, vectors)
                positions, vectors, kept = [], [], monotonic()
        if positions:
            yield self._packed(positions, vectors)

    def _packed(self, positions: list[int], vectors: list[Any]) -> Encoded:
        dtype = np.float16 if self._traits.vector_type == "multi" else np.float32
        return Encoded(positions, pack([self._cut(vector.float()).numpy() for vector in vectors], dtype))

    def _cut(self, vector: torch.Tensor) -> torch.Tensor:
        """Return the first dimensions of a vector, of length 1 again (Kusupati et al. 2022, Matryoshka)."""
        cut = self._truncate_dim
        if not cut:
            return vector
        if vector.shape[-1] < cut:
            raise UsageError("JV109", f"{self.info.name} gives {vector.shape[-1]} dimensions, not {cut}")
        return torch.nn.functional.normalize(vector[..., :cut], dim=-1)

    def _texts(self, *, is_query: bool) -> Work[str]:
        def weigh(text: str) -> int:
            return len(text) // CHARACTERS_A_TOKEN + 16

        def prepare(texts: list[str]) -> Inputs:
            return self._prepare_texts(texts, is_query=is_query)

        def forward(inputs: Inputs) -> list[torch.Tensor]:
            with torch.inference_mode():
                return self._forward_texts(inputs, is_query=is_query)

        return Work(weigh, prepare, forward)

    def _page_tokens(self, page: Page) -> int:
        width, height = page.read_size() if page.read_size else _decoded_size(page)
        return self._image_tokens(min(width * height, self._traits.max_pixels or width * height))

    def _prepare_pages(self, pages: list[Page]) -> Inputs:
        """Prepare a batch; what is wrong with one page is said of that page."""
        images = [page.open_image() for page in pages if page.open_image]
        try:
            return self._prepare_images(images)
        except DataError as error:
            if len(pages) == 1:
                raise DataError(error.code, f"page '{pages[0].id}': {error.message}", error.hint) from error
            for page in pages:
                self._prepare_pages([page])
            raise

    def _run_images(self, inputs: Inputs) -> list[torch.Tensor]:
        with torch.inference_mode():
            return self._forward_images(inputs)

    @cached_property
    def _loop(self) -> Loop:
        return Loop(self.info.name, self._device, self._max_items)

    @cached_property
    def _network(self) -> Any:
        """The network on its device, ready to run."""
        with loading(self._checkpoint.source):
            return self._load().eval().to(self._device)

    def _image_tokens(self, pixels: int) -> int:
        """Predict the tokens of an image that is scaled to `pixels`."""
        return pixels // PIXELS_A_TOKEN + 16

    @abstractmethod
    def _load(self) -> torch.nn.Module:
        """Return the network with its weights, in the dtype and with the attention of the traits."""

    @abstractmethod
    def _prepare_texts(self, texts: list[str], *, is_query: bool) -> Inputs:
        """Return the inputs of a batch of texts, on the CPU; the prompts stand before them already."""

    @abstractmethod
    def _prepare_images(self, images: list[Any]) -> Inputs:
        """Return the inputs of a batch of RGB images, on the CPU, in the network's dtype."""

    @abstractmethod
    def _forward_texts(self, inputs: Inputs, *, is_query: bool) -> list[torch.Tensor]:
        """Return one tensor [rows, dim] a text, without padding: one row for single vectors."""

    @abstractmethod
    def _forward_images(self, inputs: Inputs) -> list[torch.Tensor]:
        """Return one tensor [rows, dim] an image, without padding: one row for single vectors."""


def best_device() -> str:
    """Return the kind of accelerator that is here, else the CPU."""
    if torch.cuda.is_available():
        return "cuda"
    return "mps" if torch.backends.mps.is_available() else "cpu"


def _decoded_size(page: Page) -> tuple[int, int]:
    assert page.open_image is not None
    size: tuple[int, int] = page.open_image().size
    return size
