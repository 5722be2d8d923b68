"""Bodies of requests: lengths and chunks, 100 (Continue), bounds, and bodies that nobody reads."""

import random
import socket
import time

import pytest
from conftest import wait_for
from wire import Wire, ask, get

CONF = """
loops 1;
listen 127.0.0.1:{port};
limits { body 1m; body_timeout 10s; }
access_log {dir}/access.log line;
log_format line "$method $target $status $bytes_in $end";
site * {
    route /echo* { echo; }
    route /text  { respond 200 "hello\\n"; }
    route *      { respond 404 "nothing\\n"; }
}
site small { limits { body 10; } route * { echo; } }
"""
HELLO = get("/text")


def post(body=b"", fields="", target="/echo", chunked=False, host="a"):
    framing = "Transfer-Encoding: chunked" if chunked else f"Content-Length: {len(body)}"
    return f"POST {target} HTTP/1.1\r\nHost: {host}\r\n{fields}{framing}\r\n\r\n".encode() + body


def test_lengths(petrel):
    server = petrel(CONF)
    noise = random.Random(1)
    with Wire(server) as w:
        for n in 0, 1, 2, 1000, 65535, 65536, 65537, 1 << 20:
            body = noise.randbytes(n)
            told = w.ask(post(body)).json["body"]
            assert told["length"] == n
            assert told["first"].encode("latin-1") == body[:65536]
        w.assert_open()


CHUNKED = [
    (b"0\r\n\r\n", b""),
    (b"5\r\nhello\r\n0\r\n\r\n", b"hello"),
    (b"5;a=b;c=\"d;e\"\r\nhello\r\n00;x\r\n\r\n", b"hello"),
    (b"1\r\nh\r\n4\r\nello\r\n0\r\nContent-Length: 99\r\nTransfer-Encoding: gzip\r\nHost: b\r\nX:\r\n\r\n", b"hello"),
    (b"2\r\n\r\n\r\n3\r\n0\r\n\r\n0\r\n\r\n", b"\r\n0\r\n"),
    (b"A\r\n0123456789\r\n0a\r\n0123456789\r\n000\r\n\r\n", b"0123456789" * 2),
]


def test_chunked_then_another_request(petrel):
    server = petrel(CONF)
    for coded, body in CHUNKED:
        with Wire(server) as w:
            w.send(post(coded, chunked=True) + HELLO)
            told = w.answer().json
            assert told["body"]["first"].encode("latin-1") == body
            assert [f[0] for f in told["fields"]] == ["Host", "Transfer-Encoding"]  # no trailer among them
            assert w.answer().body == b"hello\n"
            w.assert_open()


def test_a_large_chunked_body(petrel):
    server = petrel(CONF)
    noise = random.Random(2)
    body, coded = b"", b""
    while len(body) < 900000:
        chunk = noise.randbytes(noise.choice([1, 3, 100, 5000, 70000]))
        body += chunk
        coded += b"%x\r\n%s\r\n" % (len(chunk), chunk)
    with Wire(server) as w:
        w.send(post(coded + b"0\r\n\r\n", chunked=True) + HELLO)
        told = w.answer().json["body"]
        assert told["length"] == len(body) and told["first"].encode("latin-1") == body[:65536]
        assert w.answer().body == b"hello\n"


# --- 100 (Continue). ---

EXPECT = "Expect: 100-continue\r\n"


def test_told_to_go_on(petrel):
    server = petrel(CONF)
    with Wire(server) as w:
        for _ in range(2):
            head, _, body = post(b"hello", EXPECT).partition(b"\r\n\r\n")
            assert w.ask(head + b"\r\n\r\n").status == 100
            assert w.ask(body, "POST").json["body"]["first"] == "hello"
        assert w.ask(post(b"", EXPECT, chunked=True)).status == 100
        assert w.ask(b"1\r\nx\r\n0\r\n\r\n", "POST").json["body"]["first"] == "x"
        w.assert_open()


def test_not_told_where_it_need_not(petrel):
    server = petrel(CONF)
    old = post(b"ab", "Connection: keep-alive\r\n" + EXPECT).replace(b"HTTP/1.1", b"HTTP/1.0")
    with Wire(server) as w:
        # The body is there already, or there is none, or the client is too old to know.
        for request in post(b"hello", EXPECT), post(b"", EXPECT), old:
            assert w.ask(request).status == 200
        w.assert_open()


