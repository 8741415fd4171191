"""MATLAB's files: variables of the version 5 format, and of version 7.3, which is HDF5.

The version 5 reader is our own, since it must be safe on damaged files: each count and size that the
file claims is compared with the bytes that are there before anything is made of it. It reads numbers,
logical values, text and cells, which is what datasets hold, and refuses every other class.
Source: MathWorks, "MAT-File Format" (R2024b), chapter 1.

Version 7.3 is read by h5py, one dataset at a time, with the axes in MATLAB's order.
"""

from __future__ import annotations

import math
import struct
import zlib
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import h5py
import numpy as np

from lib.data.dataset import DatasetError
from lib.data.sources import reading

__all__ = ["load_v5", "open_v73", "v73_array", "v73_cells"]

# No variable of a dataset that is read here comes near it; memory is to stay under 2 GiB.
LARGEST = 2**30
# Deflate writes at most 1032 bytes for one; a claim beyond it is a damaged size.
DEFLATE = 1032
DEEPEST = 8
MOST_CELLS = 1 << 17
HDF5_SIGNATURE = b"\x89HDF\r\n\x1a\n"

MATRIX, COMPRESSED = 14, 15
# Types of data elements, and classes of arrays, by their number in the format.
ELEMENT = {1: "i1", 2: "u1", 3: "i2", 4: "u2", 5: "i4", 6: "u4", 7: "f4", 9: "f8", 12: "i8", 13: "u8"}
NUMERIC = {6: "f8", 7: "f4", 8: "i1", 9: "u1", 10: "i2", 11: "u2", 12: "i4", 13: "u4", 14: "i8", 15: "u8"}
CELL, CHAR = 1, 4
OTHER = {2: "struct", 3: "object", 5: "sparse array", 16: "function handle", 17: "opaque object"}
TEXT = {1: "latin-1", 2: "latin-1", 4: "utf-16", 16: "utf-8", 17: "utf-16", 18: "utf-32"}
COMPLEX, LOGICAL = 0x0800, 0x0200


def load_v5(path: str | Path, names: Iterable[str]) -> dict[str, np.ndarray]:
    """The named variables of a MATLAB version 5 file, in the class and shape that MATLAB gave them.

    Numbers come in their class's type, logical values as bool, text as an array of its rows (str), a cell
    array as an object array of such arrays. Raises DatasetError when the file is of another format, is
    damaged, lacks a variable, or has one of another class (struct, sparse, complex).
    """
    path, names = Path(path), tuple(names)
    with reading(path), open(path, "rb") as file:
        order = _byte_order(path, file.read(128))
        length = file.seek(0, 2)
        found: dict[str, np.ndarray] = {}
        others, total = [], 0
        for data, name in _variables(path, file, length, order):
            if name not in names or name in found:
                others.append(name)
                continue
            body = data(LARGEST - total)
            total += len(body)
            found[name] = _array(_Elements(body, order, f"{path}: {name}"), 0)[1]
            if len(found) == len(set(names)):
                break
    for name in names:
        if name not in found:
            held = ", ".join((*found, *others))[:200] or "none"
            raise DatasetError(f"{path}: {name}: no such variable (it holds: {held})")
    return found


def _byte_order(path: Path, header: bytes) -> str:
    if len(header) < 128:
        raise DatasetError(f"{path}: too short for a MATLAB file ({len(header)} bytes)")
    if header.startswith(HDF5_SIGNATURE) or header.startswith(b"MATLAB 7.3"):
        raise DatasetError(f"{path}: a MATLAB version 7.3 file (HDF5), where version 5 was expected")
    order = {b"IM": "<", b"MI": ">"}.get(header[126:128])
    if order is None or struct.unpack(order + "H", header[124:126])[0] != 0x0100:
        raise DatasetError(f"{path}: not a MATLAB version 5 file (its header says something else)")
    return order


