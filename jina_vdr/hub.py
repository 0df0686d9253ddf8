"""The Hugging Face Hub: data sets at a pinned revision, file by file, and its errors as ours.

A revision never changes, so the list of its files and their sizes is kept in the cache: once fetched, a data
set is read again without any network call.
"""

import json
import logging
import shutil
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from functools import partial
from pathlib import Path

from jina_vdr.atomic import write_text
from jina_vdr.errors import DataError, first_line

DOWNLOADS = 8
THREADS = "jina-vdr-download"
"""Downloads at a time, and how the names of their threads begin."""


class Hub:
    """Fetches data sets; `offline` never opens a connection. `cache` holds the lists of files."""

    def __init__(self, cache: Path, *, offline: bool = False) -> None:
        self.cache = cache
        self.offline = offline
        self._answered = False

    def files(self, repo: str, revision: str) -> dict[str, int]:
        """Return all files of the data set: name -> bytes."""
        listing = self.cache / "hub" / f"{repo.replace('/', '__')}@{revision}.json"
        with suppress(OSError, ValueError):  # a damaged list is as good as none, and one without sizes
            known = json.loads(listing.read_text())
            if isinstance(known, dict):
                return dict(known)
        if self.offline:
            raise _not_cached(repo)
        from huggingface_hub import HfApi
        from huggingface_hub.hf_api import RepoFile

        with hub_errors(repo, revision, "data set"):
            self._knock()
            tree = HfApi().list_repo_tree(repo, recursive=True, revision=revision, repo_type="dataset")
            sizes = {entry.path: entry.size for entry in tree if isinstance(entry, RepoFile)}
        write_text(listing, json.dumps(sizes, sort_keys=True))
        return dict(sorted(sizes.items()))

    def cached(self, repo: str, revision: str, name: str) -> Path | None:
        """Return where the file lies in the Hub's own cache, None where it does not."""
        from huggingface_hub import try_to_load_from_cache

        with hub_errors(repo, revision, "data set"):
            path = try_to_load_from_cache(repo, name, revision=revision, repo_type="dataset")
        return Path(path) if isinstance(path, str) else None

    def fetch(self, repo: str, revision: str, names: Sequence[str]) -> list[Path]:
        """Return local paths of the named files, from the Hub's own cache where they lie there."""
        with downloads() as pool:
            return list(pool.map(partial(self.fetch_file, repo, revision), names))

    def fetch_file(self, repo: str, revision: str, name: str) -> Path:
        """Return the local path of one file, as `fetch` does."""
        from huggingface_hub import hf_hub_download

        if path := self.cached(repo, revision, name):  # the client's download would look for news of itself
            return path
        with hub_errors(repo, revision, "data set"):
            return Path(
                hf_hub_download(
                    repo, name, revision=revision, repo_type="dataset", local_files_only=self.offline
                )
            )

    def commit(self, repo: str, revision: str) -> str:
        """Return the commit, 40 hex digits, that a branch, a tag or a commit of the data set names now."""
        from huggingface_hub import HfApi

        if self.offline:
            raise DataError(
                "JV401", f"{repo}: only the Hub knows which commit '{revision}' is", "go online for it"
            )
        with hub_errors(repo, revision, "data set"):
            self._knock()
            return str(HfApi().dataset_info(repo, revision=revision, expand=["sha"]).sha)

    def _knock(self) -> None:
        """Fail at once where nobody answers: the client itself would go on trying for half a minute."""
        from huggingface_hub import constants, get_session

        if not self._answered:
            get_session().head(constants.ENDPOINT, timeout=constants.HF_HUB_ETAG_TIMEOUT)
            self._answered = True


@contextmanager
def downloads() -> Iterator[ThreadPoolExecutor]:
    """Give threads to fetch with; an interrupt does not wait for what is under way."""
    pool = ThreadPoolExecutor(DOWNLOADS, thread_name_prefix=THREADS)
    wait = True
    try:
        yield pool
    except KeyboardInterrupt:
        wait = False
        raise
    finally:
        pool.shutdown(wait, cancel_futures=True)


def free_space() -> tuple[Path, int]:
    """Return the folder of the Hub's own cache, and the bytes that its disk has free."""
    from huggingface_hub import constants

    folder = Path(constants.HF_HUB_CACHE)
    there = next(path for path in (folder, *folder.absolute().parents) if path.exists())
    return folder, shutil.disk_usage(there).free


@contextmanager
def without_bars() -> Iterator[None]:
    """Silence the client's own progress bars, one a file, while the block lasts."""
    from huggingface_hub.utils.tqdm import (
        are_progress_bars_disabled,
        disable_progress_bars,
        enable_progress_bars,
    )

    shown = not are_progress_bars_disabled()
    if shown:
        disable_progress_bars()
    try:
        yield
    finally:
        if shown:
            enable_progress_bars()


def is_offline() -> bool:
    """Say whether HF_HUB_OFFLINE forbids connections."""
    from huggingface_hub import constants

    return bool(constants.HF_HUB_OFFLINE)


@contextmanager
def hub_errors(repo: str, revision: str | None, kind: str) -> Iterator[None]:
    """Turn what can go wrong with a data set or model (`kind`) on the Hub into one DataError."""
    from huggingface_hub import errors

    logging.getLogger("huggingface_hub").setLevel(logging.ERROR)  # its retries would drown our one line
    try:
        yield
    except errors.HFValidationError as error:
        raise DataError("JV402", f"'{repo}' cannot be the name of a {kind}", "write org/name") from error
    except errors.GatedRepoError as error:
        raise DataError(
            "JV403", f"{repo} is gated", "accept its terms on its page and set HF_TOKEN to a token of yours"
        ) from error
    except errors.RepositoryNotFoundError as error:
        raise DataError(
            "JV402",
            f"there is no {kind} {repo} on the Hub",
            "mend the name, or set HF_TOKEN if it is private",
        ) from error
    except errors.RevisionNotFoundError as error:
        hint = "write the 40-hex commit that its page shows"
        if kind == "data set":
            hint += ", or let jina-vdr tasks pin do it"
        raise DataError("JV402", f"{repo} has no revision {revision}", hint) from error
    except (errors.LocalEntryNotFoundError, errors.OfflineModeIsEnabled) as error:
        raise _no_answer(repo, error.__cause__) from error
    except errors.HTTPError as error:  # type: ignore[attr-defined]  # httpx's own
        raise _no_answer(repo, error) from error
    except (OSError, RuntimeError) as error:  # RuntimeError: all that the client of the Xet storage knows
        if getattr(error, "errno", None) is not None:  # the disk's own
            raise
        raise DataError(
            "JV401", f"{repo}: a file did not arrive ({first_line(error)})", "run the same command again"
        ) from error


def _no_answer(repo: str, cause: BaseException | None) -> DataError:
    """Return the error for a file that is not in the cache, and that the Hub did not give for `cause`."""
    from huggingface_hub import errors

    if not isinstance(cause, errors.HTTPError):  # type: ignore[attr-defined]
        return _not_cached(repo)
    if getattr(getattr(cause, "response", None), "status_code", None) in {401, 403}:
        return DataError(
            "JV403",
            f"{repo}: the Hub refuses access",
            "set HF_TOKEN to a token that may read it, or unset it",
        )
    return DataError(
        "JV401",
        f"{repo}: the Hub cannot be reached ({first_line(cause)})",
        "check the connection; what is in the cache works with --offline",
    )


def _not_cached(repo: str) -> DataError:
    return DataError(
        "JV401", f"{repo} is not in the cache and cannot be fetched", "go online once to fetch it"
    )
