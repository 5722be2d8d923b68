"""Servers behind petrel that do what a script says, on each connection, byte by byte: well-behaved ones and others.

A script is called with a Peer, in a thread of its own, and its connection is closed when it returns.
"""

import collections
import socket
import struct
import threading

from conftest import wait_for

Asked = collections.namedtuple("Asked", "method target fields head body")


class Gone(Exception):
    """The other side closed."""


class Peer:
    """A connection that petrel made."""

    def __init__(self, origin, sock, number):
        self.origin, self.sock, self.number = origin, sock, number
        self.left = b""
        self.closed = threading.Event()      # petrel's end was seen

    def more(self):
        try:
            got = self.sock.recv(65536)
        except OSError:
            got = b""
        if not got:
            self.closed.set()
            raise Gone
        self.left += got

    def take(self, n):
        parts, have = [self.left], len(self.left)
        while have < n:
            self.left = b""
            self.more()
            parts.append(self.left)
            have += len(self.left)
        all_ = b"".join(parts)
        self.left = all_[n:]
        return all_[:n]

    def until(self, mark):
        while mark not in self.left:
            self.more()
        out, _, self.left = self.left.partition(mark)
        return out + mark

    def send(self, *pieces):
        try:
            for piece in pieces:
                self.sock.sendall(piece)
        except OSError:
            self.closed.set()
            raise Gone from None

    def wait_closed(self):
        """Until petrel has closed; what comes meanwhile is thrown away."""
        try:
            while True:
                self.left = b""
                self.more()
        except Gone:
            pass

    def reset(self):
        self.sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.sock.close()

    # --- HTTP ---

    def head(self):
        head = self.until(b"\r\n\r\n")
        line, *fields = head[:-4].split(b"\r\n")
        method, target, version = line.decode("latin-1").split(" ")
        assert version == "HTTP/1.1"
        fields = [tuple(part.strip() for part in field.decode("latin-1").split(":", 1)) for field in fields]
        return Asked(method, target, fields, head, b"")

    def chunks(self):
        body = []
        while size := int(self.until(b"\r\n"), 16):
            body.append(self.take(size))
            assert self.take(2) == b"\r\n"
        assert self.take(2) == b"\r\n"
        return b"".join(body)

    def body(self, asked):
        if field(asked, "transfer-encoding"):
            assert field(asked, "transfer-encoding") == "chunked" and field(asked, "content-length") is None
            return self.chunks()
        return self.take(int(field(asked, "content-length") or 0))

    def ask(self):
        """The next request, with its body."""
        asked = self.head()
        asked = asked._replace(body=self.body(asked))
        self.origin.asked.append(asked)
        return asked

    # --- FastCGI ---

    def record(self):
        version, kind, ident, size, padding = struct.unpack("!BBHHBx", self.take(8))
        assert version == 1 and ident == 1
        content = self.take(size)
        self.take(padding)
        return kind, content

    def ask_fastcgi(self):
        """The variables of the next request, its body as ["stdin"]."""
        streams = {4: b"", 5: b""}
        kind, content = self.record()
        assert kind == 1 and content[:3] == b"\0\1\1"
        while True:
            kind, content = self.record()
            streams[kind] += content
            if kind == 5 and not content:
                break
        variables = dict(pairs(streams[4]))
        variables["stdin"] = streams[5]
        self.origin.asked.append(variables)
        return variables


def field(asked, name):
    values = [value for key, value in asked.fields if key.lower() == name]
    assert len(values) <= 1, values
    return values[0] if values else None


def pairs(data):
    def length():
        nonlocal data
        if data[0] < 128:
            n, data = data[0], data[1:]
        else:
            n, data = struct.unpack("!I", data[:4])[0] & 0x7fffffff, data[4:]
        return n
    while data:
        name_n, value_n = length(), length()
        yield data[:name_n].decode(), data[name_n:name_n + value_n].decode("latin-1")
        data = data[name_n + value_n:]