def test_an_answer_in_place_of_go_on(petrel):
    """Nobody could tell whether the body follows: the connection ends."""
    server = petrel(CONF)
    for head, status in [(post(b"", EXPECT + "X: y\r\n", "/nothing", chunked=True), 404),
                         (post(b"", EXPECT, "/text", chunked=True), 200)]:
        with Wire(server) as w:
            answer = w.ask(head)
            assert (answer.status, answer["connection"]) == (status, "close")
            w.assert_closed()
    with Wire(server) as w:
        answer = w.ask(b"POST /echo HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\nContent-Length: 1048577\r\n\r\n")
        assert (answer.status, answer["connection"]) == (413, "close")
        w.assert_closed()


# --- Bounds. ---

def test_too_large(petrel):
    server = petrel(CONF)
    head = b"POST /echo HTTP/1.1\r\nHost: %s\r\nContent-Length: %d\r\n\r\n"
    for host, length, status in (b"a", (1 << 20) + 1, 413), (b"small", 11, 413), (b"small", 10, 200):
        with Wire(server) as w:
            answer = w.ask(head % (host, length) + b"x" * length)
            assert answer.status == status
            assert answer["connection"] == (None if status == 200 else "close")
            w.assert_open() if status == 200 else w.assert_closed()
    for host, length, status in (b"a", 1 << 20, 200), (b"a", (1 << 20) + 1, 413), (b"small", 11, 413):
        parts = [b"x" * 5] * (length // 5) + [b"x" * (length % 5)]
        chunks = b"".join(b"%x\r\n%s\r\n" % (len(p), p) for p in parts if p)
        with Wire(server) as w:
            answer = w.ask(post(chunks + b"0\r\n\r\n", chunked=True, host=host.decode()))
            assert answer.status == status
            w.assert_open() if status == 200 else w.assert_closed()


# --- Bodies that nobody reads. ---

@pytest.mark.parametrize("chunked", [False, True])
def test_an_unread_body_is_not_a_request(petrel, chunked):
    server = petrel(CONF)
    smuggled = HELLO * 1000
    body = b"%x\r\n%s\r\n0\r\n\r\n" % (len(smuggled), smuggled) if chunked else smuggled
    with Wire(server) as w:
        for target, status in ("/text", 200), ("/nothing", 404):
            assert w.ask(post(body, target=target, chunked=chunked)).status == status
            w.assert_open()


def test_a_large_unread_body_ends_the_connection(petrel):
    server = petrel(CONF)
    with Wire(server) as w:
        answer = w.ask(post(HELLO * 20000, target="/text"))
        assert (answer.status, answer["connection"]) == (200, "close")
        w.assert_closed()


def test_an_unread_chunked_body_without_end(petrel):
    """It is thrown away only so far; then the connection ends, and nothing in it was a request."""
    server = petrel(CONF.replace("body 1m;", "body 1m; linger_timeout 100ms;"))
    with Wire(server) as w:
        assert w.ask(post(b"", target="/text", chunked=True)).status == 200
        chunk = b"%x\r\n%s\r\n" % (len(HELLO * 1000), HELLO * 1000)
        deadline = time.monotonic() + 10
        with pytest.raises((BrokenPipeError, ConnectionResetError)):
            while time.monotonic() < deadline:
                w.send(chunk)
        w.assert_closed()


def test_a_bad_chunk_in_an_unread_body(petrel):
    server = petrel(CONF)
    with Wire(server) as w:
        assert w.ask(post(b"", target="/text", chunked=True)).status == 200
        w.send(b"zzz\r\n" + HELLO)
        w.assert_closed()


# --- Clients that break off. ---

def test_cut_short(petrel):
    server = petrel(CONF)
    cuts = 0
    for request in post(b"hello"), post(b"5\r\nhello\r\n0\r\nA: b\r\n\r\n", chunked=True):
        begin = request.index(b"\r\n\r\n") + 4
        for n in range(begin, len(request)):
            cuts += 1
            with Wire(server) as w:
                w.send(request[:n])
                w.sock.shutdown(socket.SHUT_WR)
                w.assert_closed()
    log = server.dir / "access.log"
    wait_for(lambda: log.read_text().count(" client\n") == cuts, "all of them in the log")
    # What was never answered has no status.
    assert set(line.split()[2] for line in log.read_text().splitlines()) == {"0"}
    assert ask(server, HELLO).status == 200
