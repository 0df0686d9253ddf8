"""A Hub on this machine: folders served over HTTP in the way that huggingface_hub asks for them."""

import hashlib
import json
import os
import re
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from functools import partial
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import parse_qs, unquote, urlsplit

TOKEN = "hf_MayNeverBeWrittenAnywhere"
"""The one token that opens private repositories."""

PAGE = 3
"""Files in one page of a listing: the Hub has 1,000."""

STORAGE = {"X-Xet-Access-Token": "token", "X-Xet-Token-Expiration": "4102444800"}

TREE = re.compile(r"/api/(datasets|models)/([^/]+/[^/]+)/tree/([^/]+)")
INFO = re.compile(r"/api/(datasets|models)/([^/]+/[^/]+?)(?:/revision/([^/]+))?")
FILE = re.compile(r"/(datasets/)?([^/]+/[^/]+)/resolve/([^/]+)/(.+)")


@dataclass(frozen=True)
class Repo:
    """One commit; `refs` are the branches and tags that name it, `parent` is the commit before.

    `access`: open, private (only with the token), gated (lists its files, gives none).
    """

    commit: str
    folder: Path
    access: str = "open"
    refs: tuple[str, ...] = ("main",)
    parent: "Repo | None" = None

    def at(self, revision: str) -> "Repo | None":
        """Return the commit that a branch, a tag or 40 hex digits name."""
        if revision in {*self.refs, self.commit}:
            return self
        return self.parent.at(revision) if self.parent else None

    @property
    def names(self) -> list[str]:
        paths = sorted(self.folder.rglob("*"))
        return [path.relative_to(self.folder).as_posix() for path in paths if path.is_file()]


@dataclass
class Hub:
    """What is served, by `datasets/org/name` or `models/org/name`, and what was asked for.

    `faults`: repositories, or files as `org/name/file`, that arrive cut, that wait (hang) until `go_on` is
    set, that lie in a storage that fails, or that are said to be huge.
    """

    url: str
    repos: dict[str, Repo] = field(default_factory=dict)
    faults: dict[str, str] = field(default_factory=dict)
    requests: list[str] = field(default_factory=list)
    go_on: threading.Event = field(default_factory=threading.Event)

    def add(self, name: str, folder: Path, access: str = "open") -> str:
        """Serve a folder; return its commit."""
        commit = hashlib.sha1(name.encode()).hexdigest()
        self.repos[name] = Repo(commit, folder, access)
        return commit

    def push(self, name: str, folder: Path, tag: str) -> str:
        """Make a folder the next commit of a repository; return it. The one before is reached by `tag`."""
        before = replace(self.repos[name], refs=(tag,))
        commit = hashlib.sha1(before.commit.encode()).hexdigest()
        self.repos[name] = Repo(commit, folder, before.access, parent=before)
        return commit

    @property
    def fetched(self) -> list[str]:
        """The files that were downloaded, as `org/name/file`."""
        found = [FILE.fullmatch(request.removeprefix("GET ")) for request in self.requests]
        return sorted(f"{file[2]}/{file[4]}" for file in found if file)


@contextmanager
def hub_server() -> Iterator[Hub]:
    """Run a Hub while the block lasts."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.hub = Hub(f"http://127.0.0.1:{server.server_port}")
    threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True).start()
    try:
        yield server.hub
    finally:
        server.shutdown()
        server.server_close()


def environment(home: Path, endpoint: str, **more: str) -> dict[str, str]:
    """Return the environment of a machine of which nothing is known: empty caches in `home`, no settings."""
    foreign = ("HF_", "HUGGING", "JINA_VDR_", "XDG_", "TRANSFORMERS_", "SENTENCE_TRANSFORMERS_")
    kept = {key: value for key, value in os.environ.items() if not key.upper().startswith(foreign)}
    hub = {"HF_HOME": str(home / "hf"), "HF_ENDPOINT": endpoint, "HF_XET_CLIENT_RETRY_MAX_ATTEMPTS": "0"}
    return {**kept, "HOME": str(home), "NO_PROXY": "127.0.0.1", **hub, **more}


def run(home: Path, endpoint: str, *arguments: object, **more: str) -> subprocess.CompletedProcess[str]:
    """Run `jina-vdr` in a process of its own: huggingface_hub reads its settings once."""
    return _python(["-m", "jina_vdr", *map(str, arguments)], home, environment(home, endpoint, **more))


BLOCKED = """
import os, sys
def refuse(event, arguments):
    if event in {"socket.connect", "socket.getaddrinfo", "socket.gethostbyname", "socket.sendto"}:
        os.write(2, f"network: {event} {arguments[1:]}".encode())
        os._exit(99)
sys.addaudithook(refuse)
from jina_vdr.cli import main
sys.exit(main(sys.argv[1:]))
"""


def run_blocked(
    home: Path, endpoint: str, *arguments: object, **more: str
) -> subprocess.CompletedProcess[str]:
    """Run `jina-vdr` in a process that ends with 99 when it connects to anything or looks up an address."""
    return _python(["-c", BLOCKED, *map(str, arguments)], home, environment(home, endpoint, **more))


SEVERAL = """
import json, sys
from jina_vdr.cli import main
commands, missing = map(json.loads, sys.argv[1:])
if missing:
    sys.modules[missing] = None  # an import of it now raises ModuleNotFoundError