class Origin:
    """Listens until the test ends; `script` may be exchanged at any time, for the connections to come.  None: nobody
    accepts them."""

    def __init__(self, script, path=None, backlog=1024):
        self.script = script
        self.asked = []          # what ask() read
        self.peers = []          # every connection there was
        self.errors = []         # what went wrong in a script
        if path:
            self.listener = socket.socket(socket.AF_UNIX)
            self.listener.bind(str(path))
            self.address = f"unix:{path}"
        else:
            self.listener = socket.socket()
            self.listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            self.listener.bind(("127.0.0.1", 0))
            self.port = self.listener.getsockname()[1]
            self.address = f"127.0.0.1:{self.port}"
        self.listener.listen(backlog)
        if script:
            threading.Thread(target=self.accept, daemon=True).start()

    def accept(self):
        while True:
            try:
                sock, _ = self.listener.accept()
            except OSError:
                return
            if sock.family == socket.AF_INET:
                sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            peer = Peer(self, sock, len(self.peers))
            self.peers.append(peer)
            threading.Thread(target=self.run, args=(peer,), daemon=True).start()

    def run(self, peer):
        try:
            self.script(peer)
        except Gone:
            pass
        except Exception as e:
            self.errors.append(e)
        peer.sock.close()

    def close(self):
        try:
            self.listener.shutdown(socket.SHUT_RDWR)
        except OSError:
            pass
        self.listener.close()
        for peer in self.peers:
            try:
                peer.sock.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass
        assert not self.errors, self.errors

    def wait_asked(self, count=1):
        wait_for(lambda: len(self.asked) >= count, f"{count} requests at the origin")

    def wait_peers(self, count=1):
        wait_for(lambda: len(self.peers) >= count, f"{count} connections to the origin")

    def wait_gone(self, number=-1):
        """Until petrel closed that connection, which its script has to be reading."""
        assert self.peers[number].closed.wait(10), "petrel keeps the connection"


# --- Scripts. ---


def answer(body=b"", status="200 OK", fields=""):
    if isinstance(body, str):
        body = body.encode()
    return f"HTTP/1.1 {status}\r\n{fields}Content-Length: {len(body)}\r\n\r\n".encode("latin-1") + body


def http(reply=lambda asked: answer(b"hello")):
    """A server that keeps its connections and answers with the bytes that reply(asked) makes."""
    def script(peer):
        while True:
            asked = peer.ask()
            out = reply(asked)
            if asked.method == "HEAD":
                out = out[:out.index(b"\r\n\r\n") + 4]
            peer.send(out)
    return script


def once(*pieces, after=None):
    """Reads a request, sends this, and closes or goes on with after(peer)."""
    def script(peer):
        peer.ask()
        peer.send(*pieces)
        if after:
            after(peer)
    return script


def hang(peer):
    peer.wait_closed()


def reset(peer):
    peer.reset()


# --- FastCGI. ---

STDIN, STDOUT, STDERR, END = 5, 6, 7, 3


def record(kind, content=b"", ident=1, version=1, padding=0, length=None):
    size = len(content) if length is None else length
    return struct.pack("!BBHHBx", version, kind, ident, size, padding) + content + bytes(padding)


def end(status=0, app=0, **kwargs):
    return record(END, struct.pack("!IB3x", app, status), **kwargs)


def fastcgi(reply=lambda variables: b"Content-Type: text/plain\r\n\r\nhello"):
    """An application server that keeps its connections."""
    def script(peer):
        while True:
            out = reply(peer.ask_fastcgi())
            records = [record(STDOUT, out[i:i + 65535]) for i in range(0, len(out), 65535)]
            peer.send(*records, record(STDOUT), end())
    return script


def once_fastcgi(*pieces, after=None):
    def script(peer):
        peer.ask_fastcgi()
        peer.send(*pieces)
        if after:
            after(peer)
    return script


# --- WebSockets, as far as a proxy minds. ---

UPGRADE = (b"HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"
           b"Sec-WebSocket-Accept: x\r\n\r\n")


def echo(peer):
    """Says back what comes; when the other side sends no more, says "end" and closes."""
    try:
        while True:
            if not peer.left:
                peer.more()
            out, peer.left = peer.left, b""
            peer.send(out)
    except Gone:
        try:
            peer.sock.sendall(b"end")
        except OSError:
            pass


def echo_tunnel(peer):
    peer.ask()
    peer.send(UPGRADE)
    echo(peer)
