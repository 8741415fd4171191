import contextlib
import copyreg
import io
import os
import pickle
import pickletools
import random
import struct
import subprocess
import zipfile
from pathlib import Path

import numpy as np
import pytest
from damage import damage, limited, only_dataset_errors
from hypothesis import given, settings
from hypothesis import strategies as st

from lib.data import array_pickle
from lib.data.clip import DatasetError
from lib.data.object_arrays import read_npy, read_npz

FUZZ = settings(max_examples=500, deadline=None, derandomize=True, database=None)


def honest():
    """Whatever VideoPose3D's files hold, and the rest of what is admitted."""
    rng = np.random.default_rng(0)
    poses = rng.normal(size=(4, 3, 2)).astype(np.float32)
    return {
        "S1": {
            "Directions 1": poses,
            "Walking": [poses, np.asfortranarray(poses.astype(">f8")), poses[:0], poses[0, 0, 0]],
        },
        "metadata": {
            "layout_name": "h36m",
            "num_joints": 17,
            "keypoints_symmetry": [[4, 5, 6], (1, 2, 3)],
            "numbers": [True, None, 1.5, -7, 300, 70000, 2**40, -(2**70), b"bytes", b"", "täxt", ""],
            "numpy": [np.float64(2.5), np.int32(-3), np.bool_(True), np.arange(3, dtype=np.uint8)],
            3: np.array([[1, "a"], [None, {"b": 2.0}]], dtype=object),
        },
    }


def npy(value, protocol: int, old: bool = False) -> bytes:
    """A .npy file as np.save writes it, by another protocol, or under the names of numpy 1."""
    file = io.BytesIO()
    np.lib.format.write_array_header_1_0(
        file, {"descr": "|O", "fortran_order": False, "shape": np.shape(value)}
    )
    data = pickle.dumps(value, protocol=protocol)
    if old:
        new = data.replace(b"\x8c\x16numpy._core.multiarray", b"\x8c\x15numpy.core.multiarray")
        new = new.replace(b"\x8c\x13numpy._core.numeric", b"\x8c\x12numpy.core.numeric")
        if protocol >= 4:  # the frame after the protocol gives its own length
            assert len(data) < 60000 and data[2:3] == b"\x95"
            shorter = struct.unpack("<Q", data[3:11])[0] - (len(data) - len(new))
            new = new[:3] + struct.pack("<Q", shorter) + new[11:]
        data = new.replace(b"cnumpy._core.", b"cnumpy.core.")
        assert b"_core" not in data and b"numpy.core" in data
    return file.getvalue() + data


def npz(path: Path, compression=zipfile.ZIP_DEFLATED, **members: bytes) -> Path:
    with zipfile.ZipFile(path, "w", compression) as archive:
        for name, data in members.items():
            archive.writestr(f"{name}.npy", data)
    return path


def boxed(value) -> np.ndarray:
    box = np.empty((), object)
    box[()] = value
    return box


def assert_same(mine, theirs):
    assert type(mine) is type(theirs)
    if isinstance(theirs, dict):
        assert list(mine) == list(theirs)
        assert_same(list(mine.values()), list(theirs.values()))
    elif isinstance(theirs, list | tuple):
        assert len(mine) == len(theirs)
        for one, other in zip(mine, theirs, strict=True):
            assert_same(one, other)
    elif isinstance(theirs, np.ndarray):
        assert mine.shape == theirs.shape  # numpy turns some of the other byte order
        assert mine.dtype.newbyteorder("=") == theirs.dtype.newbyteorder("=")
        assert_same(mine.tolist(), theirs.tolist())
    else:
        assert mine == theirs


@pytest.mark.parametrize("old", [False, True], ids=["numpy 2", "numpy 1"])
@pytest.mark.parametrize("protocol", [2, 3, 4, 5])
def test_honest_objects_are_those_of_numpy(tmp_path, protocol, old):
    path = npz(tmp_path / "a.npz", data=npy(boxed(honest()), protocol, old))
    mine = read_npz(path, ["data"])["data"]
    theirs = np.load(path, allow_pickle=True)["data"]
    assert mine.shape == () and mine.dtype == object
    assert_same(mine.item(), theirs.item())


