"""Options that several commands share; each can also be set as JINA_VDR_<OPTION>."""

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

if TYPE_CHECKING:
    from jina_vdr.catalog import Filters
    from jina_vdr.hub import Hub
    from jina_vdr.model import Options

Command = TypeVar("Command", bound=Callable[..., Any])


def option(flag: str, *name: str, **settings: Any) -> Callable[[Command], Command]:
    """Return a click option that the variable JINA_VDR_<FLAG> sets too."""
    variable = "JINA_VDR_" + flag.removeprefix("--").replace("-", "_").upper()
    return click.option(flag, *name, envvar=variable, **settings)


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
        show_default="~/.cache/jina-vdr",
        help="Folder of vectors, OCR text and lists of files.",
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
    return option("--json", "as_json", is_flag=True, help="Print JSON instead of a table.")(command)


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
        command = option(flag, multiple=True, metavar="X", help=text)(command)
    return command


MODEL_OPTIONS: dict[str, tuple[Any, str]] = {
    "--vector-type": (click.Choice(["single", "multi", "both"]), "One vector a page, one a token, or both."),
    "--truncate-dim": (click.IntRange(min=1), "Cut single vectors to N dimensions."),
    "--similarity": (click.Choice(["cosine", "dot", "maxsim", "meanmaxsim"]), "Not the model's own."),
    "--max-pixels": (click.IntRange(min=1), "Scale page images down to N pixels."),
    "--document-input": (click.Choice(["image", "text", "ocr"]), "What of a page is encoded."),
    "--query-prompt": (str, "Text before each query, instead of the model's own."),
    "--document-prompt": (str, "Text before each page's text, instead of the model's own."),
    "--adapter": (str, "Which of the model's adapters: retrieval, text-matching, code."),
    "--dtype": (click.Choice(["float32", "bfloat16", "float16"]), "Precision of the model."),
    "--attention": (click.Choice(["sdpa", "eager", "flash_attention_2"]), "How attention is computed."),
    "--image-backend": (click.Choice(["pil", "torchvision"]), "What scales images."),
    "--device": (str, "cpu, cuda, mps; cuda:0,cuda:1 runs one process on each."),
    "--batch-size": (click.IntRange(min=1), "Items a forward pass; halved when memory runs out."),
    "--base-url": (str, "Where the server is that speaks the protocol."),
    "--concurrency": (click.IntRange(min=1), "Requests at a time."),
}


def model_options(command: Command) -> Command:
    """Add what can be set about a model."""
    trust = "Run code that comes with the checkpoint."
    command = option("--trust-remote-code", is_flag=True, default=None, help=trust)(command)
    for flag, (kind, text) in reversed(MODEL_OPTIONS.items()):
        command = option(flag, type=kind, help=text)(command)
    return command


def model_settings(values: dict[str, Any]) -> "Options":
    """Take what is set about a model out of a command's options."""
    from dataclasses import fields

    from jina_vdr.model import Options

    return Options(**{field.name: values.pop(field.name) for field in fields(Options)})


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
    """Make the settings in a YAML file the defaults of the command: flags and variables win over them.

    A setting is called like its flag. Raises InvalidFile for one that is not there or cannot have its value.
    """
    if path is None:
        return
    from jina_vdr.errors import near
    from jina_vdr.specfile import InvalidSpec, Problem, load

    spec = load(path)
    options = [option for option in ctx.command.params if option.name != "config"]
    known = {option.opts[-1].removeprefix("--"): option for option in options}
    ctx.default_map = settings = {}
    problems = []
    for name, value in spec.data.items():
        where, option = spec.where((name,)), known.get(name.replace("_", "-"))
        if option is None:
            hint = near(name, known) or f"known: {', '.join(known)}"
            problems.append(Problem("JV311", where, f"there is no setting '{name}'", hint))
        elif value is not None:
            try:
                settings[option.name] = said = _as_typed(option, value)
                option.type_cast_value(ctx, said)
            except (click.BadParameter, TypeError) as error:
                reason = error.message if isinstance(error, click.BadParameter) else str(error)
                problems.append(Problem("JV313", where, f"{name}: {reason.removesuffix('.')}"))
    if problems:
        raise InvalidSpec(problems)


def _as_typed(option: click.Parameter, value: Any) -> str | list[str]:
    """Return a value as it would be typed, a list for an option that may stand several times."""
    values = value if isinstance(value, list) and option.multiple else [value]
    if any(isinstance(item, list | dict | None) for item in values):
        raise TypeError(f"it takes {'a word or a list of words' if option.multiple else 'one word'}")
    typed = [str(item) for item in values]
    return typed if option.multiple else typed[0]
