"""HTTP/1 byte by byte: what a test sends is what goes over the wire, and what comes back is read strictly."""

import json
import re
import socket

STATUS = re.compile(rb"HTTP/1\.1 (\d{3}) ([^\r\n\0]*)")
FIELD = re.compile(rb"([!#$%&'*+.^_`|~0-9A-Za-z-]+): ?([^\r\n\0]*)")


class Answer:
    def __init__(self, status, fields):
        self.status = status
        self.fields = fields     # [(name in lower case, value)]
        self.body = b""
        self.trailers = []       # as fields

    def __getitem__(self, name):
        """The field's value, or None; a field that stands there twice is a mistake."""
        values = [v for n, v in self.fields if n == name.lower()]
        assert len(values) <= 1, (name, values)
        return values[0] if values else None

    @property
    def json(self):
        return json.loads(self.body)

    def __repr__(self):
        return f"<{self.status} {self.fields} {self.body[:200]!r}>"


class Wire:
    """A connection. Everything has a deadline, so that a hang is a failure."""

    def __init__(self, server, timeout=20.0, receive_buffer=None, address=None):
        self.sock = socket.socket()
        if receive_buffer:
            self.sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer)
        self.sock.settimeout(timeout)
        if address:
            self.sock.bind((address, 0))
        self.sock.connect(("127.0.0.1", server.port))
        self.left = b""

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.sock.close()

    def send(self, data):
        self.sock.sendall(data)
        return self

    def send_pieces(self, pieces):
        """Each piece in a packet of its own, as far as the kernels agree."""
        self.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        for piece in pieces:
            self.sock.sendall(piece)
        return self

    def hurry(self):
        """From now on a large buffer: what came slowly may come as fast as it can."""
        self.sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 20)
        return self

    def more(self, most=65536):
        """False at the end of the connection."""
        got = self.sock.recv(most)
        self.left += got
        return bool(got)

    def take(self, n):
        parts, have = [self.left], len(self.left)
        while have < n:
            self.left = b""
            assert self.more(), f"the connection ended {n - have} bytes early"
            parts.append(self.left)
            have += len(self.left)
        all_ = b"".join(parts)
        self.left = all_[n:]
        return all_[:n]

    def line(self):
        while b"\r\n" not in self.left:
            assert self.more(), f"the connection ended inside a line: {self.left!r}"
        out, _, self.left = self.left.partition(b"\r\n")
        return out

    def fields(self):
        fields = []
        while line := self.line():
            field = FIELD.fullmatch(line)
            assert field, line
            fields.append((field[1].decode().lower(), field[2].decode("latin-1")))
        return fields

    def head(self):
        match = STATUS.fullmatch(self.line())
        assert match
        return Answer(int(match[1]), self.fields())

    def chunks(self):
        body = []
        while size := int(self.line(), 16):
            body.append(self.take(size))
            assert self.take(2) == b"\r\n"
        return b"".join(body)

    def answer(self, method="GET"):
        a = self.head()
        if method == "HEAD" or a.status < 200 or a.status in (204, 304):
            return a
        if a["transfer-encoding"]:
            assert a["transfer-encoding"] == "chunked" and a["content-length"] is None
            a.body = self.chunks()
            a.trailers = self.fields()
        elif a["content-length"] is not None:
            a.body = self.take(int(a["content-length"]))
        else:
            assert a["connection"] == "close"
            a.body = self.rest()
        return a

    def ask(self, data, method=None):
        self.send(data)
        return self.answer(method or data.split(b" ", 1)[0].decode("latin-1"))

    def rest(self):
        """Everything up to the end of the connection."""
        parts, self.left = [self.left], b""
        try:
            while self.more():
                parts.append(self.left)
                self.left = b""
        except ConnectionResetError:
            pass
        return b"".join(parts)

    def assert_closed(self):
        """The server closed, and sent nothing more."""
        assert self.rest() == b""

    def assert_open(self):
        """Still good for a request."""
        assert self.ask(b"OPTIONS * HTTP/1.1\r\nHost: a\r\n\r\n").status == 204


def get(target="/", fields="", method="GET", version="1.1"):
    return f"{method} {target} HTTP/{version}\r\nHost: a\r\n{fields}\r\n".encode("latin-1")


def ask(server, data, **kwargs):
    """One request on a connection of its own."""
    with Wire(server, **kwargs) as w:
        return w.ask(data)
