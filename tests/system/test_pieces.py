"""However a request is cut into pieces, its answer is the same: generated requests, sound and broken ones."""

import contextlib
import socket

import pytest
from conftest import SLOW, Petrel
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from wire import Wire, get

CONF = """
loops 1;
listen 127.0.0.1:{port};
limits { connections 100000; min_rate 0; linger_timeout 1h; }
error_log {dir}/error.log;
site * {
    route /text* { respond 200 "hello\\n"; }
    route *      { echo; }
}
"""


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    one = Petrel(tmp_path_factory.mktemp("petrel"), CONF).wait_ready()
    yield one
    one.stop()


# --- What may be asked. ---

TOKEN = st.text("!#$%&'*+-.^_`|~09azAZ", min_size=1, max_size=8)
METHOD = st.sampled_from(["GET", "HEAD", "POST", "OPTIONS", "PUT", "TRACE"]) | TOKEN
SEGMENT = st.sampled_from(["a", "text", "%61", ".", "..", "", "%2e%2e", "b.html", "%C3%A4", "%2f", "a;b=c", "~"])
TARGET = st.builds(lambda parts, query: "/" + "/".join(parts) + query, st.lists(SEGMENT, max_size=4),
                   st.sampled_from(["", "?", "?a=b&c", "?%00"]))
TARGET |= st.sampled_from(["*", "/text", "http://a/b", "http://a"])
VALUE = st.text([chr(c) for c in (*range(0x20, 0x7f), *range(0xa0, 0x100))], max_size=12)
# Not among them: Expect: 100-continue, which asks whether the body is on its way already.
FIELD = st.tuples(TOKEN, VALUE) | st.sampled_from([
    ("Connection", "close"), ("Connection", "keep-alive"), ("Accept", "text/html"),
    ("Host", "b"), ("Content-Length", "3"), ("Transfer-Encoding", "chunked")])
FRAMING = st.sampled_from(["none", "none", "length", "chunked"])
BODY = st.binary(max_size=40)


def chunks(body, size, extension, trailer):
    parts = [body[i:i + size] for i in range(0, len(body), size)]
    coded = b"".join(b"%x%s\r\n%s\r\n" % (len(p), extension, p) for p in parts)
    return coded + b"0" + extension + b"\r\n" + trailer + b"\r\n"


@st.composite
def requests(draw):
    framing, body = draw(FRAMING), draw(BODY)
    fields = [("Host", "a")] + draw(st.lists(FIELD, max_size=3))
    if framing == "length":
        fields.append(("Content-Length", str(len(body))))
    elif framing == "chunked":
        fields.append(("Transfer-Encoding", "chunked"))
        body = chunks(body, draw(st.integers(1, 40)), draw(st.sampled_from([b"", b";a", b';a="b;c"'])),
                      draw(st.sampled_from([b"", b"T: v\r\n"])))
    else:
        body = b""
    head = f"{draw(METHOD)} {draw(TARGET)} HTTP/1.{draw(st.sampled_from('1110'))}\r\n"
    head += "".join(f"{n}:{draw(st.sampled_from(['', ' ']))}{v}\r\n" for n, v in fields) + "\r\n"
    return head.encode("latin-1") + body


@st.composite
def broken(draw):
    """A request with one byte replaced, inserted or left out."""
    request = draw(requests())
    at = draw(st.integers(0, len(request) - 1))
    new = draw(st.sampled_from([b"", b"\0", b"\r", b"\n", b" ", b"\t", b":", b"x", b"\x80", b"0", b";", b"%"]))
    return request[:at] + new + request[at + draw(st.integers(0, 1)):]


STREAM = st.lists(requests() | broken(), min_size=1, max_size=4).map(b"".join)
EXAMPLES = settings(max_examples=60 if SLOW else 150, deadline=None, derandomize=True, database=None,
                    suppress_health_check=list(HealthCheck))


# --- How it is answered. ---

def send(w, piece):
    """The server may have closed already: what follows a request that ends its connection is nobody's."""
    with contextlib.suppress(BrokenPipeError, ConnectionResetError):
        w.send_pieces([piece])


def answers(w):
    """All bytes that come back, without what depends on time."""
    with contextlib.suppress(OSError):
        w.sock.shutdown(socket.SHUT_WR)
    lines = [line for line in w.rest().split(b"\r\n") if not line.startswith(b"Date: ")]
    return b"\r\n".join(lines)


def whole(server, stream):
    with Wire(server) as w:
        send(w, stream)
        return answers(w)


class Barrier:
    """When it returns, the only loop has seen all that was sent before."""

    def __init__(self, server):
        self.wire = Wire(server)

    def wait(self):
        assert self.wire.ask(get("/text")).status == 200


@EXAMPLES
@given(stream=requests() | broken())
def test_cut_at_every_byte(server, stream):
    expected = whole(server, stream)
    barrier = Barrier(server)
    cuts = [(Wire(server), n) for n in range(1, len(stream))]
    for w, n in cuts:
        send(w, stream[:n])
    barrier.wait()
    for w, n in cuts:
        send(w, stream[n:])
        assert answers(w) == expected, (n, stream)
        w.sock.close()
    barrier.wire.sock.close()


@EXAMPLES
@given(stream=STREAM)
def test_byte_by_byte(server, stream):
    expected = whole(server, stream)
    barrier = Barrier(server)
    with Wire(server) as w:
        for i in range(len(stream)):
            send(w, stream[i:i + 1])
            barrier.wait()
        assert answers(w) == expected, stream
    barrier.wire.sock.close()


@EXAMPLES
@given(stream=STREAM, sizes=st.lists(st.integers(1, 200), min_size=1))
def test_pipelines_in_pieces(server, stream, sizes):
    expected = whole(server, stream)
    barrier = Barrier(server)
    with Wire(server) as w:
        at = 0
        while at < len(stream):
            n = sizes[at % len(sizes)]
            send(w, stream[at:at + n])
            barrier.wait()
            at += n
        assert answers(w) == expected, stream
    barrier.wire.sock.close()
