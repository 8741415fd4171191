"""The CDF reader against files of cdflib's writer, against cdflib's reader, and against damaged files."""

import struct
import tempfile
import zlib
from pathlib import Path

import cdflib
import numpy as np
import pytest
from cdflib.cdfwrite import CDF
from damage import damaged, limited, only_dataset_errors
from hypothesis import given, settings

from lib.data.cdf import read_cdf
from lib.data.dataset import DatasetError

RANDOM = np.random.default_rng(3)
POSE = RANDOM.normal(size=(1, 7, 96)) * 1000


def write(
    path, values, name="Pose", compress=0, whole=0, majority="row_major", encoding=6, kind=45, **variable
):
    path.unlink(missing_ok=True)
    file = CDF(str(path), cdf_spec={"Majority": majority, "Encoding": encoding, "Compressed": whole})
    spec = {"Data_Type": kind, "Num_Elements": 1, "Rec_Vary": True, "Dim_Sizes": list(values.shape[1:])}
    file.write_var({"Variable": "Other", "Compress": 0} | spec, var_data=np.zeros_like(values[:1]))
    file.write_var({"Variable": name, "Compress": compress} | spec | variable, var_data=values)
    file.close()
    return path


@pytest.mark.parametrize("compress, whole", [(0, 0), (6, 0), (0, 6), (6, 6)])
@pytest.mark.parametrize("encoding", [1, 6], ids=["big", "little"])
@pytest.mark.parametrize("kind, dtype", [(44, "f4"), (45, "f8")])
def test_what_was_written_is_read(tmp_path, compress, whole, encoding, kind, dtype):
    values = POSE.astype(dtype)
    path = write(
        tmp_path / "a.cdf", values, compress=compress, whole=whole, encoding=encoding, kind=kind
    )
    read = read_cdf(path, "pose")
    assert read.dtype == values.dtype and np.array_equal(read, values)
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.parametrize("compress", [0, 6])
def test_the_first_axis_may_vary_fastest_as_in_matlab(tmp_path, compress):
    # cdflib writes the bytes as they come; so the axes go in reversed.
    fortran = POSE.transpose(0, 2, 1).reshape(POSE.shape)
    path = write(tmp_path / "a.cdf", fortran, majority="column_major", compress=compress)
    assert np.array_equal(read_cdf(path, "Pose"), POSE)
    assert np.array_equal(cdflib.CDF(path).varget("Pose"), POSE)


def test_many_records_lie_in_many_blocks(tmp_path):
    values = RANDOM.normal(size=(20000, 5))
    for compress in (0, 6):
        path = write(tmp_path / "a.cdf", values, compress=compress)
        assert np.array_equal(read_cdf(path, "Pose"), values)


def version2(values, encoding=6):
    """A file of version 2.7 by hand: sizes and places of 4 bytes, names of 64, variables with shared axes."""

    def record(kind, body):
        return struct.pack(">ii", len(body) + 8, kind) + body

    data = values.astype("<f8" if encoding == 6 else ">f8").tobytes()
    shape = values.shape[1:]
    axes = struct.pack(f">{len(shape)}i", *shape)
    cdr_at, gdr_at = 8, 8 + 8 + 36 + 256
    vdr_at = gdr_at + 8 + 52 + len(axes)
    vxr_at = vdr_at + 8 + 56 + 64 + len(axes)
    vvr_at = vxr_at + 8 + 12 + 12
    cdr = record(1, struct.pack(">9i", gdr_at, 2, 7, encoding, 3, 0, 0, 0, -1) + bytes(256))
    gdr = record(2, struct.pack(">13i", vdr_at, 0, 0, 0, 1, 0, 0, len(shape), 0, 0, 0, 0, 0) + axes)
    vdr = struct.pack(">14i", 0, 22, len(values) - 1, vxr_at, vxr_at, 1, 0, 0, 0, 0, 1, 0, -1, 0)
    vdr = record(3, vdr + b"Pose".ljust(64, b"\0") + struct.pack(f">{len(shape)}i", *[-1] * len(shape)))
    vxr = record(6, struct.pack(">6i", 0, 1, 1, 0, len(values) - 1, vvr_at))
    assert cdr_at + len(cdr) == gdr_at and gdr_at + len(gdr) == vdr_at
    file = b"\xcd\xf2\x60\x02\x00\x00\xff\xff" + cdr + gdr + vdr + vxr
    return file + record(7, data)


