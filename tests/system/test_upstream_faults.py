"""Servers behind petrel that fail in every way: the client gets the right status, the log a reason, and nobody else notices.

Each row of a table is one fault. The status is what the client gets; CUT means that the answer's begin was out already, and
that the client can see that its end is missing.
"""

import os
import pathlib
import socket
import subprocess
import threading
import time

import pytest
from conftest import SLOW, alive, free_port, wait_for
from origins import (STDERR, STDOUT, Origin, answer, end, fastcgi, hang, http, once, once_fastcgi, record, reset)
from wire import Wire, ask, get

CUT = 0
CONF = """
loops 1;
listen 127.0.0.1:{port};
error_log {dir}/error.log;
temporary {dir};
limits { connections 0; min_rate 0; }
pool bad  { server BAD; retry 0; eject 0; header 4k; timeout connect TIME send TIME answer TIME read TIME; RULES }
pool good { server GOOD; retry 0; }
site * {
    route /good { proxy good; }
    route *     { HANDLER bad; }
}
"""
SMALL = "HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\n"
LARGE = "HTTP/1.1 200 OK\r\nContent-Length: 100000\r\n\r\n"
CHUNKED = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"


@pytest.fixture
def served(petrel, origin):
    """served(script): a server with a bad origin and a good one; retries and the like are the pool's RULES."""
    def start(script=None, rules="", time="300ms", address=None, unix=False, handler="proxy"):
        bad = origin(script, unix=unix) if script else None
        good = origin(http())
        conf = CONF.replace("BAD", address or bad.address).replace("GOOD", good.address).replace("HANDLER", handler)
        server = petrel(conf.replace("TIME", time).replace("RULES", rules))
        server.bad, server.good = bad, good
        assert ask(server, get("/good")).body == b"hello"
        return server
    return start


def descriptors(pid):
    return len(os.listdir(f"/proc/{pid}/fd"))


def log_of(server):
    log = server.dir / "error.log"
    return log.read_text(errors="replace") if log.exists() else ""


def said(server, words):
    wait_for(lambda: words in log_of(server), f"{words!r} in:\n{log_of(server)}")


def read_cut(w):
    """What came of an answer that breaks off."""
    a = w.head()
    chunked, length = a["transfer-encoding"] == "chunked", a["content-length"]
    rest = w.rest()
    if chunked:
        assert not rest.endswith(b"0\r\n\r\n")
    else:
        assert length is not None and len(rest) < int(length)
    return a


def fault(server, status, words, request=None):
    """Asks for what goes wrong while somebody else is served, and looks for what is left of it."""
    worker = server.wait_worker()
    before = descriptors(worker)
    with Wire(server) as w, Wire(server) as other:
        w.send(request or get("/bad"))
        assert other.ask(get("/good")).body == b"hello"
        if status == CUT:
            assert read_cut(w).status == 200
        else:
            a = w.answer()
            assert a.status == status, (a, log_of(server))
            if status != 200:
                w.assert_open()
        assert other.ask(get("/good")).body == b"hello"
    if words:
        said(server, words)
    wait_for(lambda: descriptors(worker) <= before, f"{before} descriptors again")
    assert server.wait_worker() == worker


def head_of(text):
    return once(text.encode("latin-1"), after=hang)


# --- HTTP. ---

def closes(peer):
    peer.head()


def closes_unread(peer):
    peer.more()


def resets(peer):
    peer.head()
    peer.reset()


def hangs_after_head(peer):
    peer.head()
    hang(peer)


def never_ending_head(peer):
    peer.head()
    peer.send(b"HTTP/1.1 200 OK\r\n")
    while True:
        peer.send(b"X-Filler: %s\r\n" % (b"x" * 100))


def endless_interims(peer):
    peer.head()
    while True:
        peer.send(b"HTTP/1.1 102 Processing\r\n\r\n")


