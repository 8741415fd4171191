"""Damaged files for the tests of what reads them: broken bytes, and what a reader may answer to them.

A fuzz test of a reader looks like this:

    @settings(max_examples=300, deadline=None, derandomize=True, database=None)
    @given(damaged(WHOLE))
    def test_damaged_files_are_refused(tmp_path_factory, data):
        path = tmp_path_factory.mktemp("damaged") / "annot.mat"
        path.write_bytes(data)
        with only_dataset_errors(path), limited(seconds=5, memory_mib=200):
            read(path)
"""

import faulthandler
import random
import resource
import signal
import struct
import sys
import threading
import tracemalloc
from contextlib import contextmanager
from pathlib import Path

import pytest
from hypothesis import strategies as st

from lib.data.clip import DatasetError

MIB = 1 << 20
LONGEST = 500  # characters of a message that still is one line of a terminal or two
HUGE = (
    0x7F, 0xFF, 0x100, 0x7FFF, 0xFFFF, 0x10000, 0x7FFFFFFF, 0x80000000, 0xFFFFFFFF,
    1 << 32, 1 << 40, (1 << 63) - 1, 1 << 63, (1 << 64) - 1,
)  # fmt: skip


def damaged(data: bytes, most: int = 3):
    """A hypothesis strategy: ``data`` with one to ``most`` damages, each as `damage` makes them."""
    # One drawn number in place of a draw for each choice: ten times as many files in a second.
    return st.integers(0, 2**64 - 1).map(lambda seed: damage(data, seed, most))


def damage(data: bytes, seed: int, most: int = 3) -> bytes:
    """``data`` with one to ``most`` damages, the same for the same seed.

    Cut off, bytes and bits flipped, ranges zeroed, set to 0xFF, removed, doubled or copied from another
    place, numbers of 1, 2, 4 and 8 bytes (such as lengths) replaced by large ones of either byte order.
    Half of the damages are near the beginning or the end, where formats keep their lengths and tables.
    The result may equal ``data`` now and then.
    """
    chance = random.Random(seed)
    broken = bytearray(data)
    for _ in range(chance.randint(1, most)):
        if broken:
            _damage_once(chance, broken)
    return bytes(broken)


def _damage_once(chance: random.Random, broken: bytearray) -> None:
    kind = chance.choice(("byte", "bit", "cut", "length", "range", "splice", "bytes"))
    place = _place(chance, len(broken))
    if kind == "cut":
        del broken[place:]
    elif kind == "byte":
        broken[place] = chance.randrange(256)
    elif kind == "bit":
        broken[place] ^= 1 << chance.randrange(8)
    elif kind == "bytes":
        new = chance.randbytes(chance.randint(1, 16))
        broken[place : place + len(new)] = new
    elif kind == "length":
        order, size = chance.choice("<>"), chance.choice("BHIQ")
        width = struct.calcsize(size)
        number = chance.choice([n for n in HUGE if n < 1 << 8 * width])
        broken[place : place + width] = struct.pack(order + size, number)
    else:
        length = chance.randint(1, max(1, min(4096, len(broken) // 4)))
        if kind == "range":
            present = len(broken[place : place + length])
            broken[place : place + length] = chance.choice((b"\0", b"\xff", b"")) * present
        else:
            start = _place(chance, len(broken))
            piece = bytes(broken[start : start + length])
            end = place if chance.random() < 0.5 else place + len(piece)
            broken[place:end] = piece


def _place(chance: random.Random, length: int) -> int:
    edge = min(length, 512)
    near = chance.choice(("anywhere", "anywhere", "head", "tail"))
    if near == "head":
        return chance.randrange(edge)
    if near == "tail":
        return length - 1 - chance.randrange(edge)
    return chance.randrange(length)


@contextmanager
def only_dataset_errors(*paths: str | Path):
    """Passes when the body succeeds or raises a DatasetError that a user can use; all else fails.

    A usable message names one of ``paths`` in full, is a single line of under 500 characters, and holds
    no traceback.
    """
    try:
        yield
    except DatasetError as error:
        text = str(error)
        if not any(str(path) in text for path in paths):
            pytest.fail(f"names none of {[str(path) for path in paths]}: {text!r}")
        if len(text.splitlines()) != 1 or "Traceback" in text:
            pytest.fail(f"not a single line: {text!r}")
        if len(text) >= LONGEST:
            pytest.fail(f"{len(text)} characters, {LONGEST} are too many: {text!r}")


@contextmanager
def limited(seconds: float = 10, memory_mib: int | None = None):
    """Fails the test where its body takes longer than ``seconds`` or more than ``memory_mib`` at once.

    Time: an alarm between two Python instructions; a library that hangs in its own code ends the whole
    test process after ten times as long, with the stack printed. Memory: the peak of what Python and
    numpy asked for, touched or not, and the growth of the process's own peak for the libraries that
    allocate for themselves. Counting slows Python code a few times, so it is off by default.
    """
    alarm = threading.current_thread() is threading.main_thread()

    def too_long(signum, frame):
        # An outcome of pytest is no Exception, so no reader can take it for damage and swallow it.
        pytest.fail(f"took longer than {seconds} s")

    resident = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    counting = memory_mib is not None
    nested = tracemalloc.is_tracing()
    before = 0
    if counting:
        if not nested:
            tracemalloc.start(1)
        tracemalloc.reset_peak()
        before = tracemalloc.get_traced_memory()[0]
    if alarm:
        previous = signal.signal(signal.SIGALRM, too_long)
        signal.setitimer(signal.ITIMER_REAL, seconds)
    faulthandler.dump_traceback_later(10 * seconds, exit=True, file=sys.__stderr__)
    peak = 0
    try:
        yield
    finally:
        faulthandler.cancel_dump_traceback_later()
        if alarm:
            signal.setitimer(signal.ITIMER_REAL, 0)
            signal.signal(signal.SIGALRM, previous)
        if counting:
            peak = tracemalloc.get_traced_memory()[1] - before
            if not nested:
                tracemalloc.stop()
            grown = (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - resident) * 1024
            peak = max(peak, grown)
            if peak > memory_mib * MIB:
                pytest.fail(f"took {peak / MIB:.0f} MiB, more than {memory_mib}")
