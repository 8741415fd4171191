"""MATLAB's files: what scipy and h5py wrote comes back, and damage is one DatasetError, soon and small."""

import io
import struct
import zlib

import h5py
import numpy as np
import pytest
import scipy.io
from damage import damaged, limited, only_dataset_errors
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from lib.data.dataset import DatasetError
from lib.data.matlab import load_v5, open_v73, v73_array, v73_cells

FUZZ = settings(max_examples=400, deadline=None, derandomize=True, database=None)
TYPES = ("f8", "f4", "i1", "u1", "i2", "u2", "i4", "u4", "i8", "u8")


def variables() -> dict:
    random = np.random.default_rng(0)
    cells = np.empty((4, 1), object)
    for index in range(4):
        cells[index, 0] = random.normal(size=(5, 6))
    return {
        "annot": cells,
        "words": np.array(["one", "three"]),
        "flags": np.array([[True, False, True]]),
        "number": 3.5,
        "image": random.integers(0, 255, (3, 4, 2)).astype(np.uint8),
        "nothing": np.zeros((0, 3)),
    }


def v5(compressed: bool, values=None) -> bytes:
    file = io.BytesIO()
    scipy.io.savemat(file, variables() if values is None else values, do_compression=compressed)
    return file.getvalue()


def v73(values: dict, cells: dict | None = None) -> bytes:
    """HDF5 behind MATLAB's header of 512 bytes; arrays are given in MATLAB's order."""
    memory = io.BytesIO()
    with h5py.File(memory, "w", userblock_size=512) as file:
        for name, value in values.items():
            file.create_dataset(
                name, data=np.asarray(value).T, compression="gzip" if np.ndim(value) else None
            )
        group = file.create_group("#refs#")
        for name, items in (cells or {}).items():
            references = file.create_dataset(name, (len(items), 1), dtype=h5py.ref_dtype)
            for index, item in enumerate(items):
                references[index, 0] = group.create_dataset(f"{name}{index}", data=np.asarray(item).T).ref
    data = bytearray(memory.getvalue())
    data[:128] = b"MATLAB 7.3 MAT-file, Platform: GLNXA64".ljust(124) + b"\x00\x02IM"
    return bytes(data)


def matrix(kind: int, shape, body: bytes, name: bytes = b"x", flags: int = 0, order: str = "<") -> bytes:
    """A miMATRIX element, by hand."""

    def element(number, data):
        return struct.pack(order + "II", number, len(data)) + data + bytes(-len(data) % 8)

    inner = element(6, struct.pack(order + "II", kind | flags, 0))
    inner += element(5, struct.pack(f"{order}{len(shape)}i", *shape)) + element(1, name) + body
    return struct.pack(order + "II", 14, len(inner)) + inner


def header(order: str = "<") -> bytes:
    return b"MATLAB 5.0 MAT-file".ljust(124) + struct.pack(order + "HH", 0x0100, 0x4D49)


def packed(inner: bytes) -> bytes:
    data = zlib.compress(inner)
    return header() + struct.pack("<II", 15, len(data)) + data


@pytest.mark.parametrize("compressed", [False, True])
def test_a_version_5_file_comes_back_as_scipy_reads_it(tmp_path, compressed):
    path = tmp_path / "a.mat"
    path.write_bytes(v5(compressed))
    loaded, expected = load_v5(path, variables()), scipy.io.loadmat(path)
    for name in ("words", "flags", "number", "image", "nothing"):
        assert loaded[name].shape == expected[name].shape
        assert (loaded[name] == expected[name]).all()
    assert loaded["flags"].dtype == bool and loaded["number"].dtype == np.float64
    assert loaded["annot"].shape == (4, 1) and loaded["annot"].dtype == object
    for mine, theirs in zip(loaded["annot"].ravel(), expected["annot"].ravel(), strict=True):
        np.testing.assert_array_equal(mine, theirs)