def test_what_savez_writes_is_read(tmp_path):
    numbers = {
        "plain": np.arange(12.0).reshape(3, 4),
        "columns": np.asfortranarray(np.arange(6, dtype=np.int16).reshape(2, 3)),
        "big": np.arange(3, dtype=">f4"),
        "none": np.zeros((0, 17, 2), np.float32),
        "one": np.array(5),
        "flags": np.array([True, False]),
    }
    path = tmp_path / "a.npz"
    np.savez_compressed(path, positions_2d=honest(), **numbers)
    mine = read_npz(path, ["positions_2d", *numbers])
    assert_same(mine["positions_2d"].item(), honest())
    for name, value in numbers.items():
        assert_same(mine[name], value)
    np.save(tmp_path / "a.npy", boxed(honest()))
    assert_same(read_npy(tmp_path / "a.npy").item(), honest())
    np.save(tmp_path / "b.npy", np.arange(4))
    assert_same(read_npy(tmp_path / "b.npy"), np.arange(4))


def test_python_2_wrote_strings_as_bytes(tmp_path):
    # As Python 2's pickle writes {"a": array([1, 2], dtype=uint8)}: names and data are SHORT_BINSTRINGs.
    array = (
        b"cnumpy.core.multiarray\n_reconstruct\nq\x01cnumpy\nndarray\nq\x02K\x00\x85U\x01b\x87Rq\x03"
        b"(K\x01K\x02\x85cnumpy\ndtype\nU\x02u1K\x00K\x01\x87R(K\x03U\x01|NNNJ\xff\xff\xff\xffJ\xff\xff\xff\xffK\x00tb"
        b"\x89U\x02\x01\xfetb"
    )
    outer = (
        b"\x80\x02cnumpy.core.multiarray\n_reconstruct\ncnumpy\nndarray\nK\x00\x85U\x01b\x87R"
        b"(K\x01)cnumpy\ndtype\nU\x02O8K\x00K\x01\x87R(K\x03U\x01|NNNJ\xff\xff\xff\xffJ\xff\xff\xff\xffK\x3ftb"
        b"\x89]}U\x01a" + array + b"satb."
    )
    header = npy(boxed(None), 2).partition(b"\x80\x02")[0]
    (tmp_path / "a.npy").write_bytes(header + outer)
    theirs = np.load(tmp_path / "a.npy", allow_pickle=True, encoding="latin1").item()
    assert_same(read_npy(tmp_path / "a.npy").item(), theirs)


# What would run a command


class Call:
    """Unpickling it calls a function."""

    def __init__(self, function, *arguments):
        self.function, self.arguments = function, arguments

    def __reduce__(self):
        return self.function, self.arguments


def touch(path):
    return Call(os.system, f"touch {path}")


def nested(path):
    inner = np.empty(2, object)
    inner[:] = [{"pose": np.zeros(3)}, {"pose": [touch(path)]}]
    return {"S1": {"Directions 1": inner}}


def by_numpy_load(path):
    other = path.with_suffix(".hidden")
    other.write_bytes(npy(boxed(touch(path)), 4))
    return Call(np.load, str(other), None, True)


HOSTILE = {
    "os.system": touch,
    "eval": lambda path: Call(eval, f"open({str(path)!r}, 'w')"),
    "exec": lambda path: Call(exec, f"open({str(path)!r}, 'w')"),
    "open": lambda path: Call(open, str(path), "w"),
    "subprocess": lambda path: Call(subprocess.check_call, ["touch", str(path)]),
    "getattr": lambda path: Call(getattr, touch(path), "real"),
    "copyreg": lambda path: Call(copyreg._reconstructor, touch(path), object, None),
    "numpy.load": by_numpy_load,
    "numpy.save": lambda path: Call(np.save, str(path), 1),
    "numpy.memmap": lambda path: Call(np.memmap, str(path), "u1", "w+", 0, (1,)),
    "argument of an admitted name": lambda path: Call(np.dtype, touch(path)),
    "element of an array": nested,
    "key of a dict": lambda path: {Call(str, touch(path)): 1},
}


