"""Servers behind petrel that fail in every way: the client gets the right status, the log a reason, and nobody else
notices.

Each row of a table is one fault. The status is what the client gets; CUT means that the answer's begin was out already,
and that the client can see that its end is missing.
"""

import os
import pathlib
import re
import resource
import socket
import subprocess
import threading
import time

import pytest
from conftest import SLOW, free_port, wait_for
from origins import STDERR, STDOUT, answer, end, hang, http, once, once_fastcgi, record, reset
from wire import Wire, ask, get

CUT = 0
CUT_OR_502 = 1      # by how the pieces happen to come
CONF = """
loops 1;
listen 127.0.0.1:{port};
error_log {dir}/error.log;
temporary {dir};
limits { connections 0; min_rate 0; body 4m; }
pool bad  { server BAD; eject 0; header 4k; timeout connect TIME send TIME answer TIME read TIME; RULES }
pool good { server GOOD; retry 0; }
site * {
    route /good { proxy good; }
    route *     { HANDLER bad; }
}
"""
SMALL = "HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\n"
LARGE = "HTTP/1.1 200 OK\r\nContent-Length: 100000\r\n\r\n"
CHUNKED = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"


def table(names, rows):
    """Each row begins with what it is about."""
    return pytest.mark.parametrize(names, [row[1:] for row in rows], ids=[row[0] for row in rows])


@pytest.fixture
def served(petrel, origin):
    """served(script): a server with a bad origin and a good one; retries and the like are the pool's RULES."""
    def start(script=None, rules="retry 0;", time="300ms", address=None, unix=False, handler="proxy", conf=CONF):
        bad = origin(script, unix=unix) if script else None
        good = origin(http())
        conf = conf.replace("BAD", address or bad.address).replace("GOOD", good.address).replace("HANDLER", handler)
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
    if a.status != 200:
        return a
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
        elif status == CUT_OR_502:
            assert read_cut(w).status in (200, 502)
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


# What is not about a deadline has time on a busy machine, too.
PATIENT = "10s"


def time_for(words):
    return "300ms" if re.search("in time|too long", words or "") else PATIENT


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


def bad_chunk_later(peer):
    once(CHUNKED.encode() + b"5\r\nhello\r\n")(peer)
    time.sleep(0.1)
    peer.send(b"x\r\n")


HTTP_FAULTS = [
    ("hangs at once", hang, 504, "did not answer in time"),
    ("hangs after the request", hangs_after_head, 504, "did not answer in time"),
    ("hangs in the head", once(b"HTTP/1.1 200 OK\r\nX-A", after=hang), 504, "did not answer in time"),
    ("hangs after an interim head", once(b"HTTP/1.1 103 Early Hints\r\nLink: a\r\n\r\n", after=hang), 504, "in time"),
    ("hangs in a small body", once(SMALL.encode() + b"123", after=hang), 504, "did not answer in time"),
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
    ("closes in a small body", once(SMALL.encode() + b"123"), 502, "closed the connection in the middle"),
    ("closes in a large body", once(LARGE.encode() + b"x" * 50000), CUT_OR_502, "closed the connection in the middle"),
    ("resets in a large body", once(LARGE.encode() + b"x" * 50000, after=reset), CUT_OR_502, "request "),
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
    ("101 that nobody asked for", head_of("HTTP/1.1 101 Switching\r\nUpgrade: websocket\r\nConnection: upgrade\r\n\r\n"),
     502, "was not asked for"),
    ("too large a head", head_of("HTTP/1.1 200 OK\r\nX-A: " + "a" * 5000 + "\r\n\r\n"), 502, "too large"),
    ("too large a head without a line", head_of("HTTP/1.1 200 " + "a" * 5000), 502, "too large"),
    ("too many fields", head_of("HTTP/1.1 200 OK\r\n" + "X:\r\n" * 300 + "\r\n"), 502, "fields"),
    ("a head that never ends", never_ending_head, 502, "too large"),
    ("interim heads without end", endless_interims, 502, "without end"),
    ("a chunk's size that is none", once(CHUNKED.encode() + b"zz\r\n"), 502, "chunks are malformed"),
    ("too large a chunk", once(CHUNKED.encode() + b"fffffffffffffffff\r\n"), 502, "chunks are malformed"),
    ("a chunk without its end", once(CHUNKED.encode() + b"5\r\nhelloX\r\n"), 502, "chunks are malformed"),
    ("a chunk that ends in LF", once(CHUNKED.encode() + b"5\nhello\n"), 502, "chunks are malformed"),
    ("a bad chunk after good ones", bad_chunk_later, CUT, "chunks are malformed"),
]


