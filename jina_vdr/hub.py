"""The Hugging Face Hub: data sets at a pinned revision, file by file, and its errors as ours.

A revision never changes, so its list of files is kept in the cache: once fetched, a data set is read again
without any network call.
"""

import json
import logging
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from pathlib import Path

from jina_vdr.atomic import write_text
from jina_vdr.errors import DataError, first_line

DOWNLOADS = 8


class Hub:
    """Fetches data sets; `offline` never opens a connection. `cache` holds the lists of files."""

    def __init__(self, cache: Path, *, offline: bool = False) -> None:
        self.cache = cache
        self.offline = offline
        self._answered = False

    def names(self, repo: str, revision: str) -> tuple[str, ...]:
        """Return the names of all files of the data set."""
        listing = self.cache / "hub" / f"{repo.replace('/', '__')}@{revision}.json"
        with suppress(OSError, ValueError):  # a damaged list is as good as none
            return tuple(json.loads(listing.read_text()))
        if self.offline:
            raise _not_cached(repo)
        from huggingface_hub import HfApi

        with hub_errors(repo, revision, "data set"):
            self._knock()
            names = sorted(HfApi().list_repo_files(repo, revision=revision, repo_type="dataset"))
        write_text(listing, json.dumps(names))
        return tuple(names)

    def fetch(self, repo: str, revision: str, names: Sequence[str]) -> list[Path]:
        """Return local paths of the named files, from the Hub's own cache where they lie there."""
        from huggingface_hub import hf_hub_download, try_to_load_from_cache

        def one(name: str) -> Path:
            path = try_to_load_from_cache(repo, name, revision=revision, repo_type="dataset")
            if not isinstance(path, str):
                path = hf_hub_download(
                    repo, name, revision=revision, repo_type="dataset", local_files_only=self.offline
                )
            return Path(path)

        with hub_errors(repo, revision, "data set"), ThreadPoolExecutor(DOWNLOADS) as pool:
            return list(pool.map(one, names))

    def _knock(self) -> None:
        """Fail at once where nobody answers: the client itself would go on trying for half a minute."""
        from huggingface_hub import constants, get_session

        if not self._answered:
            get_session().head(constants.ENDPOINT, timeout=constants.HF_HUB_ETAG_TIMEOUT)
            self._answered = True


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
        raise DataError(
            "JV402", f"{repo} has no revision {revision}", "write the 40-hex commit that its page shows"
        ) from error
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
