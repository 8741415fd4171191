"""The pickles of numpy's arrays, read without executing anything.

An interpreter of the few opcodes that arrays, dicts, lists, tuples, strings and numbers need (protocols 2 to
5). It is shorter than what would have to be proved of a `pickle.Unpickler` with a `find_class` of ours:
that one takes extension codes from a cache without asking `find_class`, calls and sets the state of
whatever lies on its stack, and makes room for any length and memo index that a file claims. Here a
name that the file asks for becomes a word of a fixed list and never an object of Python: there is nothing
that could be called.

It has no recursion; opcodes, levels and integers are bounded, and all arrays and strings together have
no more bytes than twice the pickle.
"""

from __future__ import annotations

import math
import re
import struct

import numpy as np

from lib.data.clip import DatasetError

__all__ = ["number_type", "read_pickle", "shaped", "shown"]

OPCODES = 300_000  # a file of VideoPose3D has some 30000
LEVELS = 16
LONGEST_INTEGER = 16  # bytes
LARGEST_KEY = 2**31  # dicts of larger integers can be made to take for ever
LONGEST_NAME = 200

# What numpy's pickles ask for, by the names of numpy 1 and 2 and of Python 2 and 3.
NAMES = {
    "numpy ndarray": "ndarray",
    "numpy dtype": "dtype",
    "_codecs encode": "encode",
    "__builtin__ bytes": "bytes",
    "builtins bytes": "bytes",
}
for _core in ("core", "_core"):
    NAMES[f"numpy.{_core}.multiarray _reconstruct"] = "_reconstruct"
    NAMES[f"numpy.{_core}.multiarray scalar"] = "scalar"
    NAMES[f"numpy.{_core}.numeric _frombuffer"] = "_frombuffer"
NUMBER = re.compile(r"b1|[iu][1248]|f[248]")
OBJECT = ("O", "O4", "O8")


def read_pickle(data: bytes | memoryview, place: str):
    """The data in a pickle. Raises DatasetError, beginning with ``place``, for anything but data."""
    return _Interpreter(memoryview(data), place).run()


def number_type(name: str, order: str) -> np.dtype | None:
    """The numpy type of this name ("f4") and byte order ("<", ">" or "|"); None where it is no number's."""
    if not NUMBER.fullmatch(name) or order not in ("<", ">", "|"):
        return None
    return np.dtype(name).newbyteorder(order)


def shaped(data: bytes | memoryview, dtype: np.dtype, shape, order) -> np.ndarray | None:
    """An array over these very bytes; None where shape and order are none, or the bytes not as many."""
    if not _is_shape(shape) or type(order) is not str or order not in ("C", "F"):
        return None
    if math.prod(shape) * dtype.itemsize != len(data):
        return None
    return np.frombuffer(data, dtype).reshape(shape, order=order)


def shown(value) -> str:
    """What a file says, fit for a message: one line, short, no control characters."""
    return ascii(str(value)[:120])[1:-1][:120]


def _is_shape(shape) -> bool:
    return (
        type(shape) is tuple
        and len(shape) <= 8
        and all(type(size) is int and size >= 0 for size in shape)
        and math.prod(size or 1 for size in shape) < 2**56
    )


class _Name:
    """A name of the list, that the pickle asked for."""

    def __init__(self, word: str):
        self.word = word


class _Unfinished:
    """An array, or the type ``name``, whose state has not come yet; then ``value`` is the thing itself."""

    def __init__(self, word: str, name: str = ""):
        self.word, self.name, self.value = word, name, None


def _kind(value) -> str:
    return value.word if isinstance(value, _Name | _Unfinished) else type(value).__name__


