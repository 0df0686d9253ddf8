"""On a terminal an evaluation shows how far it is and how long it will take; elsewhere it is silent."""

import fcntl
import os
import pty
import struct
import subprocess
import sys
import termios

from tests.replicas import text_task


def stderr_of_an_evaluation(root, stderr):
    places = ["--task", root / "replica.yaml", "--results", root / "results", "--cache", root / "cache"]
    command = [sys.executable, "-m", "jina_vdr", "eval", "--model", "fake", *map(str, places)]
    return subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=stderr)


def on_a_terminal(root):
    """Return what a terminal of 120 columns is sent."""
    ours, theirs = pty.openpty()
    fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", 30, 120, 0, 0))
    process = stderr_of_an_evaluation(root, theirs)
    os.close(theirs)
    sent = b""
    try:
        while part := os.read(ours, 65536):
            sent += part
    except OSError:  # Linux ends the terminal of a process that has gone with an error
        pass
    assert process.wait() == 0
    return sent.decode()


def test_bars_tell_rate_and_time_left_of_subsets_pages_and_queries(tmp_path):
    text_task(tmp_path)
    sent = on_a_terminal(tmp_path)
    for bar in ("Replica:   0%", "encode pages:   0%", "encode queries:   0%", "score:   0%"):
        assert bar in sent
    for unit in ("0/2 [00:00<?, ?subset/s]", "0/24 [00:00<?, ?page/s]", "0/10 [00:00<?, ?query/s]"):
        assert unit in sent


def test_in_a_log_there_are_no_bars(tmp_path):
    text_task(tmp_path)
    process = stderr_of_an_evaluation(tmp_path, subprocess.PIPE)
    said = process.communicate()[1].decode().splitlines()
    assert [line.split()[0] for line in said] == ["model", "task", "result:", "next:"]