def _variables(path: Path, file, length: int, order: str):
    """Each variable's name, and a function that reads its whole body when it is wanted."""
    place = 128
    while place < length:
        if length - place < 8:
            raise DatasetError(f"{path}: truncated after byte {place}")
        file.seek(place)
        kind, size = struct.unpack(order + "II", file.read(8))
        start, place = place + 8, place + 8 + size
        if kind not in (MATRIX, COMPRESSED):
            raise DatasetError(f"{path}: byte {start - 8}: a data element of type {kind}, no variable")
        if place > length:
            raise DatasetError(f"{path}: byte {start - 8}: a variable of {size} bytes is cut off")

        def read(largest: int, most: int = 2**63, start=start, size=size, kind=kind):
            file.seek(start)
            if kind == MATRIX:
                if min(size, most) > largest:
                    raise DatasetError(f"{path}: a variable of {size} bytes is too large")
                return file.read(min(size, most))
            return _inflate(file, size, order, largest, most, f"{path}: byte {start - 8}")

        # Flags, dimensions and name are all in the first bytes.
        head = _Elements(read(LARGEST, 4096), order, f"{path}: byte {start - 8}")
        yield read, head.header()[3]


def _inflate(file, size: int, order: str, largest: int, most: int, place: str) -> memoryview:
    """The body of the one matrix that ``size`` compressed bytes hold; its first ``most`` bytes."""
    stream, left = zlib.decompressobj(), size
    out, wanted, claimed = bytearray(), 8, None

    def inflate(length: int) -> bytes:
        nonlocal left
        data = stream.unconsumed_tail
        if not data and left:
            data = file.read(min(left, 1 << 16))
            left -= len(data)
        piece = stream.decompress(data, length)
        if not piece and (stream.eof or not data):
            raise DatasetError(f"{place}: compressed variable ends early")
        return piece

    try:
        while len(out) < wanted:
            out += inflate(wanted - len(out))
            if claimed is None and len(out) == 8:
                kind, claimed = struct.unpack(order + "II", out)
                if kind != MATRIX:
                    raise DatasetError(f"{place}: a data element of type {kind}, no variable")
                if claimed > DEFLATE * size or min(claimed, most) > largest:
                    raise DatasetError(f"{place}: a variable of {claimed} bytes is too large")
                wanted = 8 + min(claimed, most)
        # The checksum stands behind the last byte.
        while claimed <= most and not stream.eof:
            if inflate(1) and not stream.eof:
                raise DatasetError(f"{place}: compressed variable goes on beyond its {claimed} bytes")
    except zlib.error as error:
        raise DatasetError(f"{place}: compressed variable is damaged ({error})") from error
    return memoryview(out)[8:]


class _Elements:
    """The data elements of a matrix's body, one after the other, never beyond its end."""

    def __init__(self, data: bytes | memoryview, order: str, place: str, cells: list | None = None):
        self.data, self.order, self.at, self.place = memoryview(data), order, 0, place
        self.cells = [0] if cells is None else cells  # how many there were so far, at all depths

    def error(self, reason: str) -> DatasetError:
        return DatasetError(f"{self.place}: {reason}")

    def left(self) -> int:
        return len(self.data) - self.at

    def next(self) -> tuple[int, memoryview]:
        """Type and bytes of the next element."""
        if self.left() < 8:
            raise self.error("truncated")
        kind, size = struct.unpack_from(self.order + "II", self.data, self.at)
        if kind >> 16:  # the short form: size and type in one word, the data in the next
            kind, size, start, after = kind & 0xFFFF, kind >> 16, self.at + 4, self.at + 8
            if size > 4:
                raise self.error(f"a short data element of {size} bytes")
        else:
            start = self.at + 8
            after = start + size + (0 if kind == MATRIX else -size % 8)
        if start + size > len(self.data):
            raise self.error(f"truncated: a data element of {size} bytes where {self.left()} are left")
        self.at = min(after, len(self.data))
        return kind, self.data[start : start + size]

    def numbers(self, allowed: Sequence[int] = tuple(ELEMENT)) -> np.ndarray:
        kind, data = self.next()
        if kind not in allowed:
            raise self.error(f"a data element of type {kind}, numbers were expected")
        dtype = np.dtype(ELEMENT[kind]).newbyteorder(self.order)
        if len(data) % dtype.itemsize:
            raise self.error(f"{len(data)} bytes of data are no whole numbers of type {dtype.name}")
        return np.frombuffer(data, dtype)

    def header(self) -> tuple[int, int, tuple[int, ...], str]:
        """Class, flags, dimensions and name, with which each matrix begins."""
        flags = self.numbers((6,))
        dimensions = self.numbers((5,))
        kind, name = self.next()
        text = bytes(name).decode("latin-1")
        good = len(flags) == 2 and 2 <= len(dimensions) <= 32 and (dimensions >= 0).all()
        if not good or kind != 1 or not text.isprintable():
            raise self.error("not the header of a MATLAB array")
        shape = tuple(int(size) for size in dimensions)
        return int(flags[0]) & 0xFF, int(flags[0]), shape, text