class _Interpreter:
    def __init__(self, data: memoryview, place: str):
        self.data, self.place, self.at = data, place, 0
        self.stack, self.marks, self.memo = [], [], {}
        self.encoded = 0

    def run(self):
        for _ in range(OPCODES):
            code = self.take(1)[0]
            if code == 0x2E:  # STOP
                return self.finish()
            if code not in STEPS:
                raise self.wrong(f"has opcode {bytes([code])!r} at byte {self.at - 1}, which no array needs")
            STEPS[code](self)
        raise self.wrong(f"has more than {OPCODES} opcodes")

    def wrong(self, reason: str) -> DatasetError:
        return DatasetError(f"{self.place}: the pickle {reason}; nothing of it was executed")

    def finish(self):
        value = self.pop()
        if self.stack or self.marks or self.at != len(self.data):
            raise self.wrong("goes on after its end")
        level = [value]
        for _ in range(LEVELS):
            # Each thing once a level: what is shared, or holds itself, cannot make this long.
            level = list({id(child): child for parent in level for child in self.children(parent)}.values())
            if not level:
                return value
        raise self.wrong(f"is nested more than {LEVELS} levels deep")

    def children(self, value):
        """What a value holds; raises DatasetError where it is not data."""
        kind = type(value)
        if kind is list or kind is tuple:
            return value
        if kind is dict:
            return value.values()
        if kind is np.ndarray:
            return value.flat if value.dtype.hasobject else ()
        if value is None or kind in (str, bytes, bool, int, float) or isinstance(value, np.generic):
            return ()
        raise self.wrong(f"leaves {_kind(value)} where data should be")

    # Reading and the stack

    def take(self, size: int) -> memoryview:
        piece = self.data[self.at : self.at + size]
        if len(piece) != size:
            raise self.wrong("ends too early")
        self.at += size
        return piece

    def number(self, size: int) -> int:
        return int.from_bytes(self.take(size), "little")

    def push(self, value) -> None:
        self.stack.append(value)

    def pop(self):
        if len(self.stack) <= (self.marks[-1] if self.marks else 0):
            raise self.wrong("takes more from its stack than lies there")
        return self.stack.pop()

    def pop_mark(self) -> list:
        if not self.marks:
            raise self.wrong("lacks a mark")
        start = self.marks.pop()
        values = self.stack[start:]
        del self.stack[start:]
        return values

    def mark(self) -> None:
        self.marks.append(len(self.stack))

    def put(self, key: int) -> None:
        value = self.pop()
        self.memo[key] = value
        self.push(value)

    def get(self, key: int) -> None:
        if key not in self.memo:
            raise self.wrong(f"asks for its value {key}, which it never kept")
        value = self.memo[key]
        done = isinstance(value, _Unfinished) and value.value is not None
        self.push(value.value if done else value)

    # Values

    def protocol(self) -> None:
        protocol = self.number(1)
        if not 2 <= protocol <= 5:
            raise self.wrong(f"is of protocol {protocol}, where 2 to 5 are read")

    def frame(self) -> None:
        if self.number(8) > len(self.data) - self.at:
            raise self.wrong("ends too early")

    def text(self, size: int) -> None:
        piece = self.take(self.number(size))
        try:
            self.push(str(piece, "utf-8", "surrogatepass"))
        except UnicodeDecodeError:
            raise self.wrong(f"has a string that is not UTF-8 before byte {self.at}") from None

    def text_of_python2(self, size: int) -> None:  # text, or the bytes of an array
        self.push(str(self.take(self.number(size)), "latin-1"))

    def raw(self, size: int) -> None:
        self.push(bytes(self.take(self.number(size))))

    def integer(self, size: int, signed: bool = False) -> None:
        self.push(int.from_bytes(self.take(size), "little", signed=signed))

    def long(self, size: int) -> None:
        length = self.number(size)
        if length > LONGEST_INTEGER:
            raise self.wrong(f"has an integer of {length} bytes")
        self.integer(length, signed=True)

    def real(self) -> None:
        self.push(struct.unpack(">d", self.take(8))[0])

    def top(self, size: int) -> None:
        self.push(tuple([self.pop() for _ in range(size)][::-1]))

    def extend(self, values: list) -> None:
        target = self.pop()
        if type(target) is not list:
            raise self.wrong(f"appends to {_kind(target)}")
        target.extend(values)
        self.push(target)

    def update(self, values: list) -> None:
        target = self.pop()
        if type(target) is not dict or len(values) % 2:
            raise self.wrong(f"sets items of {_kind(target)}")
        for key in values[::2]:
            if not (type(key) is str or type(key) is int and abs(key) < LARGEST_KEY):
                raise self.wrong(f"has a key of type {_kind(key)}, neither a name nor a small integer")
        target.update(zip(values[::2], values[1::2], strict=True))
        self.push(target)

    # Names, and what they make

    def named(self, module, name) -> None:
        if type(module) is not str or type(name) is not str:
            raise self.wrong(f"asks for a name of type {_kind(name)}, which is not data")
        if f"{module} {name}" not in NAMES:
            raise self.wrong(f"asks for {shown(f'{module}.{name}')}, which is not data")
        self.push(_Name(NAMES[f"{module} {name}"]))

    def global_name(self) -> None:
        lines = []
        for _ in range(2):
            line, end, _ = bytes(self.data[self.at : self.at + LONGEST_NAME]).partition(b"\n")
            if not end:
                raise self.wrong(f"asks for {shown(line.decode('latin-1'))}, which is not data")
            self.at += len(line) + 1
            lines.append(line.decode("latin-1"))
        self.named(*lines)

    def stacked_name(self) -> None:
        name, module = self.pop(), self.pop()
        self.named(module, name)

    def reduce(self) -> None:
        arguments, function = self.pop(), self.pop()
        if not isinstance(function, _Name) or type(arguments) is not tuple:
            raise self.wrong(f"calls {_kind(function)}, which is not data")
        made = self.made(function.word, arguments)
        if made is None:
            kinds = ", ".join(_kind(argument) for argument in arguments[:9])
            raise self.wrong(f"asks for {function.word} of ({kinds}), which is no array of numbers")
        self.push(made)

    def made(self, word: str, arguments: tuple):
        """What a name makes of its arguments; None where numpy writes no such thing."""
        # A pattern of a constant stands within its class: == of an array is no truth value.
        match word, arguments:
            case "bytes", ():
                return b""
            case "encode", (str() as text, str("latin1" | "latin-1")):
                return self.encode(text)
            case "dtype", (str() as name, *_) if name in OBJECT or NUMBER.fullmatch(name):
                return _Unfinished("dtype", name)
            case "_reconstruct", (_Name(word="ndarray"), (int(0),), _):
                return _Unfinished("array")
            case "scalar", (np.dtype() as dtype, data):
                array = self.numbers(data, dtype, (), "C")
                return None if array is None else array[()]
            case "_frombuffer", (data, np.dtype() as dtype, shape, order):
                return self.numbers(data, dtype, shape, order)
        return None

    def build(self) -> None:
        state, target = self.pop(), self.pop()
        if not isinstance(target, _Unfinished) or target.value is not None:
            raise self.wrong(f"sets the state of {_kind(target)}, which is not data")
        match target.word, state:
            case "dtype", (int(3), str() as order, None, None, None, int(-1), int(-1), int()):
                is_object = target.name in OBJECT
                target.value = np.dtype(object) if is_object else number_type(target.name, order)
            case "array", (int(1), shape, np.dtype() as dtype, bool() as fortran, data):
                if dtype.hasobject:
                    target.value = self.objects(data, shape)
                else:
                    target.value = self.numbers(data, dtype, shape, "F" if fortran else "C")
        if target.value is None:
            raise self.wrong(f"has a state for {target.word} that is no array of numbers or objects")
        self.push(target.value)

    def encode(self, text: str) -> bytes | None:
        # The same string can be encoded time and again; honest ones are once each.
        self.encoded += len(text)
        if self.encoded > len(self.data):
            raise self.wrong("encodes more strings than it has")
        try:
            return text.encode("latin-1")
        except UnicodeEncodeError:
            return None

    def numbers(self, data, dtype: np.dtype, shape, order) -> np.ndarray | None:
        if type(data) is str:  # from Python 2
            data = self.encode(data)
        return None if type(data) is not bytes or dtype.hasobject else shaped(data, dtype, shape, order)

    def objects(self, values, shape) -> np.ndarray | None:
        """An array of objects, which a pickle lists with the last index fastest, whatever their order was."""
        if type(values) is not list or not _is_shape(shape) or math.prod(shape) != len(values):
            return None
        array = np.empty(len(values), object)
        for index, value in enumerate(values):
            array[index] = value
        array = array.reshape(shape)
        array.flags.writeable = False
        return array


