"""What a result was made with: versions and hardware, but no name of a person, a machine or a folder."""

import os
import platform
import sys
from datetime import UTC, datetime
from importlib import metadata
from pathlib import Path
from typing import Any

from jina_vdr import __version__

PACKAGES = (
    "bm25s",
    "numpy",
    "pillow",
    "pyarrow",
    "pymupdf",
    "pytrec-eval-terrier",
    "scipy",
    "sentence-transformers",
    "torch",
    "transformers",
)


def provenance(runtime: dict[str, Any], asked: dict[str, Any]) -> dict[str, Any]:
    """Return what is recorded beside a result and is no part of its identity.

    `runtime` is the model's, `asked` what the user set about it.
    """
    return {
        "jina_vdr": __version__,
        "started": datetime.now(UTC).isoformat(timespec="seconds"),
        "python": platform.python_version(),
        "packages": {name: version for name in PACKAGES if (version := _version(name))},
        "host": {
            "os": platform.system(),
            "machine": platform.machine(),
            "cpu": _cpu(),
            "cores": os.cpu_count(),
        },
        "device": _device(),
        "runtime": runtime,
        "asked": asked,
    }


def _version(package: str) -> str | None:
    try:
        return metadata.version(package)
    except metadata.PackageNotFoundError:
        return None


def _cpu() -> str:
    info = Path("/proc/cpuinfo")
    lines = info.read_text().splitlines() if info.exists() else []
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.processor()


def _device() -> str:
    """Name the GPU only where torch is in use: asking would load it."""
    torch = sys.modules.get("torch")
    return str(torch.cuda.get_device_name()) if torch and torch.cuda.is_available() else "cpu"
