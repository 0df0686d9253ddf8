"""The loop: every item once, batches of like sizes within a budget, ready before they are needed."""

import threading
import time

import pytest
import torch

from jina_vdr.encoders.loop import THREADS, WINDOW, Loop, Work
from jina_vdr.errors import DataError, OutOfMemory

SIZES = [(7 * i) % 101 + 1 for i in range(WINDOW + 70)]


class Seen:
    """Work on whole numbers, whose value is their size in tokens; it notes the batches that it meets."""

    def __init__(self, fits=10**9):
        self.fits, self.batches, self.prepared = fits, [], []

    def prepare(self, sizes):
        self.prepared.append(threading.current_thread().name)
        longest = max(sizes)
        return {"rows": torch.tensor([[size] * longest for size in sizes]), "sizes": sizes}

    def forward(self, inputs):
        rows = inputs["rows"]
        if rows.numel() > self.fits:
            raise torch.OutOfMemoryError("CUDA out of memory.\nTried to allocate 2 GiB.")
        self.batches.append(inputs["sizes"])
        return list(rows[:, :1].float())

    @property
    def work(self):
        return Work(lambda size: size, self.prepare, self.forward)


def run(seen, items=SIZES, loop=None, **settings):
    """Return the vectors by position, each of which must be there once."""
    loop = loop or Loop("m", torch.device("cpu"), **settings)
    found = [pair for part in loop.run(items, seen.work) for pair in zip(*part, strict=True)]
    assert sorted(i for i, _ in found) == list(range(len(items)))
    return {i: vector.item() for i, vector in found}


def padding(batches):
    return sum(len(batch) * max(batch) - sum(batch) for batch in batches)


def test_every_item_gets_its_own_vector():
    assert run(Seen()) == dict(enumerate(SIZES))
    assert run(Seen(), []) == {}


def test_batches_hold_like_sizes_the_heaviest_first_and_stay_within_the_budget():
    seen = Seen()
    run(seen)
    first = [size for batch in seen.batches for size in batch][:WINDOW]
    assert first == sorted(SIZES[:WINDOW], reverse=True)
    assert all(len(batch) * max(batch) <= 2048 for batch in seen.batches)
    as_they_come = [SIZES[i : i + 20] for i in range(0, len(SIZES), 20)]
    assert padding(seen.batches) < padding(as_they_come) / 2


def test_a_batch_size_is_a_limit_on_items():
    seen = Seen()
    run(seen, max_items=3)
    assert max(map(len, seen.batches)) == 3


def test_an_item_heavier_than_the_budget_goes_alone():
    seen = Seen()
    run(seen, [5000, 1, 1])
    assert seen.batches == [[5000], [1, 1]]


def test_where_memory_runs_out_batches_are_halved_and_stay_so():
    loop, seen = Loop("m", torch.device("cpu")), Seen(fits=500)
    assert run(seen, loop=loop) == dict(enumerate(SIZES))
    met = len(seen.batches)
    run(seen, loop=loop)
    assert all(len(batch) * max(batch) <= 500 for batch in seen.batches)
    again = Seen(fits=10**9)
    run(again, loop=loop)
    assert all(len(batch) * max(batch) <= 512 for batch in again.batches)
    assert met > 20


def test_one_item_that_does_not_fit_ends_the_run():
    with pytest.raises(OutOfMemory, match="m does not fit into memory with one item a batch") as refused:
        run(Seen(fits=50), [51])
    assert refused.value.code == "JV501"
    assert "\n" not in str(refused.value)


def test_batches_are_prepared_ahead_in_threads_and_not_all_at_once():
    seen, waiting = Seen(), threading.Event()

    def forward(inputs):
        waiting.wait(0.1)
        ready.append(len(seen.prepared))
        return seen.forward(inputs)

    ready = []
    work = Work(lambda size: size, seen.prepare, forward)
    done = 0
    for positions, _ in Loop("m", torch.device("cpu"), 1).run(SIZES[:60], work):
        done += len(positions)
        assert len(seen.prepared) <= done + 2 * THREADS + 4
    assert ready[0] > 1
    assert all(name.startswith("jina-vdr-prepare") for name in seen.prepared)


def test_an_item_that_cannot_be_read_ends_the_run_with_its_own_error():
    def prepare(sizes):
        time.sleep(0.02)
        if 3 in sizes:
            raise DataError("JV411", "page '3' is no image")
        return Seen().prepare(sizes)

    work = Work(lambda size: size, prepare, Seen().forward)
    with pytest.raises(DataError, match="page '3'"):
        list(Loop("m", torch.device("cpu"), 1).run(list(range(1, 40)), work))
    assert not [thread for thread in threading.enumerate() if thread.name.startswith("jina-vdr-prepare")]
