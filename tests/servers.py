"""Servers on this machine: of live video, where each connection gets the next of some answers, the last one for ever;
and of the files in a folder.
"""

from __future__ import annotations

import socket
import struct
from base64 import b64encode
from contextlib import contextmanager, suppress
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from threading import Event, Thread
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterator
    from pathlib import Path

    Answer = Callable[["Request"], None]

__all__ = ["Request", "http", "rtsp", "send", "serve", "silence", "unavailable", "web_folder"]

CELLS = 7 * 188  # bytes of a transport stream in one packet of RTP


class Request:
    """A connection: what was asked, and a way to answer until the test is over."""

    def __init__(self, connection: socket.socket, over: Event) -> None:
        self.connection = connection
        self.over = over
        self._received = b""
        self.first = self.read_head()

    def read_head(self) -> str:
        """The lines up to the next empty one; empty where the other side has gone."""
        while b"\r\n\r\n" not in self._received:
            more = self.connection.recv(1 << 16)
            if not more:
                return ""
            self._received += more
        head, self._received = self._received.split(b"\r\n\r\n", 1)
        return head.decode()


@contextmanager
def serve(*answers: Answer) -> Iterator[tuple[int, list[str]]]:
    """The port of a server, and the first request of each connection so far."""
    over, asked = Event(), list[str]()
    threads: list[Thread] = []

    def work(connection: socket.socket, number: int) -> None:
        with connection, suppress(ConnectionError):
            request = Request(connection, over)
            asked.append(request.first)
            answers[min(number, len(answers) - 1)](request)

    def accept(listening: socket.socket) -> None:
        while not over.is_set():
            connection, _ = listening.accept()
            if over.is_set():
                connection.close()
                return
            threads.append(Thread(target=work, args=(connection, len(threads))))
            threads[-1].start()

    with socket.create_server(("127.0.0.1", 0)) as listening:
        port = listening.getsockname()[1]
        accepting = Thread(target=accept, args=(listening,))
        accepting.start()
        try:
            yield port, asked
        finally:
            over.set()
            with socket.create_connection(("127.0.0.1", port)):  # the last one, which wakes it up
                accepting.join()
            for thread in threads:
                thread.join()


def http(data: bytes, *, seconds: float = 0.0, then: Answer | None = None, announced: int | None = None) -> Answer:
    """Answers with data that take some time, and then closes unless there is more to be done.

    ``announced``: how many bytes it says there are.
    """

    def answer(request: Request) -> None:
        size = "" if announced is None else f"Content-Length: {announced}\r\n"
        request.connection.sendall(f"HTTP/1.1 200 OK\r\nConnection: close\r\n{size}\r\n".encode())
        send(request, data, seconds)
        if then is not None:
            then(request)

    return answer


def rtsp(data: bytes, *, seconds: float = 0.0, user: str = "") -> Answer:
    """Answers as a camera that sends a transport stream, interleaved with its answers, and then closes.

    Only to those who say they are the ``user:password`` given.
    """
    expected = b64encode(user.encode()).decode()

    def answer(request: Request) -> None:
        head = request.first
        while head:
            method, number = head.split()[0], head.split("CSeq:")[1].split()[0]
            status, lines, body = "200 OK", "", ""
            if user and method != "OPTIONS" and f"Authorization: Basic {expected}" not in head:
                status, lines = "401 Unauthorized", 'WWW-Authenticate: Basic realm="camera"\r\n'
            elif method == "OPTIONS":
                lines = "Public: OPTIONS, DESCRIBE, SETUP, PLAY, TEARDOWN\r\n"
            elif method == "DESCRIBE":
                body = "v=0\r\no=- 0 0 IN IP4 127.0.0.1\r\ns=-\r\nt=0 0\r\nm=video 0 RTP/AVP 33\r\n"
                lines = f"Content-Type: application/sdp\r\nContent-Length: {len(body)}\r\n"
            elif method == "SETUP":
                assert "RTP/AVP/TCP" in head
                lines = "Session: 1\r\nTransport: RTP/AVP/TCP;unicast;interleaved=0-1\r\n"
            request.connection.sendall(f"RTSP/1.0 {status}\r\nCSeq: {number}\r\n{lines}\r\n{body}".encode())
            if method == "PLAY" and status == "200 OK":
                send(request, b"".join(_interleaved(data)), seconds)
                return
            head = request.read_head()

    return answer


def _interleaved(data: bytes) -> Iterator[bytes]:
    """RTP packets as they are sent between the answers of RTSP."""
    for number, place in enumerate(range(0, len(data), CELLS)):
        packet = struct.pack(">BBHII", 0x80, 33, number & 0xFFFF, 0, 1) + data[place : place + CELLS]
        yield struct.pack(">cBH", b"$", 0, len(packet)) + packet


def send(request: Request, data: bytes, seconds: float = 0.0) -> None:
    """Send data bit by bit, so that it takes some time."""
    pieces = 1 + round(20 * seconds)
    for number in range(pieces):
        piece = data[len(data) * number // pieces : len(data) * (number + 1) // pieces]
        if request.over.wait(seconds / pieces if number else 0):
            return
        request.connection.sendall(piece)


def silence(request: Request) -> None:
    """Say nothing until the test is over."""
    request.over.wait()


def unavailable(request: Request) -> None:
    """Answer that it cannot be had now."""
    request.connection.sendall(b"HTTP/1.1 503 Service Unavailable\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")


@contextmanager
def web_folder(folder: Path, *, refused: Collection[str] = ()) -> Iterator[str]:
    """The address of a web server of a folder's files; those of some names it gives to nobody."""

    class Handler(SimpleHTTPRequestHandler):
        def __init__(self, *arguments: Any) -> None:
            super().__init__(*arguments, directory=str(folder))

        def send_head(self) -> Any:
            if self.path.partition("?")[0].rpartition("/")[2] in refused:
                self.send_error(403)
                return None
            return super().send_head()

        def log_message(self, *_: Any) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        serving = Thread(target=server.serve_forever)
        serving.start()
        try:
            yield f"http://127.0.0.1:{server.server_port}"
        finally:
            server.shutdown()
            serving.join()