@table("script, status, words", HTTP_FAULTS)
def test_http(served, script, status, words):
    fault(served(script, time=time_for(words)), status, words)


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


# --- FastCGI. ---

CGI = b"Content-Type: text/plain\r\n\r\n"
BIG = b"Content-Type: text/plain\r\nContent-Length: 100000\r\n\r\n" + b"x" * 50000


def fcgi(*pieces):
    return once_fastcgi(b"".join(pieces), after=hang)


def stderr_without_end(peer):
    peer.ask_fastcgi()
    while True:
        peer.send(record(STDERR, b"complaint\n" * 6000))


FASTCGI_FAULTS = [
    ("hangs at once", hang, 504, "did not answer in time"),
    ("hangs in a record's header", fcgi(record(STDOUT, CGI)[:5]), 504, "did not answer in time"),
    ("hangs in the head", fcgi(record(STDOUT, b"Content-Type: a")), 504, "did not answer in time"),
    ("hangs in the body", fcgi(record(STDOUT, BIG)), CUT, "said nothing for too long"),
    ("closes at once", lambda peer: None, 502, "closed the connection without an answer"),
    ("closes in a record", once_fastcgi(record(STDOUT, CGI)[:20]), 502, "closed the connection without an answer"),
    ("closes before END", once_fastcgi(record(STDOUT, CGI + b"hello")), CUT_OR_502, "in the middle of the answer"),
    ("closes in a large body", once_fastcgi(record(STDOUT, BIG)), CUT_OR_502, "in the middle of the answer"),
    ("resets in a large body", once_fastcgi(record(STDOUT, BIG), after=reset), CUT_OR_502, "request "),
    ("END without STDOUT", fcgi(end()), 502, "did not answer"),
    ("END without STDOUT, but an exit status", fcgi(record(STDERR, b"no such file"), end(app=1)), 502, "did not answer"),
    ("empty STDOUT", fcgi(record(STDOUT), end()), 502, "did not answer"),
    ("END in the head", fcgi(record(STDOUT, b"Content-Ty"), end()), 502, "ends in its head"),
    ("END before the body's end", fcgi(record(STDOUT, b"Content-Length: 10\r\n\r\nhello"), end()), 502, "shorter than"),
    ("more than the length", fcgi(record(STDOUT, b"Content-Length: 3\r\n\r\nhello"), end()), 502, "longer than"),
    ("another version", fcgi(record(STDOUT, CGI, version=2)), 502, "unknown version"),
    ("HTTP", fcgi(b"HTTP/1.1 400 Bad Request\r\n\r\n"), 502, "unknown version"),
    ("another request's number", fcgi(record(STDOUT, CGI, ident=2)), 502, "number of another request"),
    ("number 0", fcgi(record(STDOUT, CGI, ident=0)), 502, "number of another request"),
    ("a type that only servers send", fcgi(record(5, b"x")), 502, "type that no application sends"),
    ("BEGIN_REQUEST", fcgi(record(1, bytes(8))), 502, "type that no application sends"),
    ("an unknown type", fcgi(record(77, b"x")), 502, "type that no application sends"),
    ("END of the wrong length", fcgi(record(3, bytes(7))), 502, "wrong length"),
    ("a long END", fcgi(record(3, bytes(16))), 502, "wrong length"),
    ("an END that refuses", fcgi(end(status=1)), 502, "refuses the request"),
    ("overloaded", fcgi(end(status=2)), 503, None),
    ("output after its end", fcgi(record(STDOUT, CGI), record(STDOUT), record(STDOUT, b"x")), 502, "after its end"),
    ("error output after its end", fcgi(record(STDERR), record(STDERR, b"x")), 502, "after its end"),
    ("no field", fcgi(record(STDOUT, b"\r\nhello"), end()), 502, "no field"),
    ("no head", fcgi(record(STDOUT, b"<h1>hello</h1>\n"), end()), 502, "given up"),
    ("a NUL in the head", fcgi(record(STDOUT, b"X: a\0b\r\n\r\n"), end()), 502, "given up"),
    ("a status that is none", fcgi(record(STDOUT, b"Status: fine\r\n\r\n"), end()), 502, "Status is not a number"),
    ("status 100", fcgi(record(STDOUT, b"Status: 100\r\n\r\n"), end()), 502, "Status is not a number"),
    ("two lengths", fcgi(record(STDOUT, b"Content-Length: 1\r\nContent-Length: 2\r\n\r\n"), end()), 502, "more than one"),
    ("chunks", fcgi(record(STDOUT, b"X: a\r\nTransfer-Encoding: chunked\r\n\r\n"), end()), 502, "Transfer-Encoding"),
    ("too large a head", fcgi(record(STDOUT, b"X: " + b"a" * 5000 + b"\r\n\r\n"), end()), 502, "too large"),
    ("a head that never ends", fcgi(*[record(STDOUT, b"a" * 1000)] * 50), 502, "too large"),
    ("a flood of error output", stderr_without_end, 504, "did not answer in time"),
]