@pytest.mark.parametrize("protocol", [2, 3, 4, 5])
@pytest.mark.parametrize("name", HOSTILE)
def test_a_hostile_file_is_refused_and_its_command_is_not_run(tmp_path, name, protocol):
    touched = tmp_path / "touched.npy"
    path = npz(tmp_path / "a.npz", positions_3d=npy(boxed(HOSTILE[name](touched)), protocol))
    with pytest.raises(DatasetError, match="asks for .*nothing of it was executed") as caught:
        read_npz(path, ["positions_3d"])
    assert str(caught.value).startswith(f"{path}: positions_3d: ")
    assert not touched.exists()
    # The same file does its harm where it is unpickled: the test is of something.
    with contextlib.suppress(Exception):
        np.load(path, allow_pickle=True)["positions_3d"]
    assert touched.exists()


def bare(tmp_path, body: bytes, protocol: int = 4) -> Path:
    """A .npy file of a pickle written by hand."""
    head = npy(boxed(None), protocol).partition(b"\x80")[0]
    path = tmp_path / "a.npy"
    path.write_bytes(head + b"\x80" + bytes([protocol]) + body)
    return path


NDARRAY = b"cnumpy\nndarray\n"
RECONSTRUCT = b"cnumpy.core.multiarray\n_reconstruct\n"
SCALAR = b"cnumpy.core.multiarray\nscalar\n"
TAIL = b"NNNJ\xff\xff\xff\xffJ\xff\xff\xff\xffK\x00tb"
FLOAT = b"cnumpy\ndtype\nX\x02\x00\x00\x00f4\x89\x88\x87R(K\x03X\x01\x00\x00\x00<" + TAIL
OBJECT = b"cnumpy\ndtype\nX\x02\x00\x00\x00O8\x89\x88\x87R(K\x03X\x01\x00\x00\x00|" + TAIL
EMPTY = RECONSTRUCT + NDARRAY + b"K\x00\x85C\x01b\x87R"