HTTP_FAULTS = [
    ("hangs at once", hang, 504, "did not answer in time"),
    ("hangs after the request", hangs_after_head, 504, "did not answer in time"),
    ("hangs in the head", once(b"HTTP/1.1 200 OK\r\nX-A", after=hang), 504, "did not answer in time"),
    ("hangs after an interim head", once(b"HTTP/1.1 103 Early Hints\r\nLink: a\r\n\r\n", after=hang), 504, "in time"),
    ("hangs in a small body", once(SMALL.encode() + b"123", after=hang), CUT, "said nothing for too long"),
    ("hangs in a large body", once(LARGE.encode() + b"x" * 50000, after=hang), CUT, "said nothing for too long"),
    ("hangs between chunks", once(CHUNKED.encode() + b"5\r\nhello\r\n", after=hang), CUT, "said nothing for too long"),
    ("closes at once", lambda peer: None, 502, "closed the connection"),
    ("closes before it read", closes_unread, 502, "closed the connection"),
    ("closes after the request", closes, 502, "closed the connection without an answer"),
    ("resets", resets, 502, "closed the connection without an answer"),
    ("closes in the status line", once(b"HTTP/1.1 200"), 502, "in the middle of its answer's head"),
    ("closes in the head", once(b"HTTP/1.1 200 OK\r\nContent-Le"), 502, "in the middle of its answer's head"),
    ("resets in the head", once(b"HTTP/1.1 200 OK\r\nContent-Le", after=reset), 502, "closed the connection"),
    ("closes after an interim head", once(b"HTTP/1.1 100 Continue\r\n\r\n"), 502, "closed the connection"),
    ("closes in a small body", once(SMALL.encode() + b"123"), CUT, "closed the connection in the middle"),
    ("closes in a large body", once(LARGE.encode() + b"x" * 50000), CUT, "closed the connection in the middle"),
    ("resets in a large body", once(LARGE.encode() + b"x" * 50000, after=reset), CUT, "broke off its answer"),
    ("closes between chunks", once(CHUNKED.encode() + b"5\r\nhello\r\n", after=lambda p: time.sleep(.1)), CUT,
     "closed the connection in the middle"),
    ("garbage", head_of("nonsense\r\n\r\n"), 502, "given up"),
    ("a Telnet greeting", head_of("\xff\xfb\x01\xff\xfb\x03login: "), 504, "in time"),
    ("HTTP/0.9", once(b"<html>hello</html>"), 502, "given up"),
    ("HTTP/2", head_of("HTTP/2 200 OK\r\n\r\n"), 502, "given up"),
    ("a TLS alert", once(b"\x15\x03\x03\0\2\2\x46\n\n"), 502, "given up"),
    ("no status", head_of("HTTP/1.1 OK\r\nContent-Length: 0\r\n\r\n"), 502, "given up"),
    ("a status of two digits", head_of("HTTP/1.1 20 OK\r\nContent-Length: 0\r\n\r\n"), 502, "given up"),
    ("status 600", head_of("HTTP/1.1 600 What\r\nContent-Length: 0\r\n\r\n"), 502, "given up"),
    ("a bare LF", head_of("HTTP/1.1 200 OK\nContent-Length: 0\n\n"), 502, "given up"),
    ("a bare LF in one line", head_of("HTTP/1.1 200 OK\r\nX-A: b\nContent-Length: 0\r\n\r\n"), 502, "given up"),
    ("a bare CR", head_of("HTTP/1.1 200 OK\r\nX-A: b\rc\r\nContent-Length: 0\r\n\r\n"), 502, "given up"),
    ("a NUL", head_of("HTTP/1.1 200 OK\r\nX-A: b\0c\r\nContent-Length: 0\r\n\r\n"), 502, "given up"),
    ("a folded line", head_of("HTTP/1.1 200 OK\r\nX-A: b\r\n c\r\nContent-Length: 0\r\n\r\n"), 502, "given up"),
    ("a blank before the colon", head_of("HTTP/1.1 200 OK\r\nContent-Length : 0\r\n\r\n"), 502, "given up"),
    ("a field without a colon", head_of("HTTP/1.1 200 OK\r\nContent-Length\r\n\r\n"), 502, "given up"),
    ("both lengths", head_of("HTTP/1.1 200 OK\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n"), 502, "both"),
    ("differing lengths", head_of("HTTP/1.1 200 OK\r\nContent-Length: 5\r\nContent-Length: 6\r\n\r\n"), 502,
     "more than one Content-Length"),
    ("a list of lengths", head_of("HTTP/1.1 200 OK\r\nContent-Length: 5, 6\r\n\r\n"), 502, "not a number"),
    ("a negative length", head_of("HTTP/1.1 200 OK\r\nContent-Length: -5\r\n\r\n"), 502, "not a number"),
    ("a signed length", head_of("HTTP/1.1 200 OK\r\nContent-Length: +5\r\n\r\n"), 502, "not a number"),
    ("too large a length", head_of("HTTP/1.1 200 OK\r\nContent-Length: 9223372036854775808\r\n\r\n"), 502, "not a number"),
    ("a coding that nobody asked for", head_of("HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip, chunked\r\n\r\n"), 502,
     "other than chunked"),
    ("chunks in HTTP/1.0", head_of("HTTP/1.0 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"), 502, "HTTP/1.0"),
    ("a body with 204", head_of("HTTP/1.1 204 No\r\nContent-Length: 5\r\n\r\nhello"), 502, "no body"),
    ("101 that nobody asked for", head_of("HTTP/1.1 101 Switching\r\nUpgrade: websocket\r\nConnection: upgrade\r\n\r\n"), 502,
     "was not asked for"),
    ("too large a head", head_of("HTTP/1.1 200 OK\r\nX-A: " + "a" * 5000 + "\r\n\r\n"), 502, "too large"),
    ("too large a head without a line", head_of("HTTP/1.1 200 " + "a" * 5000), 502, "too large"),
    ("too many fields", head_of("HTTP/1.1 200 OK\r\n" + "X:\r\n" * 300 + "\r\n"), 502, "fields"),
    ("a head that never ends", never_ending_head, 502, "too large"),
    ("interim heads without end", endless_interims, 502, "without end"),
    ("a chunk's size that is none", once(CHUNKED.encode() + b"zz\r\n"), 502, "chunks are malformed"),
    ("too large a chunk", once(CHUNKED.encode() + b"fffffffffffffffff\r\n"), 502, "chunks are malformed"),
    ("a chunk without its end", once(CHUNKED.encode() + b"5\r\nhelloX\r\n"), 502, "chunks are malformed"),
    ("a chunk that ends in LF", once(CHUNKED.encode() + b"5\nhello\n"), 502, "chunks are malformed"),
    ("a bad chunk after good ones", once(CHUNKED.encode() + b"5\r\nhello\r\n", after=lambda p: (time.sleep(.1), p.send(b"x\r\n"))),
     CUT, "chunks are malformed"),
]


