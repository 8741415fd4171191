"""The recordings' site on loopback, for the tests: whole answers, and every kind of bad one.

with CmuSite(folder) as site:
    site.next("03_01.amc", "half", "500")   # the next two answers; after them whole ones
    fetch.cmu(folder, ["03"], site.address)
"""

import socket
import struct
import threading
import time
from collections import defaultdict
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

PAGE = b"<!DOCTYPE html>\n<html><title>Log in to the network</title></html>\n"


class CmuSite:
    """Serves ``subjects/<nn>/<file>`` from ``asfamc/<nn>/<file>`` of a folder.

    asked: (file, Range header or None) of every request, in order. changed: file -> other bytes.
    """

    def __init__(self, folder: Path):
        self.folder, self.asked, self.changed = folder, [], {}
        self.plans = defaultdict(list)
        self.stop = threading.Event()

    def next(self, name: str, *answers: str) -> None:
        self.plans[name] += answers

    def always(self, answer: str, times: int = 1000) -> None:
        self.plans = defaultdict(lambda: [answer] * times)

    @property
    def address(self) -> str:
        return f"http://127.0.0.1:{self.server.server_port}"

    def __enter__(self) -> "CmuSite":
        site = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self):
                try:
                    site.answer(self)
                except (BrokenPipeError, ConnectionResetError):
                    pass
                self.close_connection = True

            def log_message(self, *arguments):
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.server.daemon_threads = True
        self.thread = threading.Thread(target=self.server.serve_forever, args=(0.02,), daemon=True)
        self.thread.start()
        return self

    def __exit__(self, *error) -> None:
        self.stop.set()
        self.server.shutdown()
        self.server.server_close()
        self.thread.join()

    def answer(self, request: BaseHTTPRequestHandler) -> None:
        _, _, subject, name = request.path.split("/")
        wanted = request.headers.get("Range")
        self.asked.append((name, wanted))
        plan = self.plans[name]
        kind = plan.pop(0) if plan else "whole"
        path = self.folder / "asfamc" / subject / name
        data = self.changed.get(name) or (path.read_bytes() if path.is_file() else None)
        if kind.isdigit() or data is None:
            request.send_error(int(kind) if kind.isdigit() else 404)
            return
        first, status = 0, 200
        if wanted and kind != "no range":
            first, status = int(wanted.removeprefix("bytes=").removesuffix("-")), 206
            if first >= len(data):
                request.send_response(416)
                request.send_header("Content-Range", f"bytes */{len(data)}")
                request.end_headers()
                return
        headers = {"Content-Length": str(len(data) - first), "Content-Type": "text/plain"}
        if status == 206:
            headers["Content-Range"] = f"bytes {first}-{len(data) - 1}/{len(data)}"
        body, pause = data[first:], 0.0
        if kind == "half":
            body = body[: len(body) // 2]
        elif kind == "half without length":
            body = body[: len(body) // 2]
            del headers["Content-Length"]
        elif kind == "cut at a frame":
            body = body[: body.index(b"\n200") + 1]
            headers["Content-Length"] = str(len(body))
        elif kind in ("page", "page as text"):
            body, status = PAGE, 200
            headers = {"Content-Length": str(len(body)), "Content-Type": "text/html; charset=utf-8"}
            if kind == "page as text":
                headers["Content-Type"] = "text/plain"
        elif kind == "empty":
            body, headers["Content-Length"] = b"", "0"
        elif kind == "garbage":
            body = bytes(range(256)) * 40
            headers["Content-Length"] = str(len(body))
        elif kind == "endless":
            body = body * 6
            del headers["Content-Length"]
        elif kind == "far too long":
            headers["Content-Length"] = str(10**15)
        elif kind == "compressed":
            headers["Content-Encoding"] = "gzip"
        elif kind == "wrong piece" and status == 206:
            headers["Content-Range"] = f"bytes 0-{len(data) - 1}/{len(data)}"
        elif kind in ("dribble", "stall"):
            pause = 0.02
        request.send_response(status)
        for header in headers.items():
            request.send_header(*header)
        request.end_headers()
        if kind == "reset":
            request.wfile.write(body[: len(body) // 2])
            request.wfile.flush()
            linger = struct.pack("ii", 1, 0)  # close by a reset, without what is still on its way
            request.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
            request.connection.close()
            return
        if kind == "stall":
            request.wfile.write(body[: len(body) // 2])
            request.wfile.flush()
            self.stop.wait(30)
            return
        if not pause:
            request.wfile.write(body)
            return
        for byte in body:
            if self.stop.is_set():
                return
            request.wfile.write(bytes([byte]))
            request.wfile.flush()
            time.sleep(pause)