ARRAY = EMPTY + b"(K\x01K\x02\x85" + FLOAT + b"\x89C\x08aaaaaaaatb"
CRAFTED = {
    "extension code 1": (b"\x82\x01.", "opcode b'.x82'"),
    "extension code 4": (b"\x84\x01\0\0\0.", "opcode b'.x84'"),
    "persistent id": (b"Pname\n.", "opcode b'P'"),
    "binary persistent id": (b"K\x01Q.", "opcode b'Q'"),
    "INST": (b"(ios\nsystem\n.", "opcode b'i'"),
    "OBJ": (b"(cnumpy\nndarray\no.", "opcode b'o'"),
    "NEWOBJ": (NDARRAY + b")\x81.", "opcode b'.x81'"),
    "NEWOBJ_EX": (NDARRAY + b")}\x92.", "opcode b'.x92'"),
    "buffer out of band": (b"\x97.", "opcode b'.x97'"),
    "set": (b"\x8f.", "opcode b'.x8f'"),
    "protocol 0's string, which would be evaluated": (b"S'a'\n.", "opcode b'S'"),
    "unknown opcode": (b"\xff.", "opcode b'.xff'"),
    "a name alone": (NDARRAY + b".", "leaves ndarray where data should be"),
    "a name within": (NDARRAY + b"\x85.", "leaves ndarray where data should be"),
    "a type alone": (FLOAT + b".", "leaves .* where data should be"),
    "an array without a state": (EMPTY + b".", "leaves array where data should be"),
    "ndarray called": (NDARRAY + b"K\x05\x85R.", "asks for ndarray of"),
    "state of a name": (NDARRAY + b"}b.", "sets the state of ndarray"),
    "state of a dict": (b"}}b.", "sets the state of dict"),
    "call of a string": (b"X\x01\0\0\0a)R.", "calls str"),
    "name of names": (NDARRAY + b"C\x01a\x93.", "asks for a name"),
    "dotted name": (b"cnumpy\nndarray.tofile\n.", "asks for numpy.ndarray.tofile"),
    "neighbouring name": (b"cnumpy.core.multiarray\nfromfile\n.", "asks for numpy.core.multiarray.fromfile"),
    "control characters": (b"c\x1b[2J\r\nsystem\n.", r"asks for \\x1b\[2J\\r.system"),
    "endless name": (b"c" + b"a" * 5000, "asks for a"),
    "codec": (b"c_codecs\nencode\nX\1\0\0\0aX\3\0\0\0hex\x86R.", "asks for encode of"),
    "object scalar": (SCALAR + OBJECT + b"C\x08aaaaaaaa\x86R.", "asks for scalar of"),
    "type of a structure": (b"cnumpy\ndtype\nX\2\0\0\0V8\x89\x88\x87R.", "asks for dtype of"),
    "more shape than bytes": (
        EMPTY + b"(K\x01J\xff\xff\xff\x7f\x85" + FLOAT + b"\x89C\x04aaaatb.",
        "state for array",
    ),
    "negative shape": (
        EMPTY + b"(K\x01J\xff\xff\xff\xff\x85" + FLOAT + b"\x89C\x04aaaatb.",
        "state for array",
    ),
    "empty, but huge": (
        EMPTY + b"(K\x01K\x00\x8a\x06\0\0\0\0\0\x7f\x8a\x06\0\0\0\0\0\x7f\x87" + FLOAT + b"\x89C\0tb.",
        "state for array",
    ),
    "objects without a list": (
        EMPTY + b"(K\x01J\xff\xff\xff\x7f\x85" + OBJECT + b"\x89]tb.",
        "state for array",
    ),
    "objects of bytes": (EMPTY + b"(K\x01K\x01\x85" + OBJECT + b"\x89C\x08aaaaaaaatb.", "state for array"),
    "claimed bytes": (b"\x8e\0\0\0\0\0\0\0\x10.", "ends too early"),
    "claimed string": (b"\x8d\xff\xff\xff\xff\xff\xff\xff\xff.", "ends too early"),
    "claimed frame": (b"\x95\xff\xff\xff\xff\xff\xff\xff\x7f.", "ends too early"),
    "claimed integer": (b"\x8b\xff\xff\xff\x7f.", "integer of 2147483647 bytes"),
    "long integer": (b"\x8a\x20" + b"\x01" * 32 + b".", "integer of 32 bytes"),
    "unkept value": (b"h\x05.", "asks for its value 5"),
    "empty stack": (b".", "takes more from its stack"),
    "under a mark": (b"]((a.", "takes more from its stack"),
    "no mark": (b"t.", "lacks a mark"),
    "append to a dict": (b"}K\1a.", "appends to dict"),
    "items of a list": (b"]K\1K\1s.", "sets items of list"),
    "odd items": (b"}(K\1u.", "sets items of dict"),
    "tuple as a key": (b"}K\1\x85K\1s.", "key of type tuple"),
    "huge key": (b"}\x8a\x08" + b"\x7f" * 8 + b"K\1s.", "key of type int"),
    "no UTF-8": (b"\x8c\x01\xff.", "not UTF-8"),
    "left over": (b"K\1K\1.", "goes on after its end"),
    "bytes after the end": (b"K\1.K", "goes on after its end"),
    "holds itself": (b"]q\0h\0a.", "nested more than"),
    "ever deeper": (b"]" * 100000 + b"a" * 99999 + b".", "nested more than"),
    "an array in place of a shape": (
        RECONSTRUCT + NDARRAY + ARRAY + b"\x85C\x01b\x87R.",
        "asks for _reconstruct of",
    ),
    "an array in place of a version": (
        b"cnumpy\ndtype\nX\2\0\0\0f4\x89\x88\x87R(" + ARRAY + b"X\1\0\0\0<" + TAIL + b".",
        "state for dtype",
    ),
    "an array in place of a codec": (
        b"c_codecs\nencode\nX\1\0\0\0a" + ARRAY + b"\x86R.",
        "asks for encode of",
    ),
    "one string encoded again and again": (
        b"X\x10\x27\0\0" + b"a" * 10000 + b"q\0" + b"c_codecs\nencode\nh\0X\6\0\0\0latin1\x86R" * 100000,
        "encodes more strings than it has",
    ),
    "each twice the one before": (
        b")" + b"".join(b"q%ch%c\x86" % (n, n) for n in range(99)) + b".",
        "nested more",
    ),
    "ever more opcodes": (b"]" + b"Na" * 150000 + b".", "more than 300000 opcodes"),
    "other protocol": (b"\x80\x06N.", "of protocol 6"),
}