STEPS = {
    0x80: _Interpreter.protocol,  # PROTO
    0x95: _Interpreter.frame,  # FRAME
    0x28: _Interpreter.mark,  # MARK
    0x4E: lambda machine: machine.push(None),  # NONE
    0x88: lambda machine: machine.push(True),  # NEWTRUE
    0x89: lambda machine: machine.push(False),  # NEWFALSE
    0x29: lambda machine: machine.push(()),  # EMPTY_TUPLE
    0x5D: lambda machine: machine.push([]),  # EMPTY_LIST
    0x7D: lambda machine: machine.push({}),  # EMPTY_DICT
    0x61: lambda machine: machine.extend([machine.pop()]),  # APPEND
    0x65: lambda machine: machine.extend(machine.pop_mark()),  # APPENDS
    0x73: lambda machine: machine.update([machine.pop(), machine.pop()][::-1]),  # SETITEM
    0x75: lambda machine: machine.update(machine.pop_mark()),  # SETITEMS
    0x74: lambda machine: machine.push(tuple(machine.pop_mark())),  # TUPLE
    0x85: lambda machine: machine.top(1),  # TUPLE1
    0x86: lambda machine: machine.top(2),  # TUPLE2
    0x87: lambda machine: machine.top(3),  # TUPLE3
    0x4B: lambda machine: machine.integer(1),  # BININT1
    0x4D: lambda machine: machine.integer(2),  # BININT2
    0x4A: lambda machine: machine.integer(4, signed=True),  # BININT
    0x8A: lambda machine: machine.long(1),  # LONG1
    0x8B: lambda machine: machine.long(4),  # LONG4
    0x47: _Interpreter.real,  # BINFLOAT
    0x8C: lambda machine: machine.text(1),  # SHORT_BINUNICODE
    0x58: lambda machine: machine.text(4),  # BINUNICODE
    0x8D: lambda machine: machine.text(8),  # BINUNICODE8
    0x55: lambda machine: machine.text_of_python2(1),  # SHORT_BINSTRING
    0x54: lambda machine: machine.text_of_python2(4),  # BINSTRING
    0x43: lambda machine: machine.raw(1),  # SHORT_BINBYTES
    0x42: lambda machine: machine.raw(4),  # BINBYTES
    0x8E: lambda machine: machine.raw(8),  # BINBYTES8
    0x96: lambda machine: machine.raw(8),  # BYTEARRAY8
    0x71: lambda machine: machine.put(machine.number(1)),  # BINPUT
    0x72: lambda machine: machine.put(machine.number(4)),  # LONG_BINPUT
    0x94: lambda machine: machine.put(len(machine.memo)),  # MEMOIZE
    0x68: lambda machine: machine.get(machine.number(1)),  # BINGET
    0x6A: lambda machine: machine.get(machine.number(4)),  # LONG_BINGET
    0x63: _Interpreter.global_name,  # GLOBAL
    0x93: _Interpreter.stacked_name,  # STACK_GLOBAL
    0x52: _Interpreter.reduce,  # REDUCE
    0x62: _Interpreter.build,  # BUILD
}