@settings(max_examples=60, deadline=None, derandomize=True, database=None)
@given(
    arrays.arrays(st.sampled_from(TYPES), arrays.array_shapes(min_dims=2, max_dims=4, max_side=4)),
    st.booleans(),
)
def test_every_class_of_numbers_and_shape(tmp_path_factory, values, compressed):
    path = tmp_path_factory.mktemp("v5") / "a.mat"
    path.write_bytes(v5(compressed, {"x": values}))
    loaded = load_v5(path, ["x"])["x"]
    assert loaded.dtype == values.dtype
    np.testing.assert_array_equal(loaded, values)


@pytest.mark.parametrize("order", ["<", ">"])
def test_whole_numbers_kept_in_a_smaller_type_and_the_other_byte_order(tmp_path, order):
    path = tmp_path / "a.mat"
    body = struct.pack(order + "I", 3 << 16 | 2) + bytes([1, 2, 3, 0])  # the short form: 3 bytes of uint8
    path.write_bytes(header(order) + matrix(6, (3, 1), body, order=order))
    loaded = load_v5(path, ["x"])["x"]
    assert loaded.dtype == np.float64
    assert loaded.tolist() == [[1.0], [2.0], [3.0]]


def test_what_is_not_asked_for_may_be_of_any_class(tmp_path):
    path = tmp_path / "a.mat"
    path.write_bytes(v5(True, {"s": {"a": 1}, "c": np.array([1j]), "x": np.eye(2)}))
    np.testing.assert_array_equal(load_v5(path, ["x"])["x"], np.eye(2))
    with pytest.raises(DatasetError, match=r"a\.mat: s: a MATLAB struct"):
        load_v5(path, ["s"])
    with pytest.raises(DatasetError, match=r"a\.mat: c: complex"):
        load_v5(path, ["c"])
    with pytest.raises(DatasetError, match=r"a\.mat: y: no such variable \(it holds: s, c, x\)"):
        load_v5(path, ["y"])


def test_each_version_is_told_from_the_other(tmp_path):
    old, new, other, missing = (
        tmp_path / name for name in ("old.mat", "new.mat", "other.mat", "missing.mat")
    )
    old.write_bytes(v5(True))
    new.write_bytes(v73({"x": np.eye(2)}))
    other.write_bytes(b"no MATLAB at all" * 20)
    with pytest.raises(DatasetError, match=r"new\.mat: a MATLAB version 7.3 file"):
        load_v5(new, ["x"])
    with pytest.raises(DatasetError, match=r"old\.mat: a MATLAB version 5 file"), open_v73(old):
        pass
    for path in (other, missing):
        with pytest.raises(DatasetError, match=path.name):
            load_v5(path, ["x"])
        with pytest.raises(DatasetError, match=path.name), open_v73(path):
            pass


def test_sizes_are_checked_before_anything_is_made_of_them(tmp_path):
    path = tmp_path / "a.mat"
    huge = 2**31 - 1
    zeros = struct.pack("<II", 9, 2**30) + bytes(2**24)
    for data in (
        header() + matrix(6, (huge, huge), struct.pack("<II", 9, 8) + bytes(8)),
        header() + matrix(1, (huge, 1), bytes(64)),
        header() + matrix(6, (1, 1), struct.pack("<II", 9, 2**32 - 8)),
        header() + struct.pack("<II", 14, 2**32 - 8) + bytes(100),
        packed(struct.pack("<II", 14, 2**31) + matrix(6, (2**27, 1), zeros)[8:]),
        packed(matrix(1, (2**20, 1), struct.pack("<II", 14, 0) * 2**20)),
    ):
        path.write_bytes(data)
        with limited(seconds=5, memory_mib=150), pytest.raises(DatasetError, match=r"a\.mat"):
            load_v5(path, ["x"])


def test_cells_within_cells_have_an_end(tmp_path):
    inner = struct.pack("<II", 9, 8) + bytes(8)
    data = matrix(6, (1, 1), inner)
    for _ in range(2000):
        data = matrix(1, (1, 1), data)
    path = tmp_path / "a.mat"
    path.write_bytes(header() + data)
    with pytest.raises(DatasetError, match="deep"):
        load_v5(path, ["x"])


