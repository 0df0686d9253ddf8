"""Models with a tower for texts and one for images: CLIP, SigLIP, MetaCLIP 2, ALIGN and their like."""

from typing import Any

import torch
from torch.nn.functional import normalize
from transformers import AutoConfig
from typing_extensions import override

from jina_vdr.checkpoint import Checkpoint
from jina_vdr.encoders.loading import loading
from jina_vdr.encoders.loop import Inputs
from jina_vdr.encoders.plain_encoder import PlainEncoder
from jina_vdr.encoders.processors import as_dtype, fixed_pixels, load_processor
from jina_vdr.encoders.torch_encoder import Traits
from jina_vdr.errors import DataError, UsageError
from jina_vdr.model import ModelSpec


class DualEncoder(PlainEncoder):
    """A network of transformers with text and image features, compared by cosine (Radford et al. 2021, CLIP).

    Texts are cut to the length the model was trained for, and lower-cased where the tokenizer's config says
    so: that of SigLIP 2 (Tschannen et al. 2025) does, and is then read by a tokenizer that leaves them as
    they are.
    """

    def __init__(self, spec: ModelSpec, checkpoint: Checkpoint, network: Any) -> None:
        chosen = spec.chosen
        if chosen.vector_type == "multi":
            raise UsageError("JV109", f"{checkpoint.name} gives one vector a text or image, not one a token")
        self._processor = load_processor(checkpoint, chosen.image_backend, chosen.max_pixels)
        self._images = self._processor.image_processor
        with loading(checkpoint.source):
            text = AutoConfig.from_pretrained(checkpoint.files).get_text_config()
            self._length = min(self._processor.tokenizer.model_max_length, text.max_position_embeddings)
            self._prepare_texts([""], is_query=True)  # a tokenizer sets its padding once: not in two threads
        traits = Traits.of(
            chosen,
            checkpoint,
            network,
            image_backend=self._images.backend,
            query_prompt=chosen.query_prompt or "",
            document_prompt=chosen.document_prompt or "",
        )
        super().__init__(spec, checkpoint, network, traits)

    def _image_tokens(self, pixels: int) -> int:
        return super()._image_tokens(fixed_pixels(self._images) or pixels)

    @override
    def _prepare_texts(self, texts: list[str], *, is_query: bool) -> Inputs:
        """Pad to the longest text; to the full length where no mask says what is padding (SigLIP).

        The network then sees the padding, and was trained with all of it.
        """
        tokenizer = self._processor.tokenizer
        if tokenizer.init_kwargs.get("do_lower_case"):
            texts = [text.lower() for text in texts]
        masked = "attention_mask" in tokenizer.model_input_names
        return dict(
            tokenizer(
                texts,
                padding="longest" if masked else "max_length",
                truncation=True,
                max_length=self._length,
                return_tensors="pt",
            )
        )

    def _prepare_images(self, images: list[Any]) -> Inputs:
        return as_dtype(self._images(images=images, return_tensors="pt"), self._traits.dtype)

    @override
    def _forward_texts(self, inputs: Inputs, *, is_query: bool) -> list[torch.Tensor]:
        return self._vectors(self._network.get_text_features(**inputs))

    def _forward_images(self, inputs: Inputs) -> list[torch.Tensor]:
        return self._vectors(self._network.get_image_features(**inputs))

    def _vectors(self, output: Any) -> list[torch.Tensor]:
        features = output.pooler_output
        if features is None or features.ndim != 2:
            raise DataError(
                "JV441", f"{self._network_class.__name__} gives no single vector of a text or an image"
            )
        return list(normalize(features.float(), dim=-1).split(1))
