"""Checkpoints that bring their own code, with the methods encode_text and encode_image: run when trusted."""

import inspect
from collections.abc import Iterator, Sequence
from functools import cached_property
from typing import Any

import torch

from jina_vdr.checkpoint import Checkpoint, open_checkpoint
from jina_vdr.encoders.checkpoint_code import CODE, Code, find_code, packages
from jina_vdr.encoders.foreign import Foreign, items
from jina_vdr.encoders.halving import Halving
from jina_vdr.encoders.loading import loading, own_dtype, versions
from jina_vdr.encoders.torch_encoder import best_device
from jina_vdr.errors import DataError, UsageError, near
from jina_vdr.family import flag
from jina_vdr.model import ModelSpec, Options
from jina_vdr.records import ModelInfo, Page
from jina_vdr.similarity import check_similarity

BATCH_SIZE = 16

FILES = [*CODE, "*.safetensors", "*.bin", "*.pt", "*.txt", "*.model", "*.jinja", "*.tiktoken"]
"""What is fetched of a checkpoint to run it."""

PROMPT_NAMES = {"query": "query", "document": "passage", "image": "passage"}
"""What the code of Jina's models calls the sides: `retrieval.query`, `prompt_name="passage"`."""

NEEDS = {
    "truncate_dim": {"encode_text": "truncate_dim", "encode_image": "truncate_dim"},
    "max_pixels": {"encode_image": "max_pixels"},
    "adapter": {"encode_text": "task"},
}
"""Options of ours -> the methods that must take them, and the argument's name there."""


