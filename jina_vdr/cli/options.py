"""Options that several commands share; each can also be set as JINA_VDR_<OPTION>."""

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

if TYPE_CHECKING:
    from jina_vdr.catalog import Filters
    from jina_vdr.hub import Hub

Command = TypeVar("Command", bound=Callable[..., Any])


def option(flag: str, **settings: Any) -> Callable[[Command], Command]:
    """Return a click option that the variable JINA_VDR_<FLAG> sets too."""
    return click.option(flag, envvar="JINA_VDR_" + flag.strip("-").replace("-", "_").upper(), **settings)


def results_option(command: Command) -> Command:
    """Add --results."""
    return option(
        "--results",
        type=click.Path(path_type=Path, file_okay=False),
        default=Path("results"),
        show_default=True,
        help="Folder of result files.",
    )(command)


def cache_option(command: Command) -> Command:
    """Add --cache."""
    return option(
        "--cache",
        type=click.Path(path_type=Path),
        default=default_cache,
        help="Folder of vectors and OCR text.",
    )(command)


def offline_option(command: Command) -> Command:
    """Add --offline."""
    return option("--offline", is_flag=True, help="Open no network connection.")(command)


def hub_of(cache: Path, *, offline: bool) -> "Hub":
    """Return the Hub; offline when the user says so here or by HF_HUB_OFFLINE."""
    import os

    if offline:
        os.environ["HF_HUB_OFFLINE"] = "1"  # before huggingface_hub is imported: it reads it once
    from jina_vdr.hub import Hub

    return Hub(cache, offline=os.environ.get("HF_HUB_OFFLINE", "").upper() in {"1", "ON", "YES", "TRUE"})


def json_option(command: Command) -> Command:
    """Add --json."""
    return click.option("--json", "as_json", is_flag=True, help="Print JSON instead of a table.")(command)


def filter_options(command: Command) -> Command:
    """Add the filters over tasks; several filters intersect, several values of one are alternatives."""
    for flag, text in reversed(
        [
            ("--language", "Subsets in this language: deu, de, deu-Latn or German."),
            ("--domain", "Tasks of this domain."),
            ("--document-format", "Tasks with pages of this format (tables, charts, ...)."),
            ("--query-kind", "Tasks with queries of this kind (question, keyword, ...)."),
            ("--type", "Tasks of this type (VisualDocumentRetrieval, VisualSTS, ...)."),
        ]
    ):
        command = click.option(flag, multiple=True, metavar="X", help=text)(command)
    return command


def filters(values: dict[str, Any]) -> "Filters":
    """Take the filters out of a command's options."""
    from jina_vdr.catalog import Filters

    return Filters(
        languages=values.pop("language"),
        domains=values.pop("domain"),
        document_formats=values.pop("document_format"),
        query_formats=values.pop("query_kind"),
        types=values.pop("type"),
    )


def default_cache() -> Path:
    """Return `$XDG_CACHE_HOME/jina-vdr`, by default `~/.cache/jina-vdr`."""
    import os

    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "jina-vdr"


def read_config(ctx: click.Context, _parameter: click.Parameter, path: Path | None) -> None:
    """Make the settings in a YAML file the defaults of the command: flags and variables win over them."""
    if path is None:
        return
    from jina_vdr.errors import InvalidFile, near
    from jina_vdr.specfile import load

    settings = load(path).data
    known = {option.name: option for option in ctx.command.params if option.name != "config"}
    for key in settings:
        if key.replace("-", "_") not in known:
            raise InvalidFile("JV352", f"{path}: there is no setting '{key}'", near(key, map(str, known)))
    ctx.default_map = {key.replace("-", "_"): value for key, value in settings.items()}