@table("script, status, words", FASTCGI_FAULTS)
def test_fastcgi(served, script, status, words):
    fault(served(script, unix=True, handler="fastcgi", time=time_for(words)), status, words)


FASTCGI_FINE = [
    ("padding", fcgi(record(STDOUT, CGI + b"hello", padding=255), record(STDOUT, padding=7), end(padding=3))),
    ("byte by byte", fcgi(*[record(STDOUT, bytes([c]), padding=c % 8) for c in CGI + b"hello"], end())),
    ("no end of the output", fcgi(record(STDOUT, CGI + b"hello"), end())),
    ("records about the connection", fcgi(record(10, b"\x0f\1FCGI_MPXS_CONNS1", ident=0), record(11, bytes(8), ident=0),
                                          record(STDOUT, CGI + b"hello"), end())),
    ("error output in between", fcgi(record(STDERR, b"one\n"), record(STDOUT, CGI), record(STDERR, b"two\0\x1b[0m"),
                                     record(STDOUT, b"hello"), record(STDERR), record(STDOUT), end())),
    ("an exit status", fcgi(record(STDOUT, CGI + b"hello"), end(app=255))),
    ("a status line", fcgi(record(STDOUT, b"Status: 200 Fine\nContent-Type: text/plain\n\nhello"), end())),
]


@pytest.mark.parametrize("script", [row[1] for row in FASTCGI_FINE], ids=[row[0] for row in FASTCGI_FINE])
def test_fastcgi_that_is_fine(served, script):
    server = served(script, unix=True, handler="fastcgi", time=PATIENT)
    with Wire(server) as w:
        assert w.ask(get("/bad")).body == b"hello"
        w.assert_open()


def test_the_largest_record(served):
    body = os.urandom(65535 * 3)
    pieces = [record(STDOUT, (CGI + body)[i:i + 65535], padding=255) for i in range(0, len(CGI + body), 65535)]
    server = served(fcgi(*pieces, end()), unix=True, handler="fastcgi", time=PATIENT)
    assert ask(server, get("/bad")).body == body


def test_a_flood_of_error_output_ends(served):
    """All of it is taken, little of it is logged, and the answer is whole."""
    flood = [record(STDERR, b"PHP Warning: something is deprecated\n" * 1000)] * 100
    server = served(fcgi(*flood, record(STDOUT, CGI + b"hello"), end()), unix=True, handler="fastcgi", time="10s")
    assert ask(server, get("/bad")).body == b"hello"
    said(server, "something is deprecated")
    assert len(log_of(server)) < 100000


# --- SCGI and uwsgi: a CGI answer, until the connection ends. ---

def scgi(*pieces):
    def script(peer):
        size = int(peer.until(b":")[:-1])
        peer.take(size + 1)
        peer.send(*pieces)
    return script


def uwsgi(*pieces):
    def script(peer):
        kind, low, high, modifier = peer.take(4)
        assert kind == modifier == 0
        peer.take(low + (high << 8))
        peer.send(*pieces)
    return script


GATEWAY_FAULTS = [
    ("no answer", (), 502, "without an answer"),
    ("ends in the head", (b"Content-Type: te",), 502, "ends in its head"),
    ("shorter than it said", (b"Content-Length: 10\r\n\r\nhello",), 502, "shorter than its Content-Length"),
    ("no head", (b"hello\n",), 502, "given up"),
    ("too large a head", (b"X: " + b"a" * 5000 + b"\n\n",), 502, "too large"),
    ("chunks", (b"X: a\r\nTransfer-Encoding: chunked\r\n\r\n",), 502, "Transfer-Encoding"),
]