@pytest.mark.parametrize("name", CRAFTED)
def test_a_pickle_written_by_hand_is_refused(tmp_path, name):
    body, match = CRAFTED[name]
    path = bare(tmp_path, body)
    with pytest.raises(DatasetError, match=match) as caught, limited(seconds=60):
        read_npy(path)
    assert str(caught.value).startswith(f"{path}: ") and str(caught.value).isprintable()
    assert len(str(caught.value)) < 500


def test_what_is_shared_is_read_once(tmp_path):
    shared = (b")" + b"".join(b"q%ch%c\x86" % (n, n) for n in range(12)),)
    assert array_pickle.read_pickle(b"\x80\x04" + shared[0] + b".", "here")[0][0][1][0] is not None


# Sizes and damage


def test_a_claimed_size_makes_no_memory(tmp_path):
    path = tmp_path / "a.npz"
    for header in ("(1000000000000,)", "(999999999999999999, 999999999999999999)"):
        file = io.BytesIO()
        file.write(b"\x93NUMPY\1\0")
        text = f"{{'descr': '<f8', 'fortran_order': False, 'shape': {header}, }}\n".encode()
        file.write(struct.pack("<H", len(text)) + text + bytes(80))
        npz(path, a=file.getvalue())
        with pytest.raises(DatasetError, match="a: shape .* does not fit 80 bytes"), limited(memory_mib=20):
            read_npz(path, ["a"])


def test_an_archive_that_unpacks_to_a_thousand_times_itself_is_refused(tmp_path):
    path = tmp_path / "a.npz"
    np.savez_compressed(path, a=np.zeros(2**24))
    with pytest.raises(DatasetError, match="a: claims to unpack to 134217856 bytes") as caught:
        with limited(memory_mib=40):
            read_npz(path, ["a"])
    assert str(path) in str(caught.value)


def test_a_member_that_unpacks_to_more_than_it_claims_is_cut_off(tmp_path):
    path = tmp_path / "a.npz"
    np.savez_compressed(path, a=np.zeros(2**24))
    data = path.read_bytes()
    path.write_bytes(data.replace(struct.pack("<I", 134217856), struct.pack("<I", 1000)))
    with pytest.raises(DatasetError, match="a: ") as caught, limited(memory_mib=40):
        read_npz(path, ["a"])
    assert str(path) in str(caught.value)


@pytest.mark.parametrize("method", [zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA])
def test_other_compression_is_refused(tmp_path, method):
    path = npz(tmp_path / "a.npz", method, a=npy(boxed(1), 4))
    with pytest.raises(DatasetError, match="compressed by method"):
        read_npz(path, ["a"])


