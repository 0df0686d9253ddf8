"""Pages a second of a local model: its bare forward passes, our loop, and one page at a time as peers run it.

python benchmarks/encoding.py MODEL [--pages N] [--device D] [--dtype T] [--max-pixels N]

MODEL is whatever `--model` takes and runs in torch here, a checkpoint of random weights for instance. The
pages are those of the demo, in turn. `forward` gets batches that are ready on the device, the same as `ours`
makes; `one by one` decodes, prepares, runs and fetches each page before the next.
"""

import argparse
import itertools
import time
from collections.abc import Callable, Iterator

import torch

from jina_vdr.catalog import find_task
from jina_vdr.data import load_data
from jina_vdr.encoders.loop import Batch, Inputs, Work, preparing
from jina_vdr.encoders.making import make_encoder
from jina_vdr.encoders.torch_encoder import TorchEncoder
from jina_vdr.hub import Hub
from jina_vdr.model import Options
from jina_vdr.records import Collection, Page
from jina_vdr.resolution import resolve


def demo_pages(count: int) -> list[Page]:
    """Return so many pages of the demo; they come again from the start when it ends."""
    task = find_task("DemoPages")
    parts = (load_data(task, subset, task.eval_splits[0], Hub(task.root)) for subset in task.subsets)
    pages = [page for part in parts if isinstance(part, Collection) for page in part.corpus]
    return list(itertools.islice(itertools.cycle(pages), count))


def ours(encoder: TorchEncoder, pages: list[Page]) -> None:
    """Encode as an evaluation does."""
    for _ in encoder.encode_documents(pages):
        pass


def one_by_one(encoder: TorchEncoder, pages: list[Page]) -> None:
    """Encode as peers do: batch 1, nothing ahead."""
    for page in pages:
        ours(encoder, [page])


def ready_batches(encoder: TorchEncoder, pages: list[Page]) -> tuple[Work[Page], list[Inputs]]:
    """Return the batches of `ours`, prepared and on the device."""
    work = Work(encoder._page_tokens, encoder._prepare_pages, encoder._run_images)
    loop = encoder._loop
    with preparing() as pool:
        batches: Iterator[tuple[Batch, Inputs]] = loop._prepared(pages, work, pool)
        return work, [
            {name: value.to(encoder._device) for name, value in inputs.items()} for _, inputs in batches
        ]


def measure(name: str, count: int, device: torch.device, run: Callable[[], None]) -> None:
    """Print the median of three runs, after one that is not counted."""
    seconds = []
    for _ in range(4):
        started = time.perf_counter()
        run()
        if device.type == "cuda":
            torch.cuda.synchronize()
        seconds.append(time.perf_counter() - started)
    print(f"{name:<10} {count / sorted(seconds[1:])[1]:8.2f} pages/s")


def main() -> None:
    """Measure one model."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("model")
    parser.add_argument("--pages", type=int, default=256)
    for flag in ("--device", "--dtype"):
        parser.add_argument(flag)
    parser.add_argument("--max-pixels", type=int)
    said = parser.parse_args()
    options = Options(device=said.device, dtype=said.dtype, max_pixels=said.max_pixels)
    encoder = make_encoder(resolve(said.model, options))
    if not isinstance(encoder, TorchEncoder):
        parser.error(f"{said.model} does not run in torch here")
    pages = demo_pages(said.pages)
    work, ready = ready_batches(encoder, pages)

    def forward() -> None:
        for inputs in ready:
            work.forward(inputs)

    print(f"{encoder.info.name}, {len(pages)} pages, {len(ready)} batches, on {encoder._device}")
    measure("forward", len(pages), encoder._device, forward)
    measure("ours", len(pages), encoder._device, lambda: ours(encoder, pages))
    measure("one by one", len(pages), encoder._device, lambda: one_by_one(encoder, pages))


if __name__ == "__main__":
    main()