print("codes", [main(command) for command in commands])
"""


def run_several(
    home: Path, endpoint: str, commands: list[list[str]], missing: str = ""
) -> subprocess.CompletedProcess[str]:
    """Run commands in one process, as if the package `missing` were not installed; print their codes."""
    arguments = ["-c", SEVERAL, json.dumps(commands), json.dumps(missing)]
    return _python(arguments, home, environment(home, endpoint))


def _python(arguments: list[str], home: Path, env: dict[str, str]) -> subprocess.CompletedProcess[str]:
    home.mkdir(parents=True, exist_ok=True)
    command = [sys.executable, *arguments]
    return subprocess.run(command, cwd=home, env=env, capture_output=True, text=True, timeout=120)


class Handler(BaseHTTPRequestHandler):
    """Answers one request as the Hub does."""

    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True

    def do_HEAD(self) -> None:
        self.do_GET()

    def do_GET(self) -> None:
        self.hub: Hub = self.server.hub
        path = unquote(urlsplit(self.path).path)
        self.hub.requests.append(f"{self.command} {path}")
        if found := TREE.fullmatch(path):
            self.open(found[1], found[2], found[3], self.list_files)
        elif found := INFO.fullmatch(path):
            self.open(found[1], found[2], found[3] or "main", self.describe)
        elif found := FILE.fullmatch(path):
            kind = "datasets" if found[1] else "models"
            self.open(kind, found[2], found[3], partial(self.send_file, file=found[4]))
        elif path == "/storage":
            self.reply(200, b"", {"X-Xet-Cas-Url": self.hub.url, **STORAGE})
        elif path == "/api/agent-harnesses":  # the client asks once a day
            self.reply_json({"standardEnvVars": [], "harnesses": {}})
        else:
            self.reply(200 if path == "/" else 404, b"")

    def open(self, kind: str, name: str, revision: str, then) -> None:
        """Go on with the repository, or say why not."""
        token = self.headers.get("Authorization")
        repo = self.hub.repos.get(f"{kind}/{name}")
        if token and token != f"Bearer {TOKEN}":
            self.reply(401, b"", {"X-Error-Message": "Invalid credentials in Authorization header"})
        elif repo is None or (repo.access == "private" and not token):
            self.refuse(404 if token else 401, "RepoNotFound")
        elif repo.at(revision) is None:
            self.refuse(404, "RevisionNotFound")
        elif repo.access == "gated" and "/resolve/" in self.path:
            self.refuse(403 if token else 401, "GatedRepo")
        else:
            then(name, repo.at(revision))

    def list_files(self, name: str, repo: Repo) -> None:
        huge = self.hub.faults.get(name) == "huge"
        start = int(parse_qs(urlsplit(self.path).query).get("cursor", ["0"])[0])
        files = [
            {
                "type": "file",
                "path": file,
                "size": 10**18 if huge else size(repo, file),
                "oid": oid(repo, file),
            }
            for file in repo.names[start : start + PAGE]
        ]
        folders = [{"type": "directory", "path": "folder", "oid": "0" * 40}] if start == 0 else []
        more = start + PAGE < len(repo.names)
        address = f"{self.hub.url}{urlsplit(self.path).path}?recursive=True&cursor={start + PAGE}"
        self.reply_json([*folders, *files], {"Link": f'<{address}>; rel="next"'} if more else {})

    def describe(self, name: str, repo: Repo) -> None:
        siblings = [{"rfilename": file} for file in repo.names]
        self.reply_json({"id": name, "sha": repo.commit, "siblings": siblings})

    def send_file(self, name: str, repo: Repo, file: str) -> None:
        headers = {"X-Repo-Commit": repo.commit}
        if file not in repo.names:
            self.refuse(404, "EntryNotFound", headers)
            return
        data = (repo.folder / file).read_bytes()
        fault = self.hub.faults.get(f"{name}/{file}", self.hub.faults.get(name))
        if fault == "cut" and self.command == "GET":
            data = data[: len(data) // 2]
        elif fault == "hang" and self.command == "GET":
            self.hub.go_on.wait(60)
        elif fault == "storage":
            headers |= {"X-Xet-Hash": "a" * 64, "X-Xet-Refresh-Route": f"{self.hub.url}/storage"}
        self.reply(200, data, {"ETag": f'"{oid(repo, file)}"', **headers})

    def refuse(self, status: int, code: str, headers: dict[str, str] | None = None) -> None:
        self.reply(status, b"", {"X-Error-Code": code, **(headers or {})})

    def reply_json(self, content: object, headers: dict[str, str] | None = None) -> None:
        self.reply(200, json.dumps(content).encode(), {"Content-Type": "application/json", **(headers or {})})

    def reply(self, status: int, body: bytes, headers: dict[str, str] | None = None) -> None:
        self.send_response(status)
        for key, value in {**(headers or {}), "Content-Length": str(len(body))}.items():
            self.send_header(key, value)
        self.end_headers()
        if self.command == "GET":
            self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        pass


def size(repo: Repo, name: str) -> int:
    return (repo.folder / name).stat().st_size


def oid(repo: Repo, name: str) -> str:
    return hashlib.sha1((repo.folder / name).read_bytes()).hexdigest()