def _array(elements: _Elements, depth: int) -> tuple[str, np.ndarray]:
    kind, flags, shape, name = elements.header()
    count = math.prod(shape)
    if kind == CELL:
        if depth == DEEPEST:
            raise elements.error(f"cells within cells, more than {DEEPEST} deep")
        elements.cells[0] += count
        if count > elements.left() // 8 or elements.cells[0] > MOST_CELLS:
            raise elements.error(f"{count} cells in {elements.left()} bytes")
        cells = np.empty(count, object)
        for index in range(count):
            element, data = elements.next()
            if element != MATRIX:
                raise elements.error(f"cell {index} is a data element of type {element}, no array")
            place = f"{elements.place}: cell {index}"
            inner = _Elements(data, elements.order, place, elements.cells)
            cells[index] = _array(inner, depth + 1)[1] if len(data) else np.zeros((0, 0))
        return name, cells.reshape(shape, order="F")
    if kind == CHAR:
        return name, _text(elements, shape)
    if kind not in NUMERIC or flags & COMPLEX:
        what = "complex" if kind in NUMERIC else f"a MATLAB {OTHER.get(kind, f'array of class {kind}')}"
        raise elements.error(f"{what}; numbers, text and cells are read")
    values = elements.numbers()
    if len(values) != count:
        raise elements.error(f"{len(values)} numbers for an array of shape {shape}")
    # MATLAB stores whole numbers in a smaller type than the array's own.
    with np.errstate(invalid="ignore"):
        values = values.astype(bool if flags & LOGICAL else NUMERIC[kind])
    return name, values.reshape(shape, order="F")


def _text(elements: _Elements, shape: tuple[int, ...]) -> np.ndarray:
    kind, data = elements.next()
    if kind not in TEXT:
        raise elements.error(f"a data element of type {kind}, text was expected")
    coding = TEXT[kind]
    if coding in ("utf-16", "utf-32"):
        coding += "-le" if elements.order == "<" else "-be"
    try:
        text = bytes(data).decode(coding)
    except UnicodeDecodeError as error:
        raise elements.error(f"not text ({error})") from error
    if len(text) != math.prod(shape) or len(shape) != 2:
        raise elements.error(f"{len(text)} characters for text of shape {shape}")
    if not text:
        return np.zeros(0, "U1")
    rows = np.array(list(text)).reshape(shape, order="F")
    return np.array(["".join(row) for row in rows])


@contextmanager
def open_v73(path: str | Path) -> Iterator[h5py.File]:
    """A MATLAB version 7.3 file, opened for reading; it is an h5py.File. Raises DatasetError if it is none.

    Only the opening is guarded: variables are read by `v73_array` and `v73_cells`.
    """
    path = Path(path)
    with reading(path):
        with open(path, "rb") as file:
            header = file.read(128)
        if header[124:128] in (b"\x00\x01IM", b"\x01\x00MI") and not header.startswith(b"MATLAB 7.3"):
            raise DatasetError(f"{path}: a MATLAB version 5 file, where version 7.3 (HDF5) was expected")
        if not h5py.is_hdf5(path):
            raise DatasetError(f"{path}: not a MATLAB version 7.3 file (no HDF5 inside)")
        file = h5py.File(path, "r")
    try:
        yield file
    finally:
        file.close()


