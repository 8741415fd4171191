"""One file over HTTP for pooch: goes on where it broke off, does not wait for ever, checks what came.

pooch's own HTTPDownloader begins each file again, has no limit on the length or on the time of an
answer that keeps dribbling, and its message is the one of the library below it. `Continuing` is a
downloader as `pooch.retrieve` takes it, on requests: it collects a file in ``part``, asks for the
missing rest (Range), begins again where the server does not know ranges, and hands the file to pooch
only when it is whole and ``check`` has seen it.
"""

import os
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from lib.data.clip import DatasetError
from lib.data.sources import needed

__all__ = ["Continuing", "Limits", "NotThere", "Unreachable", "WrongContent"]

BLOCK = 1 << 16  # bytes at most between two looks at the clock
AGENT = "pose-without-labels (one file at a time)"
AGAIN = (408, 425, 429)  # of the 4xx: worth another try


@dataclass(frozen=True)
class Limits:
    """How long a server is waited for.

    tries: for each file, with ``pause`` s before the second, twice that before the third, and so on.
    connect, silence: s until it answers at all, and between two pieces of an answer. slowest: bytes a
    second that have to come on average in every ``patience`` s.
    """

    tries: int = 5
    pause: float = 2.0
    connect: float = 15.0
    silence: float = 30.0
    slowest: float = 500.0
    patience: float = 60.0


class Unreachable(DatasetError):
    """No answer, a broken or slow one, or the server's own trouble, as often as was tried."""


class NotThere(DatasetError):
    """The server knows the address not or does not give it."""


class WrongContent(DatasetError):
    """What came is not the file that was asked for."""


class _Broken(Exception):
    """A try failed, and what came of the file is worth keeping."""


@dataclass(frozen=True)
class Continuing:
    """A downloader for pooch.

    part: where the file is collected; it stays there when a download breaks off. check(path, whole)
    raises WrongContent for what is not the file; ``whole`` says whether it came in one piece, not put
    together from two answers. most: bytes that it cannot be longer than. report(n): n bytes more are
    there (less, where they were thrown away).
    """

    part: Path
    check: Callable[[Path, bool], None]
    most: int
    limits: Limits = Limits()
    report: Callable[[int], object] = lambda count: None

    def __call__(self, url: str, output_file, pooch=None) -> None:
        """Raises Unreachable, NotThere or WrongContent, which name the address and the reason."""
        for left in reversed(range(self.limits.tries)):
            try:
                whole = self._receive(url)
                self.check(self.part, whole)
                os.replace(self.part, output_file)
                return
            except (_Broken, WrongContent) as error:
                if isinstance(error, WrongContent):
                    self._discard()
                if left:
                    time.sleep(min(60.0, self.limits.pause * 2 ** (self.limits.tries - 1 - left)))
                    continue
                times = f"{self.limits.tries} tries" if self.limits.tries > 1 else "1 try"
                kind = WrongContent if isinstance(error, WrongContent) else Unreachable
                raise kind(f"{url}: {error}, after {times}") from error

    def _receive(self, url: str) -> bool:
        """Fill the part; whether all of it is of this answer."""
        requests = needed("requests", "fetching")
        urllib3 = needed("urllib3", "fetching")
        there = self.part.stat().st_size if self.part.is_file() else 0
        # As it is: the length of a file that is compressed on the way says nothing of the file.
        headers = {"User-Agent": AGENT, "Accept-Encoding": "identity"}
        if there:
            headers["Range"] = f"bytes={there}-"
        try:
            times = (self.limits.connect, self.limits.silence)
            with requests.get(url, headers=headers, stream=True, timeout=times) as answer:
                first, length = self._promised(url, answer, there)
                if length == 0 and first:
                    return False
                self.report(first - there)
                self._collect(answer.raw, first, length)
                return first == 0
        except (requests.RequestException, urllib3.exceptions.HTTPError) as error:
            if isinstance(error, (requests.exceptions.InvalidURL, requests.exceptions.InvalidSchema)):
                raise NotThere(f"{url}: is no address of the web") from error
            raise _Broken(_reason(error)) from error

    def _promised(self, url: str, answer, there: int) -> tuple[int, int | None]:
        """The first byte of an answer and how many follow, None where it does not say."""
        status, headers = answer.status_code, answer.headers
        if status == 416:
            if headers.get("Content-Range") == f"bytes */{there}":
                return there, 0
            self._discard()
            raise _Broken("the server's file ends before the half that is here")
        if 400 <= status < 500 and status not in AGAIN:
            raise NotThere(f"{url}: the server answers {status} {answer.reason}")
        first = 0
        if status == 206:
            first = there
            if not headers.get("Content-Range", "").startswith(f"bytes {there}-"):
                self._discard()
                raise _Broken("the server sends another piece than was asked for")
        elif status != 200:
            raise _Broken(f"the server answers {status} {answer.reason}")
        if headers.get("Content-Encoding", "identity") != "identity":
            raise WrongContent("comes compressed, though it was asked for as it is")
        kind = headers.get("Content-Type", "").lower()
        if "html" in kind:
            raise WrongContent("a web page in place of the file")
        length = headers.get("Content-Length", "")
        length = int(length) if length.isascii() and length.isdigit() and len(length) < 19 else None
        if length is not None and first + length > self.most:
            raise WrongContent(f"{first + length} bytes, more than the file can have ({self.most})")
        return first, length

    def _collect(self, raw, first: int, length: int | None) -> None:
        received, began, counted = 0, time.monotonic(), 0
        with open(self.part, "ab" if first else "wb") as file:
            # read1 gives what has come; read would wait until the block is full, however long.
            while block := raw.read1(BLOCK):
                file.write(block)
                file.flush()
                received += len(block)
                self.report(len(block))
                if first + received > self.most:
                    raise WrongContent(f"more than the {self.most} bytes that the file can have")
                elapsed = time.monotonic() - began
                if elapsed >= self.limits.patience:
                    if (received - counted) / elapsed < self.limits.slowest:
                        message = f"less than {self.limits.slowest:g} bytes a second for {elapsed:.0f} s"
                        raise _Broken(message)
                    began, counted = time.monotonic(), received
        if length is not None and received < length:
            raise _Broken(f"broke off after {first + received} of {first + length} bytes")

    def _discard(self) -> None:
        if self.part.is_file():
            self.report(-self.part.stat().st_size)
            self.part.unlink()


def _reason(error: BaseException) -> str:
    """What the innermost cause of a library's error says, in a few words."""
    name = type(error).__name__
    if "ConnectTimeout" in name:
        return "no answer"
    if "Timeout" in name:
        return "the answer stopped"
    seen = set()
    while error is not None and id(error) not in seen:
        seen.add(id(error))
        if isinstance(error, OSError) and error.strerror and type(error).__module__ in ("builtins", "socket"):
            return error.strerror.lower()
        inner = [a for a in error.args if isinstance(a, BaseException)]
        reason = getattr(error, "reason", None)
        error = (
            reason
            if isinstance(reason, BaseException)
            else next(iter(inner), None) or error.__cause__ or error.__context__
        )
    return "the connection broke off"