@pytest.mark.parametrize("compressed", [False, True])
def test_damaged_version_5_files(tmp_path_factory, compressed):
    path = tmp_path_factory.mktemp("damaged") / "a.mat"

    @FUZZ
    @given(damaged(v5(compressed)))
    def check(data):
        path.write_bytes(data)
        with only_dataset_errors(path), limited(seconds=5):
            load_v5(path, variables())

    check()


def test_version_73_has_the_axes_in_matlabs_order(tmp_path):
    path = tmp_path / "a.mat"
    values = np.arange(3 * 17 * 5.0).reshape(3, 17, 1, 5)
    masks = [np.full((4, 6), index, np.uint8) for index in range(5)]
    masks[2][0, 5] = 9
    path.write_bytes(v73({"annot3": values, "number": 4.0}, {"Masks": masks}))
    with open_v73(path) as file:
        np.testing.assert_array_equal(v73_array(file, "annot3", path), values)
        assert v73_array(file, "number", path) == 4.0
        cells = v73_cells(file, "Masks", path)
        assert len(cells) == 5
        for mine, mask in zip(cells, masks, strict=True):
            np.testing.assert_array_equal(mine, mask)
        for name, reason in (("none", "no such variable"), ("#refs#", "a group"), ("Masks", "numbers")):
            with pytest.raises(DatasetError, match=rf"a\.mat: {name}: .*{reason}"):
                v73_array(file, name, path)
        with pytest.raises(DatasetError, match="a cell array was expected"):
            v73_cells(file, "annot3", path)


def test_version_73_stays_inside_its_file_and_its_size(tmp_path):
    path, secret = tmp_path / "a.mat", tmp_path / "secret.h5"
    with h5py.File(secret, "w") as file:
        file["x"] = np.eye(2)
    with h5py.File(path, "w", userblock_size=512) as file:
        file["linked"] = h5py.ExternalLink(str(secret), "x")
        file["soft"] = h5py.SoftLink("/linked")
        file.create_dataset("outside", (2, 2), external=[(str(secret), 0, 32)], dtype="f8")
        layout = h5py.VirtualLayout((2, 2), "f8")
        layout[:] = h5py.VirtualSource(str(secret), "x", (2, 2))
        file.create_virtual_dataset("virtual", layout)
        file.create_dataset("claimed", (10**6, 10**6), "f8", chunks=(1000, 1000), compression="gzip")
        references = file.create_dataset("cells", (2, 1), dtype=h5py.ref_dtype)
        references[0, 0] = file.create_dataset("inner", data=np.eye(3)).ref
        empty = file.create_dataset("empty", data=np.array([0, 3], np.uint64))
        empty.attrs["MATLAB_empty"] = np.uint8(1)
    with open_v73(path) as file, limited(seconds=5, memory_mib=100):
        for name in ("linked", "soft", "outside", "virtual", "claimed"):
            with pytest.raises(DatasetError, match=rf"a\.mat: {name}: "):
                v73_array(file, name, path)
        cells = v73_cells(file, "cells", path)
        assert (cells[0] == np.eye(3)).all()
        with pytest.raises(DatasetError, match="cells: cell 1: refers to nothing"):
            cells[1]
        assert v73_array(file, "empty", path).shape == (0, 0)


def test_damaged_version_73_files(tmp_path_factory):
    path = tmp_path_factory.mktemp("damaged") / "a.mat"
    whole = v73({"annot": np.arange(60.0).reshape(3, 4, 5)}, {"Masks": [np.eye(3, dtype=np.uint8)] * 3})

    @FUZZ
    @given(damaged(whole))
    def check(data):
        path.write_bytes(data)
        with only_dataset_errors(path), limited(seconds=5), open_v73(path) as file:
            v73_array(file, "annot", path)
            list(v73_cells(file, "Masks", path))

    check()