def v73_array(file: h5py.File, name: str | h5py.Reference, path: str | Path, what: str = "") -> np.ndarray:
    """One variable of numbers, whole, with the axes in MATLAB's order (HDF5 has them reversed).

    name: the variable, or a reference to it; then ``what`` names it in messages. Raises
    DatasetError when it is missing, is not made of numbers, claims more bytes than the file can
    hold, or is damaged. An empty array comes as one of shape (0, 0).
    """
    place = what or str(name)
    dataset = _dataset(file, name, path, place)
    if dataset.dtype.kind not in "iufb":
        raise DatasetError(f"{path}: {place}: of type {str(dataset.dtype)[:100]}, numbers were expected")
    with reading(path, place):
        values = np.asarray(dataset[()])
        empty = bool(dataset.attrs.get("MATLAB_empty", False))
    if empty:
        # MATLAB writes the dimensions of an empty array in place of its values.
        return np.zeros((0, 0))
    return np.ascontiguousarray(values.T)


def v73_cells(file: h5py.File, name: str, path: str | Path) -> Cells:
    """The cells of a cell array, in MATLAB's order; each is read when it is asked for."""
    dataset = _dataset(file, name, path, name)
    if h5py.check_ref_dtype(dataset.dtype) is not h5py.Reference:
        raise DatasetError(f"{path}: {name}: of type {str(dataset.dtype)[:100]}, a cell array was expected")
    with reading(path, name):
        return Cells(file, name, Path(path), tuple(np.ravel(dataset[()])))


class Cells(Sequence):
    """The cells of one variable of an open version 7.3 file: cells[n] reads the n-th, by `v73_array`."""

    def __init__(self, file: h5py.File, name: str, path: Path, references: tuple):
        self._file, self._name, self._path, self._references = file, name, path, references

    def __len__(self) -> int:
        return len(self._references)

    def __getitem__(self, index: int) -> np.ndarray:
        place = f"{self._name}: cell {index}"
        return v73_array(self._file, self._references[index], self._path, place)


def _dataset(file: h5py.File, name: str | h5py.Reference, path: str | Path, place: str) -> h5py.Dataset:
    """The dataset, when its size agrees with the file's and all of it is inside the file."""
    with reading(path, place):
        if isinstance(name, str):
            link = file.get(name, getlink=True)
            if link is None:
                held = ascii(", ".join(key for key in file if not key.startswith("#")))[:200]
                raise DatasetError(f"{path}: {place}: no such variable (it holds: {held})")
            if not isinstance(link, h5py.HardLink):
                raise DatasetError(f"{path}: {place}: leads out of the file")
        elif not name:
            raise DatasetError(f"{path}: {place}: refers to nothing")
        dataset = file[name]
        if not isinstance(dataset, h5py.Dataset):
            raise DatasetError(f"{path}: {place}: a group, an array was expected")
        if dataset.shape is None or dataset.is_virtual or dataset.external:
            raise DatasetError(f"{path}: {place}: holds no values, or has them in another file")
        size = math.prod(dataset.shape) * dataset.dtype.itemsize
        chunk = math.prod(dataset.chunks or (0,)) * dataset.dtype.itemsize
        stored, whole = dataset.id.get_storage_size(), Path(path).stat().st_size
        if stored > whole or max(size, chunk) > min(LARGEST, DEFLATE * max(stored, 64)):
            raise DatasetError(
                f"{path}: {place}: shape {dataset.shape} does not fit into the file's {stored} bytes of it"
            )
        return dataset