def test_version_2_with_shared_axes(tmp_path):
    path = tmp_path / "a.cdf"
    for encoding in (1, 6):
        path.write_bytes(version2(POSE, encoding))
        assert np.array_equal(cdflib.CDF(path).varget("Pose"), POSE)
        assert np.array_equal(read_cdf(path, "Pose"), POSE)


def refused(path, variable="Pose"):
    with pytest.raises(DatasetError) as caught:
        read_cdf(path, variable)
    assert str(path) in str(caught.value) and "\n" not in str(caught.value)
    return str(caught.value)


def test_what_is_not_read_is_named(tmp_path):
    path = write(tmp_path / "a.cdf", POSE)
    assert "it holds: Other, Pose" in refused(path, "Position")
    assert "type 4" in refused(write(path, np.arange(6).reshape(1, 6).astype("i4"), kind=4))
    assert "sparse" in refused(write(path, POSE, Sparse="pad_sparse"))
    assert "encoding 3" in refused(_patched(path, write(path, POSE), 36, 3))
    assert "several files" in refused(_patched(path, write(path, POSE), 40, 1))
    path.write_bytes(b"not a CDF")
    assert "not a CDF file" in refused(path)
    assert "cannot be read" in refused(tmp_path / "missing.cdf")
    assert "cannot be read" in refused(tmp_path)


def _patched(path, source, place, number):
    data = bytearray(source.read_bytes())
    data[place : place + 4] = struct.pack(">i", number)
    path.write_bytes(data)
    return path


def test_a_compressed_block_with_other_contents_is_refused(tmp_path):
    path = write(tmp_path / "a.cdf", POSE, compress=6)
    data = path.read_bytes()
    start = data.index(b"\x1f\x8b\x08")
    for broken in (bytes(64), b"\xff" * 64):
        path.write_bytes(data[: start + 40] + broken + data[start + 104 :])
        assert "compressed block" in refused(path)


def test_no_memory_is_taken_for_what_cannot_be_there(tmp_path):
    """A gigabyte claimed by the number of records, by an axis, and by a bomb in the packed file."""
    path = write(tmp_path / "a.cdf", POSE)
    data = path.read_bytes()
    shape = struct.pack(">ii", 7, 96)
    for claimed in ((7, 2**31 - 1), (2**31 - 1, 2**31 - 1), (-1, 96)):
        path.write_bytes(data.replace(shape, struct.pack(">ii", *claimed)))
        with limited(seconds=5, memory_mib=8):
            refused(path)
    packed = write(tmp_path / "b.cdf", POSE, whole=6).read_bytes()
    stream = zlib.compressobj(9, wbits=31)
    bomb = stream.compress(bytes(1 << 24)) + stream.flush()
    head = bytearray(packed[8:40])
    parameters = 8 + 32 + len(bomb)
    head[:8], head[12:20] = struct.pack(">q", 32 + len(bomb)), struct.pack(">q", parameters)
    for size in (1 << 24, 1 << 40, 100):
        head[20:28] = struct.pack(">q", size)
        cpr = struct.pack(">qiiiii", 28, 11, 5, 0, 1, 6)
        path.write_bytes(packed[:8] + bytes(head) + bomb + cpr)
        with limited(seconds=10, memory_mib=80 if size == 1 << 24 else 8):
            refused(path)


SMALL = POSE[:, :2, :4]
WHOLE = {}
for key, options in {"plain": {}, "blocks": {"compress": 6}, "packed": {"whole": 6}}.items():
    with tempfile.TemporaryDirectory() as folder:
        WHOLE[key] = write(Path(folder) / "a.cdf", SMALL, **options).read_bytes()
WHOLE["version 2"] = version2(SMALL)


@pytest.mark.parametrize("key", WHOLE)
def test_damaged_files_are_refused_or_read(tmp_path, key):
    path = tmp_path / "a.cdf"

    @settings(max_examples=100, deadline=None, derandomize=True, database=None)
    @given(damaged(WHOLE[key]))
    def check(data):
        path.write_bytes(data)
        with only_dataset_errors(path), limited(seconds=5):
            assert read_cdf(path, "Pose").dtype.kind == "f"

    check()
