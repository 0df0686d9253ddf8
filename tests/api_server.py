"""Embedding APIs on this machine: five protocols, vectors that follow from the content, and every fault.

Each provider has a path of its own (`/jina/v1/embeddings`), and refuses a request that its documentation does
not describe. Images are decoded: a vector follows from the pixels.
"""

import base64
import io
import json
import os
import signal
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import urlsplit

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from tests.api_vectors import WIDTH, Content, image_content, multi, single, text_content

KEY = "key-MayNever+Be/WrittenAnywhere.0123456789="
"""The one key that is taken."""

VARIABLES = {
    "openai": "OPENAI_API_KEY",
    "jina": "JINA_API_KEY",
    "cohere": "CO_API_KEY",
    "voyage": "VOYAGE_API_KEY",
}
"""Where each provider's key is looked for."""

PRICE = {"text": 3, "image": 100}
"""Tokens that an item is billed."""


class Wrong(Exception):
    """A request that the provider's documentation does not describe."""


@dataclass
class Api:
    """What was asked for and answered. `faults`: number of a request, from 1 -> what goes wrong with it.

    `always` goes wrong with every request, `meet` makes that many requests wait for one another, `delay` is
    how long vectors take, `victim` the process that the fault "kill" kills. `paid` counts how often each item
    was answered, whole.
    """

    url: str
    faults: dict[int, str] = field(default_factory=dict)
    always: str = ""
    meet: threading.Barrier | None = None
    delay: float = 0.0
    victim: int = 0
    requests: list[tuple[str, dict[str, Any]]] = field(default_factory=list)
    headers: list[dict[str, str]] = field(default_factory=list)
    times: list[float] = field(default_factory=list)
    paid: Counter[str] = field(default_factory=Counter)
    under_way: int = 0
    most_under_way: int = 0
    lock: threading.Lock = field(default_factory=threading.Lock)

    def base(self, provider: str) -> str:
        """Return what to give as --base-url."""
        return f"{self.url}/{provider}" + ("/v1" if provider == "openai" else "")


class Server(ThreadingHTTPServer):
    """Takes many connections at a time."""

    daemon_threads = True
    request_queue_size = 64

    def handle_error(self, *_: Any) -> None:
        """Keep silent: clients that were killed or told to stop leave connections broken."""


@contextmanager
def api_server(handler: type[BaseHTTPRequestHandler] | None = None) -> Iterator[Api]:
    """Serve the embedding APIs, or those of another handler, while the block lasts."""
    server = Server(("127.0.0.1", 0), handler or Handler)
    server.api = Api(f"http://127.0.0.1:{server.server_port}")
    threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True).start()
    try:
        yield server.api
    finally:
        server.shutdown()
        server.server_close()


def _take(body: dict[str, Any], required: set[str], optional: set[str]) -> None:
    for name in required - body.keys():
        raise Wrong(f"field required: {name}")
    for name in body.keys() - required - optional:
        raise Wrong(f"extra fields not permitted: {name}")


def _picture(url: str, limit: int | None = None, *, is_url: bool = True) -> Image.Image:
    head, _, data = url.rpartition(",")
    if is_url and head not in {f"data:image/{kind};base64" for kind in ("png", "jpeg", "webp", "gif")}:
        raise Wrong("not a data URL of an image")
    if limit and len(data) > limit:
        raise Wrong("image too large")
    image = Image.open(io.BytesIO(base64.b64decode(data, validate=True)))
    image.load()
    return image


def openai(body: dict[str, Any]) -> tuple[list[Content], str]:
    _take(body, {"model", "input"}, {"dimensions", "encoding_format", "user"})
    texts = body["input"]
    if not 1 <= len(texts) <= 2048 or "" in texts:
        raise Wrong("'$.input' is invalid")
    return [text_content(text) for text in texts], ""


def vllm(body: dict[str, Any]) -> tuple[list[Content], str]:
    optional = {"dimensions", "encoding_format", "task", "truncate_prompt_tokens", "input", "messages"}
    _take(body, {"model"}, optional)
    if "task" in body and "dimensions" in body:
        raise Wrong("dimensions is currently not supported")
    if "messages" not in body:
        return [text_content(text) for text in body["input"]], "plain"
    (message,) = body["messages"]
    texts = [part["text"] for part in message["content"] if part["type"] == "text"]
    images = [
        _picture(part["image_url"]["url"]) for part in message["content"] if part["type"] == "image_url"
    ]
    text = "\n".join(texts)
    return [image_content(images[0], text) if images else text_content(text)], "chat"


TASKS = {"retrieval.query", "retrieval.passage", "text-matching", "code.query", "code.passage"}