@pytest.mark.parametrize("handler, script", [("scgi", scgi), ("uwsgi", uwsgi)])
@table("pieces, status, words", GATEWAY_FAULTS)
def test_gateways(served, handler, script, pieces, status, words):
    fault(served(script(b"".join(pieces)), handler=handler, rules="retry 1;", time=time_for(words)), status, words)


@pytest.mark.parametrize("handler, script", [("scgi", scgi), ("uwsgi", uwsgi)])
def test_gateways_that_are_fine(served, handler, script):
    server = served(script(CGI, b"hello"), handler=handler, time=PATIENT)
    with Wire(server) as w:
        assert w.ask(get("/bad")).body == b"hello"
        w.assert_open()


# --- Answers at the wrong time, of the wrong length. ---

def test_longer_than_it_said(served):
    """The rest is nobody's answer: it is thrown away with its connection."""
    reply = answer("hello") + b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nevil"
    server = served(http(lambda asked: reply), time=PATIENT)
    with Wire(server) as w:
        for count in 1, 2, 3:
            assert w.ask(get("/bad")).body == b"hello"
            server.bad.wait_asked(count)
    assert len(server.bad.peers) == 3


def test_an_answer_that_nobody_asked_for(served):
    """Comes on an idle connection: it is never taken for that of the next request."""
    def script(peer):
        peer.ask()
        peer.send(answer("one"))
        if not peer.number:
            sent.wait(10)
            peer.send(answer("evil"))
        hang(peer)
    sent = threading.Event()
    server = served(script, time=PATIENT)
    assert ask(server, get("/bad")).body == b"one"
    sent.set()
    server.bad.wait_gone(0)
    assert ask(server, get("/bad")).body == b"one"


@pytest.mark.parametrize("size", [64 * 1024 - 64, 128 * 1024 - 64, 64 * 1024, 300000])
def test_junk_behind_a_large_answer(served, size):
    """However the answer's end and the junk are cut into reads: no other request gets it."""
    evil = b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nevil"
    head = "HTTP/1.1 200 OK\r\nX-Pad: %s\r\nContent-Length: %d\r\n\r\n"
    empty = len(head % ("", size))
    server = served(http(lambda asked: (head % ("x" * (64 - empty), size)).encode() + bytes(size) + evil), time=PATIENT)
    with Wire(server) as w:
        for _ in range(20):
            assert len(w.ask(get("/bad")).body) == size


def test_an_answer_that_never_ends(served):
    """Its client gets it for as long as it wants it; then the origin's connection ends."""
    def script(peer):
        peer.ask()
        peer.send(CHUNKED.encode())
        while True:
            peer.send(b"400\r\n" + b"x" * 1024 + b"\r\n")
    server = served(script)
    with Wire(server) as w:
        w.send(get("/bad"))
        w.head()
        while len(w.left) < 1 << 20:
            w.more()
    server.bad.wait_gone()


BODY = b"x" * 300000
POST = b"POST /bad HTTP/1.1\r\nHost: a\r\nContent-Length: 300000\r\n\r\n"


def early(status, after=None):
    def script(peer):
        peer.head()
        peer.send(answer("too much", status, "Connection: close\r\n"))
        if after:
            after(peer)
    return script


@pytest.mark.parametrize("rules", ["request_body collect;", "request_body stream;"])
@pytest.mark.parametrize("after", [None, reset, hang], ids=["closes", "resets", "hangs"])
def test_an_answer_before_the_request_ended(served, rules, after):
    """It is the answer, whatever became of the rest of the request; closing may take it away from petrel, too."""
    server = served(early("413 Too Large", after), rules=rules + " retry 0;", time="2s")
    with Wire(server) as w:
        w.send(POST + BODY)
        a = w.answer()
        assert a.status in ((413,) if after == hang else (413, 502)), log_of(server)
    assert ask(server, get("/good")).status == 200


def test_an_early_answer_while_the_client_still_sends(served):
    """The client hears of it before its upload ended; the connection goes on once it has."""
    server = served(early("200 OK", hang), rules="request_body stream;", time="2s")
    with Wire(server) as w:
        w.send(POST + BODY[:100000])
        a = w.answer()
        assert a.status == 200 and a.body == b"too much"
        server.bad.wait_gone()
        w.send(BODY[100000:])
        w.assert_open()


