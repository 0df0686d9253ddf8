"""Checkpoints of a few thousand random weights, built on the spot: texts, images, one vector a token."""

import json
import shutil
import string
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from sentence_transformers import MultiVectorEncoder, SentenceTransformer
from sentence_transformers.base.modules import Dense, Normalize, Transformer
from sentence_transformers.multi_vector_encoder.modules import MultiVectorMask
from sentence_transformers.sentence_transformer.modules import Pooling
from tokenizers import Tokenizer, models, normalizers, pre_tokenizers, processors
from transformers import (
    BertConfig,
    BertModel,
    CLIPConfig,
    CLIPImageProcessorPil,
    CLIPModel,
    CLIPProcessor,
    PreTrainedTokenizerFast,
)

WIDTH = 32
PROMPTS = {"query": "query: ", "document": "passage: "}
SIZES = {
    "hidden_size": WIDTH,
    "intermediate_size": 32,
    "num_hidden_layers": 2,
    "num_attention_heads": 2,
    "initializer_range": 0.2,  # ten times the usual: texts and images that differ get vectors that do
}


def tokenizer() -> PreTrainedTokenizerFast:
    """Return a tokenizer of single letters."""
    letters = [*string.ascii_lowercase, *string.digits, *string.punctuation, *"äöüß"]
    marks = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]
    words = [*marks, *letters, *(f"##{letter}" for letter in letters)]
    inner = Tokenizer(models.WordPiece({word: i for i, word in enumerate(words)}, unk_token="[UNK]"))
    inner.normalizer = normalizers.Lowercase()
    inner.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    inner.post_processor = processors.TemplateProcessing(
        "[CLS] $A [SEP]", special_tokens=[("[CLS]", 2), ("[SEP]", 3)]
    )
    names = ("pad_token", "unk_token", "cls_token", "sep_token", "mask_token")
    return PreTrainedTokenizerFast(
        tokenizer_object=inner, model_max_length=64, **dict(zip(names, marks, strict=True))
    )


def text_model(folder: Path, similarity: str = "cosine", seed: int = 0) -> Path:
    """Write a SentenceTransformer for texts; the length of its vectors is not 1."""
    modules = [_bert(folder, seed), Pooling(WIDTH, "mean")]
    return _save(SentenceTransformer(modules=modules, prompts=PROMPTS, similarity_fn_name=similarity), folder)


def image_model(folder: Path) -> Path:
    """Write a SentenceTransformer for images and texts, of CLIP's kind."""
    torch.manual_seed(0)
    text = {"vocab_size": len(tokenizer()), "max_position_embeddings": 64, "pad_token_id": 0, **SIZES}
    vision = {"image_size": 32, "patch_size": 8, **SIZES}
    config = CLIPConfig(text_config={**text, "bos_token_id": 2, "eos_token_id": 3}, vision_config=vision)
    CLIPModel(config).save_pretrained(folder / "clip")
    images = CLIPImageProcessorPil(size={"shortest_edge": 32}, crop_size={"height": 32, "width": 32})
    CLIPProcessor(images, tokenizer()).save_pretrained(folder / "clip")
    return _save(SentenceTransformer(modules=[Transformer(str(folder / "clip"))]), folder)


def multi_vector_model(folder: Path, similarity: str = "maxsim") -> Path:
    """Write a MultiVectorEncoder for texts."""
    identity = torch.nn.Identity()
    modules = [
        _bert(folder),
        Dense(WIDTH, 8, bias=False, activation_function=identity, module_input_name="token_embeddings"),
        MultiVectorMask(),
        Normalize(module_input_name="token_embeddings"),
    ]
    prompts = {"query": "[Q] ", "document": "[D] "}
    return _save(MultiVectorEncoder(modules=modules, prompts=prompts, similarity_fn_name=similarity), folder)


def pylate_model(folder: Path, **said: str) -> Path:
    """Write the same as PyLate saves it; `said` is what its versions say of themselves."""
    saved = multi_vector_model(folder)
    dense = {"type": "pylate.models.Dense.Dense", "idx": 1, "name": "1", "path": "1_Dense"}
    bert = json.loads((saved / "modules.json").read_text())[0]
    (saved / "modules.json").write_text(json.dumps([bert, dense]))
    names = {"query_prefix": "[Q] ", "document_prefix": "[D] ", "query_length": 32, "document_length": 64}
    config = {**names, "do_query_expansion": False, "similarity_fn_name": "MaxSim", **said}
    (saved / "config_sentence_transformers.json").write_text(json.dumps(config))
    return saved


def damaged(folder: Path, how: str) -> Path:
    """Return a copy of a checkpoint in which one thing is wrong."""
    folder = shutil.copytree(folder, folder.parent / how)
    if how == "empty":
        shutil.rmtree(folder)
        folder.mkdir()
    elif how == "cut weights":
        (folder / "model.safetensors").write_bytes((folder / "model.safetensors").read_bytes()[:500])
    elif how == "no weights":
        (folder / "model.safetensors").unlink()
    elif how == "no pooling":
        shutil.rmtree(folder / "1_Pooling")
    elif how == "config":
        (folder / "config_sentence_transformers.json").write_text('{"prompts": ')
    else:
        (folder / "config_sentence_transformers.json").write_text(json.dumps({"model_type": how}))
    return folder


def starve(model: torch.nn.Module, fits: int) -> list[int]:
    """Let a model run out of memory above `fits` texts a batch; return where the sizes it meets are noted."""
    sizes: list[int] = []

    def watch(_module: torch.nn.Module, arguments: tuple) -> None:
        sizes.append(len(arguments[0]["input_ids"]))
        if sizes[-1] > fits:
            raise torch.OutOfMemoryError("CUDA out of memory.\nTried to allocate 2 GiB.")

    model[0].register_forward_pre_hook(watch)
    return sizes


def clip_text_vectors(folder: Path, texts: list[str]) -> NDArray[np.float32]:
    """Encode texts with the CLIP model in a folder, without sentence-transformers."""
    tokens = tokenizer()(texts, padding=True, return_tensors="pt")
    with torch.no_grad():
        return CLIPModel.from_pretrained(folder).get_text_features(**tokens).pooler_output.numpy()


def _bert(folder: Path, seed: int = 0) -> Transformer:
    torch.manual_seed(seed)
    config = BertConfig(vocab_size=len(tokenizer()), max_position_embeddings=64, **SIZES)
    BertModel(config).save_pretrained(folder / "bert")
    tokenizer().save_pretrained(folder / "bert")
    return Transformer(str(folder / "bert"))


def _save(model: torch.nn.Module, folder: Path) -> Path:
    model.save_pretrained(str(folder / "model"), create_model_card=False)
    return folder / "model"