@pytest.mark.parametrize(
    ("make", "match"),
    [
        (lambda path: None, "cannot be read"),
        (lambda path: path.mkdir(), "cannot be read"),
        (lambda path: path.write_bytes(b""), "not an .npz archive"),
        (lambda path: path.write_bytes(npy(boxed(1), 4)), "not an .npz archive"),
        (lambda path: npz(path, b=npy(boxed(1), 4)), "a: no such array"),
        (lambda path: npz(path, a=b""), "a: no .npy array"),
        (lambda path: npz(path, a=b"\x93NUMPY\1\0\xff\xff{"), "a: no .npy array"),
        (lambda path: np.savez(path, a=np.array(["text"])), "a: header: of type <U4"),
        (lambda path: np.savez(path, a=np.zeros(2, "i4,f4")), "a: header: not as numpy writes it"),
        (lambda path: npz(path, a=npy(boxed(1), 4)[:-1]), "a: the pickle ends too early"),
        (
            lambda path: npz(path, a=npy(boxed(1), 4).replace(b"'shape': ()", b"'shape': (1)")),
            "a: header|a: the pickle",
        ),
    ],
)
def test_what_is_no_archive_of_arrays_is_refused(tmp_path, make, match):
    path = tmp_path / "a.npz"
    make(path)
    with pytest.raises(DatasetError, match=match) as caught:
        read_npz(path, ["a"])
    assert str(path) in str(caught.value)


def test_reading_leaves_the_file_alone(tmp_path):
    path = npz(tmp_path / "a.npz", a=npy(boxed(honest()), 4))
    path.chmod(0o400)
    before = path.read_bytes()
    array = read_npz(path, ["a"])["a"]
    assert path.read_bytes() == before
    with pytest.raises(ValueError):
        array[()] = 1


WHOLE = [npy(boxed(honest()), protocol, old) for protocol in (2, 3, 4, 5) for old in (False, True)]


@FUZZ
@given(st.sampled_from(range(len(WHOLE))), st.integers(0, 2**64 - 1))
def test_damaged_pickles_are_refused_or_read(tmp_path_factory, number, seed):
    path = tmp_path_factory.getbasetemp() / "damaged.npy"
    path.write_bytes(damage(WHOLE[number], seed))
    with only_dataset_errors(path), limited(seconds=60):
        read_npy(path)


@FUZZ
@given(st.sampled_from([zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED]), st.integers(0, 2**64 - 1))
def test_damaged_archives_are_refused_or_read(tmp_path_factory, method, seed):
    path = tmp_path_factory.getbasetemp() / "damaged.npz"
    npz(path, method, a=WHOLE[4], b=WHOLE[6])
    path.write_bytes(damage(path.read_bytes(), seed))
    with only_dataset_errors(path), limited(seconds=60):
        read_npz(path, ["a", "b"])


def opcodes(data: bytes) -> list[bytes]:
    starts = [place for _, _, place in pickletools.genops(data)]
    return [data[a:b] for a, b in zip(starts, [*starts[1:], len(data)], strict=True)]


PROGRAMS = [opcodes(pickle.dumps(boxed(honest()), protocol)) for protocol in (2, 3, 4, 5)]


@FUZZ
@given(st.integers(0, 2**64 - 1))
def test_opcodes_in_another_order_give_data_or_an_error(seed):
    """Honest pickles in which whole opcodes were left out, doubled, moved or replaced by others."""
    chance = random.Random(seed)
    program = list(chance.choice(PROGRAMS))
    for _ in range(chance.randint(1, 4)):
        place, other = chance.randrange(1, len(program)), chance.randrange(1, len(program))
        length = chance.randint(0, 3)
        new = program[other : other + chance.randint(0, 3)]
        program[place : place + length] = chance.choice(
            [new, [NDARRAY], [FLOAT], [EMPTY], [ARRAY], [b"N"], []]
        )
    with only_dataset_errors("here"), limited(seconds=60):
        array_pickle.read_pickle(b"".join(program), "here")