def test_takes_no_request(served):
    """Neither reads nor answers: more of a request than sockets hold does not get through."""
    def script(peer):
        over.wait(10)
    over = threading.Event()
    server = served(script, rules="request_body stream; retry 0;")
    with Wire(server) as w:
        w.send(b"POST /bad HTTP/1.1\r\nHost: a\r\nContent-Length: 4194304\r\n\r\n")
        sender = threading.Thread(target=lambda: try_send(w, bytes(4 << 20)), daemon=True)
        sender.start()
        assert w.answer().status == 504
    over.set()
    sender.join()
    said(server, "did not")


def try_send(w, data):
    try:
        w.sock.sendall(data)
    except OSError:
        pass


# --- Pages in the place of an answer that failed. ---

PAGED = (CONF.replace("route *  ", "error_page 404 502 503 504 /sorry; route /sorry { proxy good; }\n    route *  ")
         .replace("server GOOD;", "server GOOD; request_body stream;"))


@table("script, status", [
    ("closes", lambda peer: None, 502),
    ("hangs", hang, 504),
    ("garbage", once(b"nonsense\r\n\r\n"), 502),
    ("answers", once(answer("mine", "404 Not Found", "Connection: close\r\n")), 404),
])
@pytest.mark.parametrize("way", ["collect", "stream"])
@pytest.mark.parametrize("request_", [get("/bad"), b"POST /bad HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nhello",
                                      b"POST /bad HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n"
                                      b"5\r\nhello\r\n0\r\n\r\n"], ids=["GET", "POST", "chunks"])
def test_a_page_of_another_server(served, script, status, way, request_):
    """It is asked for by GET, without the body, which the first server has had: what follows on that connection is not
    taken for it."""
    server = served(script, conf=PAGED, rules=f"retry 0; request_body {way};")
    with Wire(server) as w:
        for _ in range(3):
            a = w.ask(request_)
            assert (a.status, a.body) == (status, b"hello"), log_of(server)
            assert w.ask(get("/good")).body == b"hello"
    seen = [(asked.method, asked.target, asked.body) for asked in server.good.asked]
    assert seen == [("GET", "/good", b"")] + [("GET", "/sorry", b""), ("GET", "/good", b"")] * 3


def test_a_page_that_fails_like_the_answer(served):
    """The plain page, and no circle."""
    server = served(lambda peer: None, conf=PAGED.replace("/sorry { proxy good; }", "/sorry { proxy bad; }"))
    with Wire(server) as w:
        for _ in range(3):
            a = w.ask(get("/bad"))
            assert a.status == 502 and b"502 Bad Gateway" in a.body
            assert w.ask(get("/good")).body == b"hello"


# --- Clients. ---

@pytest.mark.parametrize("rules", ["request_body collect;", "request_body stream;"])
def test_an_upload_that_breaks_off(served, rules):
    server = served(once(answer("x")), rules=rules)
    worker = server.wait_worker()
    before = descriptors(worker)
    for size in 0, 10, 299000:
        with Wire(server) as w:
            w.send(POST + BODY[:size])
            if "stream" in rules:
                server.bad.wait_peers(1)
    wait_for(lambda: descriptors(worker) <= before, f"{before} descriptors")
    assert not server.bad.asked


@pytest.mark.parametrize("rules", ["request_body collect;", "request_body stream;"])
def test_an_upload_that_is_malformed(served, rules):
    server = served(once(answer("x")), rules=rules)
    with Wire(server) as w:
        w.send(b"POST /bad HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\nnonsense\r\n")
        assert w.answer().status == 400
        w.assert_closed()
    assert not server.bad.asked


@pytest.mark.parametrize("rules", ["request_body collect;", "request_body stream;"])
@pytest.mark.parametrize("framing", ["Content-Length: 20000000", "Transfer-Encoding: chunked"])
def test_an_upload_that_is_too_large(served, rules, framing):
    server = served(http(), rules=rules, time="5s")
    with Wire(server) as w:
        w.send(f"POST /bad HTTP/1.1\r\nHost: a\r\n{framing}\r\n\r\n".encode())
        sender = threading.Thread(target=lambda: try_send(w, (b"100000\r\n" + bytes(1 << 20) + b"\r\n") * 5), daemon=True)
        if "chunked" in framing:
            sender.start()
        assert w.answer().status == 413
    if "chunked" in framing:
        sender.join()
    assert not server.bad.asked
    assert ask(server, get("/good")).status == 200