def jina(body: dict[str, Any]) -> tuple[list[Content], str]:
    optional = {"dimensions", "embedding_type", "truncate", "return_multivector", "task"}
    _take(body, {"model", "input"}, optional)
    known = {None} if body["model"].startswith("jina-clip") else TASKS
    if body.get("task") not in known:
        raise Wrong("task: input should be 'retrieval.query', 'retrieval.passage', ...")
    return [
        text_content(part["text"]) if "text" in part else image_content(_picture(part["image"], is_url=False))
        for part in body["input"]
    ], body.get("task", "")


def cohere(body: dict[str, Any]) -> tuple[list[Content], str]:
    optional = {"texts", "images", "inputs", "output_dimension", "embedding_types", "truncate", "max_tokens"}
    _take(body, {"model", "input_type"}, optional)
    if len(body.keys() & {"texts", "images", "inputs"}) != 1:
        raise Wrong("invalid request: one of texts, images and inputs")
    if len(body.get("texts", body.get("inputs", []))) > 96:
        raise Wrong("too many inputs")
    role = body["input_type"]
    if "texts" in body:
        return [text_content(text) for text in body["texts"]], role
    if "images" in body:
        (url,) = body["images"]
        if role != "image":
            raise Wrong("invalid request: images need input_type image")
        return [image_content(_picture(url, 5_000_000))], role
    parts = [part for item in body["inputs"] for part in item["content"]]
    return [image_content(_picture(part["image_url"]["url"], 20_000_000)) for part in parts], role


def voyage(body: dict[str, Any]) -> tuple[list[Content], str]:
    fields = {"input_type", "truncation", "encoding_format", "output_dimension", "output_dtype"}
    _take(body, {"model", "input" if "input" in body else "inputs"}, fields)
    role = body.get("input_type", "")
    if "input" in body:
        return [text_content(text) for text in body["input"]], role
    parts = [part for item in body["inputs"] for part in item["content"]]
    contents = [
        text_content(part["text"])
        if part["type"] == "text"
        else image_content(_picture(part["image_base64"], 20_000_000))
        for part in parts
    ]
    if any(content.size[0] * content.size[1] > 16_000_000 for content in contents):
        raise Wrong("image has too many pixels")
    return contents, role


PROVIDERS: dict[str, Callable[[dict[str, Any]], tuple[list[Content], str]]] = {
    "openai/v1/embeddings": openai,
    "vllm/v1/embeddings": vllm,
    "vllm/pooling": vllm,
    "jina/v1/embeddings": jina,
    "cohere/v2/embed": cohere,
    "voyage/v1/multimodalembeddings": voyage,
    "voyage/v1/embeddings": voyage,
}

QUOTA = {
    "openai": (429, {"error": {"message": "No credits are left.", "type": "insufficient_quota"}}),
    "vllm": (402, {"error": "Payment Required"}),
    "jina": (403, {"code": "AUTHZ_INSUFFICIENT_BALANCE", "detail": "Top up your account."}),
    "cohere": (429, {"message": "You are using a Trial key, which is limited to 1000 API calls / month."}),
    "voyage": (402, {"detail": "Your account has run out of credits."}),
}
"""How each provider says that nothing is left to spend."""


def _message(provider: str, text: str) -> dict[str, Any]:
    forms = {
        "openai": {"error": {"message": text, "type": "invalid_request_error", "code": None}},
        "vllm": {"object": "error", "message": text, "type": "BadRequestError", "code": 400},
        "jina": {"detail": [{"loc": ["body"], "msg": text, "type": "value_error"}]},
        "cohere": {"id": "0", "message": text},
        "voyage": {"detail": text},
    }
    return forms[provider]