class RemoteCode(Foreign):
    """A model with code and weights of one commit, also of what the code itself fetches of its checkpoint.

    The methods get those of these arguments that they name: batch_size, task, prompt_name, truncate_dim,
    max_pixels, return_multivector. What they got is in the settings.
    """

    def __init__(self, spec: ModelSpec) -> None:
        chosen = self._chosen = spec.chosen
        self._checkpoint = open_checkpoint(spec.checkpoint, spec.revision)
        self._code = find_code(self._checkpoint)
        name = spec.known.name if spec.known else self._checkpoint.name
        if not chosen.trust_remote_code:
            raise not_trusted(name, self._code)
        self._kind = self._run_code()
        self._takes = {
            method: inspect.signature(getattr(self._kind, method)).parameters.keys()
            for method in ("encode_text", "encode_image")
            if hasattr(self._kind, method)
        }
        sees = "encode_image" in self._takes and (chosen.document_input or "image") == "image"
        self.document_input = "image" if sees else "text"
        vector_type = chosen.vector_type or "single"
        similarity = chosen.similarity or ("maxsim" if vector_type == "multi" else "cosine")
        check_similarity(vector_type, similarity)
        self._dtype = chosen.dtype or own_dtype(self._checkpoint)
        self._batches = Halving(name, chosen.batch_size or BATCH_SIZE)
        sides = PROMPT_NAMES if sees else ("query", "document")
        self._arguments = {side: self._side_arguments(side) for side in sides}
        home = {"checkpoint": self._code.home.name, "revision": self._code.home.revision}
        self.info = ModelInfo(
            name=name,
            family="remote",
            revision=self._checkpoint.revision,
            vector_type=vector_type,
            similarity=similarity,
            settings={
                "checkpoint": self._checkpoint.name,
                "code": {**home, "class": self._code.reference},
                "arguments": self._arguments,
                "dtype": self._dtype,
                "attention": chosen.attention,
                "document_input": chosen.document_input,
                "versions": versions("torch", "transformers", "pillow", *packages(self._kind)),
            },
            runtime={"device": chosen.device, "batch_size": self._batches.size},
        )

    def _call_texts(self, texts: list[str], size: int, *, is_query: bool) -> Any:
        return self._call("encode_text", texts, size, "query" if is_query else "document")

    def _call_images(self, pages: list[Page], size: int) -> Any:
        images = [page.open_image() for page in pages if page.open_image]
        return self._call("encode_image", images, size, "image")

    def _call(self, name: str, given: Sequence[Any], size: int, side: str) -> Any:
        """Call a method of the model, in batches where it makes none itself."""
        method, arguments = getattr(self._model, name), self._arguments[side]
        if "show_progress_bar" in self._takes[name]:
            arguments = {**arguments, "show_progress_bar": False}
        with torch.inference_mode():
            if "batch_size" in self._takes[name]:
                return method(given, batch_size=size, **arguments)
            multi = self.info.vector_type == "multi"
            parts = [given[start : start + size] for start in range(0, len(given), size)]
            found = [
                items(method(part, **arguments), len(part), self.info.name, multi=multi) for part in parts
            ]
            return [vector for vectors in found for vector in vectors]

    def _run_code(self) -> Any:
        """Import the code; return its class."""
        with loading(self._checkpoint.name):
            kind = self._code.run()
        if not hasattr(kind, "encode_text"):
            raise DataError("JV441", f"{kind.__name__} of {self._checkpoint.name} has no method encode_text")
        return kind

    def _side_arguments(self, side: str) -> dict[str, Any]:
        """Return what a method gets for queries, for texts of documents, or for images, beside a batch size.

        Raises UsageError for an option that a method does not take, or a task that the checkpoint has not.
        """
        method, options = "encode_image" if side == "image" else "encode_text", self._chosen
        takes = self._takes[method]
        for option, names in NEEDS.items():
            if getattr(options, option) is not None and method in names and names[method] not in takes:
                raise UsageError("JV108", f"{method} of {self._checkpoint.name} does not take {flag(option)}")
        said = {
            "task": _task(self._checkpoint, options, PROMPT_NAMES[side]),
            "prompt_name": PROMPT_NAMES[side],
            "truncate_dim": options.truncate_dim,
            "max_pixels": options.max_pixels,
            "return_multivector": options.vector_type == "multi",
        }
        return {name: value for name, value in said.items() if name in takes and value is not None}

    @cached_property
    def _model(self) -> Any:
        attention = {"attn_implementation": self._chosen.attention} if self._chosen.attention else {}
        with loading(self._checkpoint.name):
            # not by AutoModel: it remembers the class it ran first for a config, whatever the next one brings
            model = self._kind.from_pretrained(
                str(
                    self._checkpoint.fetch(FILES)
                ),  # a folder: code that asks for more of itself finds it there
                trust_remote_code=True,
                dtype=getattr(torch, self._dtype),
                **attention,
            )
            return model.eval().to(self._chosen.device or best_device())


def not_trusted(name: str, code: Code) -> UsageError:
    """Return the error that names the files which would run."""
    files, home = ", ".join(code.files) or code.reference, code.home
    return UsageError(
        "JV143",
        f"{name} runs code that comes with it: {files} of {home.name} at {home.revision}",
        "read it, then add --trust-remote-code",
    )


def _task(checkpoint: Checkpoint, options: Options, prompt_name: str) -> str | None:
    """Return the task that is asked for, else the one for retrieval where the checkpoint has such."""
    tasks = sorted(set(_tasks(checkpoint.json("config.json"))))
    asked = options.adapter
    if asked and tasks and asked not in tasks:
        hint = near(asked, tasks) or f"it has {', '.join(tasks)}"
        raise UsageError("JV108", f"{checkpoint.name} has no adapter '{asked}'", hint)
    own = [task for task in (f"retrieval.{prompt_name}", "retrieval") if task in tasks]
    return asked or (own[0] if own else None)


def _tasks(config: Any) -> Iterator[str]:
    """Yield the tasks that a config names, wherever in it."""
    if isinstance(config, dict):
        for key, value in config.items():
            if key in {"task_names", "task_instructions", "lora_adaptations"}:
                yield from value or ()
            else:
                yield from _tasks(value)
