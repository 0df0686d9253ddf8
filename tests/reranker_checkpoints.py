"""Rerankers of a few thousand random weights, built on the spot, in the layouts that the Hub has."""

import json
from pathlib import Path

import torch
from sentence_transformers import CrossEncoder
from sentence_transformers.base.modules import Transformer
from sentence_transformers.cross_encoder.modules import LogitScore
from tokenizers import processors
from transformers import (
    BertConfig,
    BertForSequenceClassification,
    CLIPImageProcessorPil,
    CLIPVisionConfig,
    LlamaConfig,
    LlavaConfig,
    LlavaForConditionalGeneration,
    LlavaProcessor,
    PreTrainedTokenizerFast,
)

from tests.checkpoints import SIZES, tokenizer

TEMPLATE = (
    "{% for message in messages %}{{ message.role }}:{% for part in message.content %}"
    "{% if part.type == 'image' %}<image>{% else %}{{ part.text }}{% endif %}{% endfor %}{% endfor %}"
)


def cross_encoder(folder: Path, labels: int = 1, seed: int = 0) -> Path:
    """Write a cross-encoder as ms-marco-MiniLM is: a classifier, and nothing of sentence-transformers."""
    torch.manual_seed(seed)
    config = BertConfig(vocab_size=len(tokenizer()), max_position_embeddings=64, num_labels=labels, **SIZES)
    BertForSequenceClassification(config).save_pretrained(folder)
    _pair_tokenizer().save_pretrained(folder)
    return folder


def saved_cross_encoder(folder: Path) -> Path:
    """Write one as sentence-transformers saves it, with a prompt that stands before each query."""
    made = cross_encoder(folder / "bert", seed=1)
    model = CrossEncoder(
        str(made), device="cpu", prompts={"query": "frage: "}, default_prompt_name="query", max_length=48
    )
    model.save_pretrained(str(folder / "model"), create_model_card=False)
    return folder / "model"


def image_cross_encoder(folder: Path) -> Path:
    """Write one for texts and images: a language model whose logits of two letters are compared."""
    torch.manual_seed(0)
    words = tokenizer()
    words.add_special_tokens({"additional_special_tokens": ["<image>"]})
    text = LlamaConfig(vocab_size=len(words), max_position_embeddings=256, num_key_value_heads=2, **SIZES)
    vision = CLIPVisionConfig(image_size=32, patch_size=8, **SIZES)
    image = words.convert_tokens_to_ids("<image>")
    LlavaForConditionalGeneration(
        LlavaConfig(vision_config=vision, text_config=text, image_token_index=image)
    ).save_pretrained(folder / "llava")
    images = CLIPImageProcessorPil(size={"shortest_edge": 32}, crop_size={"height": 32, "width": 32})
    LlavaProcessor(
        images,
        words,
        patch_size=8,
        vision_feature_select_strategy="default",
        num_additional_image_tokens=1,
        chat_template=TEMPLATE,
    ).save_pretrained(folder / "llava")
    yes, no = words.convert_tokens_to_ids(["y", "n"])
    modules = [Transformer(str(folder / "llava"), transformer_task="any-to-any"), LogitScore(yes, no)]
    CrossEncoder(modules=modules, device="cpu").save_pretrained(
        str(folder / "model"), create_model_card=False
    )
    return folder / "model"


CODE = """
import numpy as np
import torch
from transformers import BertConfig, BertPreTrainedModel


class TinyForRanking(BertPreTrainedModel):
    config_class = BertConfig
    calls = []

    def __init__(self, config):
        super().__init__(config)
        self.weight = torch.nn.Parameter(torch.tensor([1.0, 3.0]))
        self.post_init()
"""

PAIRWISE = """
    def compute_score(self, pairs, batch_size=8, max_length=10240, query_type="text", doc_type="text"):
        self.calls.append((len(pairs), batch_size, doc_type))
        gain, loss = self.weight.tolist()
        scores = []
        for query, document in pairs:
            size = np.asarray(document)[..., 0].mean() if doc_type == "image" else len(document)
            scores.append(float(gain * size - loss * abs(len(query) - 9)))
        return scores[0] if len(scores) == 1 else scores
"""

LISTWISE = """
    def rerank(self, query, documents, top_n=None):
        self.calls.append((query, list(documents)))
        longest = max(len(document) for document in documents)
        found = [
            {"index": i, "relevance_score": len(document) / longest, "document": document}
            for i, document in enumerate(documents)
        ]
        return sorted(found, key=lambda entry: -entry["relevance_score"])
"""


def remote_reranker(folder: Path, methods: str = PAIRWISE) -> Path:
    """Write a reranker that brings its code: a score follows from how long or how red a page is."""
    folder.mkdir()
    config = BertConfig(vocab_size=8, **SIZES).to_dict()
    auto = {"AutoModel": "modeling.TinyForRanking"}
    said = {**config, "architectures": ["TinyForRanking"], "auto_map": auto, "dtype": "float32"}
    (folder / "config.json").write_text(json.dumps(said))
    (folder / "modeling.py").write_text(CODE + methods)
    from safetensors.torch import save_file

    save_file({"weight": torch.tensor([1.0, 3.0])}, folder / "model.safetensors", {"format": "pt"})
    return folder


def _pair_tokenizer() -> PreTrainedTokenizerFast:
    words = tokenizer()
    words.backend_tokenizer.post_processor = processors.TemplateProcessing(
        "[CLS] $A [SEP]", "[CLS] $A [SEP] $B:1 [SEP]:1", special_tokens=[("[CLS]", 2), ("[SEP]", 3)]
    )
    return words
