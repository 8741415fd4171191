"""Common Data Format files (CDF, NASA), in which Human3.6M keeps its poses: a variable of numbers.

A reader of our own, since it must be safe on damaged files: every size, count and place that the file
claims is compared with the bytes that are there before anything is made of it, no chain of records is
followed twice, and nothing is written (the usual library unpacks a compressed file beside the others).
It reads versions 2.6 to 3.9, single files, in both orders of bytes and of axes, plain or packed with
gzip. Source: NASA, "CDF Internal Format Description", version 3.9.
"""

from __future__ import annotations

import math
import struct
import zlib
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from lib.data.dataset import DatasetError
from lib.data.sources import reading

__all__ = ["read_cdf"]

# Half an hour of poses has as many bytes; the longest take of Human3.6M has two minutes.
LARGEST = 1 << 26
DEFLATE = 1032  # bytes that deflate writes at most for one
MAGIC = {b"\xcd\xf3\x00\x01": 3, b"\xcd\xf2\x60\x02": 2}
PLAIN, PACKED = b"\x00\x00\xff\xff", b"\xcc\xcc\x00\x01"
# Kinds of records.
CDR, GDR, RVAR, VXR, VVR, ZVAR, CCR, CPR, CVVR = 1, 2, 3, 6, 7, 8, 10, 11, 13
GZIP = 5
COLUMNS_LAST = 1  # flag of the CDR: the last axis varies fastest
SINGLE_FILE = 2
# Encodings of numbers by the order of their bytes; the others are those of the VAX.
LITTLE, BIG = (4, 6, 13, 16, 17, 19), (1, 2, 5, 7, 9, 11, 12, 18)
FLOATS = {21: "f4", 44: "f4", 22: "f8", 45: "f8"}


def read_cdf(path: str | Path, variable: str) -> np.ndarray:
    """A variable of floating-point numbers, (records, *dimensions) float32 or float64.

    Raises DatasetError, naming file and variable, when the file is no CDF, is damaged or cut off, lacks
    the variable (its case does not count), or when that is of another type or stored in a way that is
    not read (sparse records, other compressions than gzip, encodings of the VAX, several files).
    """
    path = Path(path)
    with reading(path):
        if path.stat().st_size > LARGEST:
            raise DatasetError(f"{path}: {path.stat().st_size} bytes are too many for a file of poses")
        data = path.read_bytes()
    if data[:4] not in MAGIC:
        raise DatasetError(f"{path}: not a CDF file of version 2.6 or later")
    records = _Records(data, MAGIC[data[:4]], str(path))
    if data[4:8] == PACKED:
        records = records.unpacked()
    elif data[4:8] != PLAIN:
        raise DatasetError(f"{path}: not a CDF file (its second number is neither plain nor compressed)")
    return _variable(records, variable)


class _Records:
    """The records of a file: each begins with its size and its kind, all numbers big-endian.

    Sizes and places have eight bytes in version 3 and four in version 2; else the two are the same.
    """

    def __init__(self, data: bytes, version: int, place: str):
        self.data, self.version, self.place = memoryview(data), version, place
        self.offset = "q" if version == 3 else "i"
        self.width = struct.calcsize(self.offset)

    def error(self, reason: str) -> DatasetError:
        return DatasetError(f"{self.place}: {reason}")

    def at(self, place: int, *kinds: int) -> tuple[int, _Fields]:
        """Kind and fields of the record at a place, whole."""
        head = self.width + 4
        if not 8 <= place <= len(self.data) - head:
            raise self.error(f"a record at byte {place} of {len(self.data)}")
        size, kind = struct.unpack_from(f">{self.offset}i", self.data, place)
        if kind not in kinds:
            raise self.error(f"byte {place}: a record of kind {kind}, not of kind {kinds}")
        if not head <= size <= len(self.data) - place:
            raise self.error(f"byte {place}: a record of {size} bytes is cut off")
        return kind, _Fields(self, self.data[place + head : place + size], place)

    def unpacked(self) -> _Records:
        """The same of the file that this file packs as a whole."""
        _, fields = self.at(8, CCR)
        parameters, size, _ = fields.take(f"{self.offset}{self.offset}i")
        self.check_gzip(parameters)
        return _Records(bytes(8) + self.inflate(fields.rest(), size), self.version, self.place)

    def check_gzip(self, place: int) -> None:
        _, fields = self.at(place, CPR)
        kind = fields.take("i")[0]
        if kind != GZIP:
            raise self.error(f"compressed by method {kind}; gzip (5) is read")

    def inflate(self, packed: memoryview, size: int) -> bytes:
        """Exactly ``size`` bytes from a gzip stream."""
        if not 0 <= size <= min(LARGEST, DEFLATE * len(packed)):
            raise self.error(f"{len(packed)} compressed bytes cannot hold {size}")
        stream = zlib.decompressobj(wbits=31)
        try:
            data = stream.decompress(packed, size + 1)
        except zlib.error as error:
            raise self.error(f"a compressed block is damaged ({error})") from error
        if len(data) != size or not stream.eof:
            raise self.error(f"a compressed block does not hold {size} bytes")
        return data


class _Fields:
    """The fields of one record, one after the other, never beyond its end."""

    def __init__(self, records: _Records, data: memoryview, place: int):
        self.records, self.data, self.place, self.start = records, data, place, 0

    def take(self, fields: str) -> tuple:
        """The next fields, in the letters of `struct`."""
        size = struct.calcsize(">" + fields)
        if self.start + size > len(self.data):
            raise self.records.error(f"byte {self.place}: a record ends early")
        self.start += size
        return struct.unpack_from(">" + fields, self.data, self.start - size)

    def numbers(self, count: int) -> tuple[int, ...]:
        if not 0 <= count <= len(self.data) // 4:
            raise self.records.error(f"byte {self.place}: {count} numbers in {len(self.data)} bytes")
        return self.take(f"{count}i")

    def rest(self) -> memoryview:
        return self.data[self.start :]


