"""How long a command takes to answer: the median of nine starts of ours, and MTEB's.

python benchmarks/start.py
"""

import statistics
import subprocess
import sys
import time
from pathlib import Path

BIN = Path(sys.executable).parent
COMMANDS = (
    ("jina-vdr", "--help"),
    ("jina-vdr", "tasks", "list"),
    ("jina-vdr", "eval", "--model", "bm25", "--benchmark", "demo", "--dry-run"),
    ("mteb", "--help"),
)


def seconds(command: tuple[str, ...]) -> float:
    """Return the wall time of one run."""
    started = time.perf_counter()
    subprocess.run([str(BIN / command[0]), *command[1:]], check=True, capture_output=True)
    return time.perf_counter() - started


if __name__ == "__main__":
    for command in COMMANDS:
        runs = sorted(seconds(command) for _ in range(9))
        print(f"{statistics.median(runs):6.2f} s  {runs[0]:.2f} to {runs[-1]:.2f}  {' '.join(command)}")
