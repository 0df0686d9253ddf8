"""What the encoders share whose network is a class of transformers, as it is."""

from typing import Any

import torch

from jina_vdr.checkpoint import Checkpoint
from jina_vdr.encoders.loading import load_network
from jina_vdr.encoders.torch_encoder import TorchEncoder, Traits
from jina_vdr.model import ModelSpec


class PlainEncoder(TorchEncoder):
    """An encoder that runs `network`, a class of transformers, with the weights of a checkpoint."""

    family = "hf"

    def __init__(self, spec: ModelSpec, checkpoint: Checkpoint, network: Any, traits: Traits) -> None:
        super().__init__(spec, checkpoint, traits)
        self._network_class = network

    def _load(self) -> torch.nn.Module:
        network: torch.nn.Module = load_network(
            self._network_class, self._checkpoint, self._traits.dtype, self._traits.attention
        )
        return network
