"""Arrays in .npy and .npz files, object arrays among them, of which nothing is ever executed.

numpy writes an object array as a pickle, and to unpickle is to run what a file asks for; here
`lib.data.array_pickle` reads it, which knows nothing that could be run.

Sizes: an array has the bytes that the file gives it, and a member of an archive may unpack to 64 times
the file and 16 MiB. VideoPose3D's own files shrink by less than a half.
"""

from __future__ import annotations

import re
import struct
import zipfile
import zlib
from collections.abc import Sequence
from contextlib import contextmanager
from pathlib import Path

import numpy as np

from lib.data.array_pickle import number_type, read_pickle, shaped, shown
from lib.data.clip import DatasetError
from lib.data.sources import reading

__all__ = ["read_npy", "read_npz"]

RATIO, FLOOR = 64, 2**24
PIECE = 2**20
# The header is a dict that numpy evaluates; what it really writes is no more than this.
HEADER = re.compile(
    r"\{'descr': '([^']{1,9})', 'fortran_order': (False|True), 'shape': \(([\dL, ]{0,200})\), \}\s*"
)


def read_npy(path: str | Path) -> np.ndarray:
    """The array of a .npy file, read-only. Raises DatasetError as `read_npz` does."""
    with reading(path):
        data = Path(path).read_bytes()
    return _array(data, str(path))


def read_npz(path: str | Path, names: Sequence[str]) -> dict[str, np.ndarray]:
    """The arrays of these names in an .npz archive, read-only: of numbers, or of objects.

    Objects are dicts (their keys names or integers), lists, tuples, strings, bytes, None, bools, numbers,
    and numpy's numbers and arrays. Raises DatasetError naming file and member for what is missing, damaged
    or too large, and for anything else that a pickle asks for, by its name.
    """
    arrays = {}
    for name in names:
        data = _member(Path(path), name)
        arrays[name] = _array(data, f"{path}: {name}")
    return arrays


def _member(path: Path, name: str) -> bytearray:
    place = f"{path}: {name}"
    with reading(path):
        limit = FLOOR + RATIO * path.stat().st_size
    data = bytearray()
    with _archive(path, name) as archive:
        if f"{name}.npy" not in archive.namelist():
            raise DatasetError(f"{place}: no such array in the archive")
        info = archive.getinfo(f"{name}.npy")
        if info.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
            raise DatasetError(f"{place}: compressed by method {info.compress_type}, not by deflate")
        if info.file_size > limit:
            raise DatasetError(f"{place}: claims to unpack to {info.file_size} bytes, more than {limit}")
        with archive.open(info) as file:  # it gives no more than that, and compares the checksum
            while piece := file.read(PIECE):
                data += piece
    return data


@contextmanager
def _archive(path: Path, name: str):
    try:
        with reading(path, name), zipfile.ZipFile(path) as archive:
            yield archive
    except (zipfile.BadZipFile, zlib.error, struct.error) as error:
        raise DatasetError(f"{path}: {name}: not an .npz archive, or damaged ({shown(error)})") from error


def _array(data: bytes | bytearray, place: str) -> np.ndarray:
    """The array in the bytes of a .npy file, of version 1 to 3 of the format."""
    view = memoryview(data).toreadonly()
    start = 10 if view[6:7] == b"\1" else 12
    end = start + int.from_bytes(view[8:start], "little")
    if view[:6] != b"\x93NUMPY" or view[6:8] not in (b"\1\0", b"\2\0", b"\3\0") or end > len(view):
        raise DatasetError(f"{place}: no .npy array, or truncated")
    header = HEADER.fullmatch(str(view[start:end], "latin-1"))
    if header is None:
        raise DatasetError(f"{place}: header: not as numpy writes it: {shown(bytes(view[start:end][:200]))}")
    descr, order = header[1], "F" if header[2] == "True" else "C"
    shape = tuple(int(number) for number in re.findall(r"\d{1,18}", header[3]))
    body = view[end:]
    if descr == "|O":
        array = read_pickle(body, place)
        if not isinstance(array, np.ndarray) or array.shape != shape:
            raise DatasetError(f"{place}: the pickle holds no array of shape {shape}, the header's")
        return array
    dtype = number_type(descr[1:], descr[:1])
    if dtype is None:
        raise DatasetError(f"{place}: header: of type {shown(descr)}, neither numbers nor objects")
    array = shaped(body, dtype, shape, order)
    if array is None:
        raise DatasetError(f"{place}: shape {shape} of {dtype} does not fit {len(body)} bytes")
    return array