@pytest.mark.threads
@pytest.mark.parametrize("way", ["on", "off"])
def test_a_request_and_its_clients_end_together(served, way):
    """Who says at once that he sends no more is taken for gone, or not, just as one who says so later."""
    def script(peer):
        peer.ask()
        go_on.wait(10)
        peer.send(answer("late"))
        hang(peer)
    go_on = threading.Event()
    server = served(script, rules=f"half_close {way};", time="5s")
    with Wire(server) as w:
        w.send(get("/bad"))
        w.sock.shutdown(socket.SHUT_WR)
        if way == "off":
            w.assert_closed()
        else:
            go_on.set()
            assert w.answer().body == b"late"
    go_on.set()


# --- The machine. ---

@pytest.fixture
def tiny(tmp_path):
    """A file system with room for next to nothing."""
    folder = tmp_path / "tiny"
    folder.mkdir()
    if os.geteuid() or subprocess.run(["mount", "-t", "tmpfs", "-o", "size=512k,mode=1777", "tiny", folder], check=False,
                                      capture_output=True).returncode:
        pytest.skip("can't mount a file system here")
    yield folder
    subprocess.run(["umount", "-l", folder], check=True)


@pytest.mark.threads
def test_a_full_temporary_disk(served, tiny):
    server = served(http())
    server.reload(server.conf_file.read_text().replace(f"temporary {server.dir};", f"temporary {tiny};"))
    worker = server.wait_worker()
    before = descriptors(worker)
    with Wire(server) as w:
        w.send(b"POST /bad HTTP/1.1\r\nHost: a\r\nContent-Length: 3000000\r\n\r\n")
        try_send(w, bytes(3000000))
        assert w.answer().status == 503
    said(server, "can't be kept in")
    assert not server.bad.asked
    wait_for(lambda: descriptors(worker) <= before + 1, f"{before} descriptors")
    with Wire(server) as w:
        assert w.ask(POST + BODY).status == 200
    assert server.bad.asked[-1].body == BODY


def test_no_temporary_disk(served):
    server = served(http())
    server.reload(server.conf_file.read_text().replace(f"temporary {server.dir};", f"temporary {server.dir}/none;"))
    with Wire(server) as w:
        w.send(POST)
        try_send(w, BODY)
        assert w.answer().status == 503
    said(server, "No such file")
    with Wire(server) as w:
        assert w.ask(POST.replace(b"300000", b"3") + b"abc").status == 200


@pytest.mark.threads
def test_descriptors_run_out(petrel, origin):
    """None is left for connections to the origin: 502 or 503, and later all is well again."""
    one = origin(http(lambda asked: answer("hello", fields="Connection: close\r\n")))
    server = petrel("loops 1; listen 127.0.0.1:{port}; error_log {dir}/error.log; limits { connections 0; }\n"
                    f"pool bad {{ server {one.address}; eject 0; }} site * {{ route * {{ proxy bad; }} }}")
    worker = server.wait_worker()
    used = descriptors(worker)
    resource.prlimit(worker, resource.RLIMIT_NOFILE, (used + 10, used + 10))
    wires = [Wire(server) for _ in range(9)]
    wires[0].assert_open()
    with Wire(server) as w:
        a = w.ask(get("/bad"))
        assert a.status in (502, 503), a
    said(server, "Too many open files")
    for w in wires[1:]:
        w.sock.close()
    wait_for(lambda: wires[0].ask(get("/bad")).status == 200, "answers again")
    wires[0].sock.close()


def memory_kb(pid):
    for line in pathlib.Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines():
        if line.startswith("Private_Dirty"):
            return int(line.split()[1])
    return 0


@pytest.mark.threads
def test_nothing_is_left_of_faults(served):
    """All that ends by itself, again and again: no descriptor, no memory, no process more than before."""
    scripts = [row[1] for row in HTTP_FAULTS if "hang" not in row[0] and row[1] is not endless_interims and
               row[2] in (502, CUT_OR_502)]

    def script(peer):
        scripts[peer.number % len(scripts)](peer)
    server = served(script, time="100ms")
    worker = server.wait_worker()

    def rounds(count):
        for _ in range(count * len(scripts)):
            with Wire(server) as w:
                w.send(get("/bad"))
                assert w.head().status in (200, 502, 504)
        wait_for(lambda: descriptors(worker) <= before, f"{before} descriptors")
        return memory_kb(worker)
    before = descriptors(worker)
    start = rounds(2)
    grown = rounds(3) - start
    assert SLOW or grown < 400, f"{grown} KB"
    children = pathlib.Path(f"/proc/{worker}/task/{worker}/children").read_text().split()
    assert not children and server.wait_worker() == worker