def _variable(records: _Records, name: str) -> np.ndarray:
    o = records.offset
    _, cdr = records.at(8, CDR)
    head, _, _, encoding, flags = cdr.take(f"{o}4i")
    if encoding not in LITTLE + BIG:
        raise records.error(f"numbers in encoding {encoding}, which is not read")
    if not flags & SINGLE_FILE:
        raise records.error("one of several files of a CDF, which are not read")
    _, gdr = records.at(head, GDR)
    r_first, z_first, _, _, r_count, _, _, r_axes, z_count = gdr.take(f"{o}{o}{o}{o}5i")
    gdr.take(f"{o}3i")
    r_shape = gdr.numbers(r_axes)
    found = _find(records, name, ((z_first, ZVAR, z_count), (r_first, RVAR, r_count)))
    records.place += f": {name}"
    kind, fields, (data_type, last, index, _, variable_flags, sparse, packing) = found
    axes = fields.take("i")[0] if kind == ZVAR else r_axes
    sizes = fields.numbers(axes) if kind == ZVAR else r_shape
    shape = [size for size, varies in zip(sizes, fields.numbers(axes), strict=True) if varies]
    if data_type not in FLOATS:
        raise records.error(f"of CDF's type {data_type}; floating-point numbers are read")
    if sparse:
        raise records.error("stored with sparse records, which are not read")
    if variable_flags & 4:
        records.check_gzip(packing)
    dtype = np.dtype(FLOATS[data_type]).newbyteorder("<" if encoding in LITTLE else ">")
    count = last + 1
    if min(count, *shape, 0) < 0 or math.prod((count, *shape)) * dtype.itemsize > LARGEST:
        raise records.error(f"{count} records of shape {tuple(shape)} are none or too many")
    values = _values(records, index, count, math.prod(shape) * dtype.itemsize)
    if flags & COLUMNS_LAST:
        array = np.frombuffer(values, dtype).reshape(count, *shape)
    else:
        array = np.frombuffer(values, dtype).reshape(count, *shape[::-1])
        array = array.transpose(0, *range(len(shape), 0, -1))
    return array.astype(dtype.newbyteorder("="), order="C")


def _find(records: _Records, name: str, chains) -> tuple[int, _Fields, tuple[int, ...]]:
    """The record of the variable of that name: its kind, its further fields, and the first fields."""
    o, length = records.offset, 256 if records.version == 3 else 64
    held = []
    for place, kind, count in chains:
        for _ in range(min(count, len(records.data) // length)):
            _, fields = records.at(place, kind)
            place, data_type, last, index, tail, flags, sparse = fields.take(f"{o}ii{o}{o}ii")
            *_, packing, _ = fields.take(f"5i{o}i")
            text = fields.take(f"{length}s")[0].split(b"\0")[0].decode("latin-1").strip()
            if text.lower() == name.lower():
                return kind, fields, (data_type, last, index, tail, flags, sparse, packing)
            held.append(text)
    known = ", ".join(held)[:100].encode("ascii", "backslashreplace").decode() or "none"
    raise records.error(f"{name}: no such variable (it holds: {' '.join(known.split())})")


def _values(records: _Records, index: int, count: int, size: int) -> bytes:
    """The bytes of all records of a variable, ``size`` each, in order."""
    pieces, done = [], 0
    for first, last, place in _blocks(records, index):
        if first != done or not first <= last < count:
            raise records.error(f"records {first} to {last} follow record {done - 1} of {count}")
        kind, fields = records.at(place, VVR, CVVR)
        wanted = (last - first + 1) * size
        if kind == CVVR:
            _, length = fields.take(f"i{records.offset}")
            packed = fields.rest()
            if not 0 <= length <= len(packed):
                raise records.error(f"byte {place}: a compressed block of {length} bytes is cut off")
            piece = records.inflate(packed[:length], wanted)
        else:
            piece = fields.rest()[:wanted]
        if len(piece) < wanted:
            raise records.error(f"byte {place}: {len(piece)} bytes for records {first} to {last}")
        pieces.append(piece)
        done = last + 1
    if done != count:
        raise records.error(f"{count} records, but only {done} are there")
    return b"".join(pieces)


def _blocks(records: _Records, index: int) -> Iterator[tuple[int, int, int]]:
    """(first record, last record, place) of each block that an index lists, which may be a tree."""
    seen, waiting = set(), [index]
    while waiting:
        place = waiting.pop()
        if place in seen:
            raise records.error(f"byte {place}: an index of records leads back to itself")
        seen.add(place)
        _, fields = records.at(place, VXR)
        following, room, used = fields.take(f"{records.offset}ii")
        if not 0 <= used <= room:
            raise records.error(f"byte {place}: {used} of {room} entries of an index are used")
        firsts, lasts = fields.numbers(room), fields.numbers(room)
        places = [fields.take(records.offset)[0] for _ in range(room)]
        if following:
            waiting.append(following)
        entries = list(zip(firsts, lasts, places, strict=True))[:used]
        if entries and records.at(entries[0][2], VXR, VVR, CVVR)[0] == VXR:
            waiting.extend(place for _, _, place in reversed(entries))
        else:
            yield from entries
