"""What a model that reads a chat is given: the templates of its model file, else the checkpoint's own."""

from typing import Any

from transformers import AutoTokenizer

from jina_vdr.checkpoint import Checkpoint
from jina_vdr.encoders.loading import loading, origin
from jina_vdr.errors import DataError, UsageError
from jina_vdr.modelfile import ModelFile, Templates


def filled_templates(
    checkpoint: Checkpoint, known: ModelFile | None, query_prompt: str, document_prompt: str
) -> Templates:
    """Return what stands around a query, an image and a page's text, prompts included; {text} is left open.

    Without templates in a model file it is the checkpoint's chat template: a prompt in the system's turn, the
    text or image in the user's, and the start of the answer. Qwen3-VL-Embedding is asked so, and a checkpoint
    in sentence-transformers. Raises UsageError for a prompt that has no place.
    """
    prompts = {"query": query_prompt, "image": document_prompt, "text": document_prompt}
    own = known.templates if known else None
    if own:
        filled = {side: getattr(own, side).replace("{prompt}", prompts[side]) for side in prompts}
        templates = own.model_copy(update=filled)
    else:
        templates = Templates(**_chat(checkpoint, prompts))
    if "{text}" not in templates.query or "{text}" not in templates.text:
        raise DataError("JV441", f"the templates of {checkpoint.name} have no place for a text")
    for flag, prompt, places in (
        ("--query-prompt", query_prompt, [templates.query]),
        ("--document-prompt", document_prompt, [templates.image, templates.text]),
    ):
        if not any(prompt in place for place in places):
            raise UsageError("JV108", f"the templates of {checkpoint.name} have no place for {flag}")
    return templates


def _chat(checkpoint: Checkpoint, prompts: dict[str, str]) -> dict[str, str]:
    """Return what the chat template makes of a query, an image, a text."""
    asked: dict[str, Any] = {
        side: {"type": "image"} if side == "image" else {"type": "text", "text": "{text}"} for side in prompts
    }
    with loading(checkpoint.source):
        tokenizer = AutoTokenizer.from_pretrained(**origin(checkpoint), trust_remote_code=False)
        return {
            side: tokenizer.apply_chat_template(
                [*_turn("system", prompts[side]), *_turn("user", asked[side])],
                chat_template=checkpoint.json("chat_template.json").get("chat_template"),
                tokenize=False,
                add_generation_prompt=True,
            )
            for side in prompts
        }


def _turn(role: str, said: Any) -> list[dict[str, Any]]:
    """Return a turn as a list of one; of none where nothing is said."""
    content = {"type": "text", "text": said} if isinstance(said, str) else said
    return [{"role": role, "content": [content]}] if said else []
