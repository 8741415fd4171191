"""HDF5 files that can fail: a full disk must end in an error, and HDF5 may crash the interpreter there.

HDF5 keeps what it could not write and tries again when the file is closed, and at the end of the
process; it does not survive that. Here a write that fails is remembered, HDF5 is told that it went
well, and the error is raised when the file, which is worthless then, has been closed.
"""

from __future__ import annotations

import io
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import h5py

__all__ = ["writing_file"]


class _Sink(io.RawIOBase):
    """A file for h5py that never fails; ``error`` is the first failure."""

    def __init__(self, path: Path):
        self.file = open(path, "w+b", buffering=0)
        self.error: OSError | None = None

    def write(self, data) -> int:
        size = memoryview(data).nbytes
        try:
            written = 0 if self.error is None else size
            while written < size:
                written += self.file.write(memoryview(data)[written:])
        except OSError as error:
            self.error = error
        return size

    def readinto(self, buffer) -> int:
        view = memoryview(buffer)
        read = self.file.readinto(view)
        if read < view.nbytes:  # what lies behind a failed write
            view[read:] = bytes(view.nbytes - read)
        return view.nbytes

    def truncate(self, size: int | None = None) -> int:
        try:
            return self.file.truncate(size)
        except OSError as error:
            self.error = self.error or error
            return size or 0

    def seek(self, offset: int, whence: int = os.SEEK_SET) -> int:
        return self.file.seek(offset, whence)

    def tell(self) -> int:
        return self.file.tell()

    def close(self) -> None:
        self.file.close()
        super().close()

    def readable(self) -> bool:
        return True

    writable = seekable = readable


@contextmanager
def writing_file(path: Path) -> Iterator[h5py.File]:
    """A new HDF5 file, open for writing. Raises OSError after closing it where a write failed."""
    sink = _Sink(path)
    try:
        try:
            with h5py.File(sink, "w") as file:
                yield file
        except BaseException:
            if sink.error is not None:  # then whatever happened next is a consequence
                raise sink.error from None
            raise
        if sink.error is None:
            try:
                os.fsync(sink.file.fileno())
            except OSError as error:
                sink.error = error
        if sink.error is not None:
            raise sink.error
    finally:
        sink.close()