@pytest.mark.parametrize("script, status, words", [row[1:] for row in HTTP_FAULTS], ids=[row[0] for row in HTTP_FAULTS])
def test_http(served, script, status, words):
    fault(served(script), status, words)


def test_refused(served):
    fault(served(address=f"127.0.0.1:{free_port()}"), 502, "Connection refused")


def test_no_socket(served, tmp_path):
    fault(served(address=f"unix:{tmp_path}/none.sock"), 502, "No such file")


def test_unreachable(served):
    # No route leads there; a kernel may say so at once, or nothing at all.
    server = served(address="192.0.2.1:80")
    with Wire(server) as w:
        assert w.ask(get("/bad")).status in (502, 504)
        w.assert_open()


@pytest.fixture
def full():
    """A listening socket whose queue is full: whoever connects waits."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen(0)
        waiting = []
        for _ in range(4):
            s = socket.socket()
            s.setblocking(False)
            s.connect_ex(listener.getsockname())
            waiting.append(s)
        yield "127.0.0.1:%d" % listener.getsockname()[1]
        for s in waiting:
            s.close()


def test_connects_never(served, full):
    fault(served(address=full), 504, "could not be reached in time")


def test_a_unix_socket_whose_queue_is_full(served, tmp_path):
    """connect() says EAGAIN there, and nobody will ever say more."""
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(tmp_path / "full.sock"))
        listener.listen(0)
        with socket.socket(socket.AF_UNIX) as one, socket.socket(socket.AF_UNIX) as two:
            for s in one, two:
                s.setblocking(False)
                s.connect_ex(str(tmp_path / "full.sock"))
            server = served(address=f"unix:{tmp_path}/full.sock")
            with Wire(server) as w:
                assert w.ask(get("/bad")).status in (502, 504)
                w.assert_open()
            said(server, "Resource temporarily unavailable")