class Handler(BaseHTTPRequestHandler):
    """Answers one request as the provider does that its path names."""

    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True

    def log_message(self, *_: object) -> None:
        pass

    def do_POST(self) -> None:
        self.api: Api = self.server.api
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        with self.api.lock:
            self.api.requests.append((self.path, body))
            self.api.headers.append(dict(self.headers))
            self.api.times.append(time.monotonic())
            number = len(self.api.requests)
            self.api.under_way += 1
            self.api.most_under_way = max(self.api.most_under_way, self.api.under_way)
        try:
            if self.api.meet:
                self.api.meet.wait(10)
            self.answer(body, self.api.faults.get(number, self.api.always))
        finally:
            with self.api.lock:
                self.api.under_way -= 1

    def answer(self, body: dict[str, Any], fault: str) -> None:
        path = urlsplit(self.path).path.lstrip("/")  # a proxy is asked for a whole URL
        provider = path.partition("/")[0]
        if path not in PROVIDERS:
            self.reply(404, {"detail": "Not Found"})
        elif provider != "vllm" and self.headers.get("Authorization") != f"Bearer {KEY}":
            self.reply(401, _message(provider, f"Incorrect API key: {self.headers.get('Authorization')}"))
        elif fault and self.refuse(provider, fault):
            pass
        else:
            try:
                contents, role = PROVIDERS[path](body)
            except Wrong as error:
                self.reply(400, _message(provider, str(error)))
            else:
                self.vectors(provider, body, contents, role, fault)

    def refuse(self, provider: str, fault: str) -> bool:
        """Answer with an error, or not at all; say whether there is nothing left to do."""
        kind, _, detail = fault.partition(" ")
        if kind == "kill":
            os.kill(self.api.victim, signal.SIGKILL)
            self.close_connection = True
        elif kind == "drop":
            self.close_connection = True
        elif kind == "hang":
            time.sleep(float(detail))
            self.close_connection = True
        elif kind == "slow":
            time.sleep(float(detail))
            return False
        elif kind == "quota":
            status, said = QUOTA[provider]
            self.reply(status, said)
        elif kind == "html":
            self.send(502, b"<html><h1>Bad Gateway</h1></html>", {"Content-Type": "text/html"})
        elif kind.isdigit():
            headers = {"Retry-After": _retry_after(detail)} if detail else {}
            self.reply(
                int(kind), _message(provider, f"it went wrong with {self.headers['Authorization']}"), headers
            )
        else:
            return False
        return True

    def vectors(
        self, provider: str, body: dict[str, Any], contents: list[Content], role: str, fault: str
    ) -> None:
        time.sleep(self.api.delay)
        if body.get("task") == "token_embed" or body.get("return_multivector"):
            values = [multi(content, role) for content in contents]
        else:
            width = body.get("dimensions") or body.get("output_dimension") or WIDTH
            values = [single(content, role, width) for content in contents]
        forms = (body.get("encoding_format"), body.get("embedding_type"), *body.get("embedding_types", ()))
        entries = _spoilt(values, fault, as_base64="base64" in forms)
        data = json.dumps(_envelope(provider, body, contents, entries, fault)).encode()
        if fault == "early":
            data = data[: len(data) // 2]
        if fault == "cut":
            self.close_connection = True
            self.send(200, data[: len(data) // 2], {"Content-Length": str(len(data))})
            return
        self.send(200, data, {"Content-Type": "application/json"})
        if fault == "early":
            return
        with self.api.lock:
            self.api.paid.update(content.seed.hex() + role for content in contents)

    def reply(self, status: int, said: dict[str, Any], headers: dict[str, str] | None = None) -> None:
        self.send(status, json.dumps(said).encode(), {"Content-Type": "application/json", **(headers or {})})

    def send(self, status: int, data: bytes, headers: dict[str, str]) -> None:
        self.send_response(status)
        for name, value in {"Content-Length": str(len(data)), **headers}.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(data)


def _retry_after(detail: str) -> str:
    """Return seconds as they are, or as a date: `date 2` is in two seconds."""
    kind, _, seconds = detail.rpartition(" ")
    when = datetime.now(UTC) + timedelta(seconds=float(seconds))
    return format_datetime(when, usegmt=True) if kind == "date" else seconds


def _spoilt(values: list[NDArray[np.float32]], fault: str, *, as_base64: bool) -> list[Any]:
    """Return the vectors as they are sent, one thing wrong with the last."""
    last = values[-1].copy()
    if fault in {"NaN", "inf"}:
        last[..., 1] = np.nan if fault == "NaN" else np.inf
    elif fault == "zero":
        last[...] = 0
    elif fault == "short":
        last = last[..., :-1]
    elif fault == "dims":
        values = [value[..., :-1] for value in values]
        last = values[-1]
    values = [*values[:-1], last]
    if fault == "missing":
        values = values[:-1]
    if as_base64 and fault != "null":
        return [base64.b64encode(value.astype("<f4").tobytes()).decode() for value in values]
    entries = [value.tolist() for value in values]
    if fault == "null":
        entries[-1] = [None, *entries[-1][1:]]
    return entries


def _envelope(
    provider: str, body: dict[str, Any], contents: list[Content], entries: list[Any], fault: str
) -> dict[str, Any]:
    tokens = sum(PRICE[content.kind] for content in contents)
    if provider == "cohere":
        form = body["embedding_types"][0]
        kinds = {kind: sum(PRICE[c.kind] for c in contents if c.kind == kind) for kind in PRICE}
        billed = {"input_tokens": kinds["text"] or None, "image_tokens": kinds["image"] or None}
        return {"id": "0", "embeddings": {form: entries}, "meta": {"billed_units": billed}}
    name = "embedding"
    if body.get("task") == "token_embed":
        name = "data"
    elif body.get("return_multivector"):
        name = "embeddings"
    data = [{"object": "embedding", "index": i, name: entry} for i, entry in enumerate(entries)]
    if fault == "shuffled":
        data.reverse()
    if fault == "twice":
        data[-1]["index"] = 0
    usage = {"total_tokens": tokens}
    if provider == "voyage":
        usage |= {"text_tokens": 0, "image_pixels": 0, "video_pixels": 0}
    return {"object": "list", "model": f"{body['model']}-001", "data": data, "usage": usage}
