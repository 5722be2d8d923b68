"""HTTP/1.1 over the wire: what is refused and how the connection ends, pipelining, old clients, methods, limits."""

import email.utils
import socket
import time

import pytest
from wire import Wire, ask, get

CONF = """
loops 1;
listen 127.0.0.1:{port};
error_log {dir}/error.log;
site * {
    route /echo* { echo; }
    route /text  { respond 200 "hello\\n"; }
    route *      { respond 404 "nothing\\n"; }
}
"""
HELLO = get("/text")
H = b"Host: a\r\n"
GET = b"GET /text HTTP/1.1\r\n" + H
POST = b"POST /echo HTTP/1.1\r\n" + H

# The parser's own table has each rule; here each kind of refusal is seen from the client's side.
REFUSED = [
    (b"GET /text\r\n\r\n", 400),
    (b"GET  /text HTTP/1.1\r\n" + H + b"\r\n", 400),
    (b"GET /text HTTP/1.1\n" + H + b"\r\n", 400),
    (b"GET /text HTTP/2.0\r\n" + H + b"\r\n", 505),
    (b"GET /te\0xt HTTP/1.1\r\n" + H + b"\r\n", 400),
    (b"GET /text HTTP/1.1\r\n\r\n", 400),
    (GET + H + b"\r\n", 400),
    (b"GET /text HTTP/1.1\r\nHost: a b\r\n\r\n", 400),
    (b"GET http://b/ HTTP/1.1\r\n" + H + b"\r\n", 400),
    (b"GET /../etc/passwd HTTP/1.1\r\n" + H + b"\r\n", 400),
    (b"GET /a%2fb HTTP/1.1\r\n" + H + b"\r\n", 400),
    (b"GET /a%00 HTTP/1.1\r\n" + H + b"\r\n", 400),
    (GET + b"A : b\r\n\r\n", 400),
    (GET + b"A: b\r\n c\r\n\r\n", 400),
    (GET + b"A: b\rc\r\n\r\n", 400),
    (GET + b"A: b\n\r\n", 400),
    (GET + b"A: \x01\r\n\r\n", 400),
    (POST + b"Content-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", 400),
    (POST + b"Content-Length: 1\r\nContent-Length: 2\r\n\r\nab", 400),
    (POST + b"Content-Length: +1\r\n\r\na", 400),
    (POST + b"Transfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n", 501),
    (POST + b"Transfer-Encoding: chunked\r\n\r\n0x1\r\na\r\n0\r\n\r\n", 400),
    (POST + b"Transfer-Encoding: chunked\r\n\r\n1\r\nab\r\n0\r\n\r\n", 400),
    (POST + b"Transfer-Encoding: chunked\r\n\r\n1\na\r\n0\r\n\r\n", 400),
    (POST + b"Transfer-Encoding: chunked\r\n\r\n0\r\nA : b\r\n\r\n", 400),
    (POST + b"Transfer-Encoding: chunked\r\n\r\n11111111111111111\r\n", 400),
    (POST + b"Expect: magic\r\nContent-Length: 1\r\n\r\na", 417),
    (b"CONNECT a:80 HTTP/1.1\r\n" + H + b"\r\n", 501),
    (b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n\r\n", 400),
]


def test_refused_and_closed(petrel):
    """The client reads why, and what it sent behind is never taken for a request."""
    server = petrel(CONF)
    for request, status in REFUSED:
        with Wire(server) as w:
            answer = w.ask(request + HELLO)
            assert (answer.status, answer["connection"]) == (status, "close"), request
            assert answer.body.startswith(str(status).encode()), request
            w.assert_closed()
    assert ask(server, HELLO).body == b"hello\n"


def test_the_error_is_read_in_spite_of_what_was_not(petrel):
    """Closing with unread bytes in the socket would take the answer away from the client."""
    server = petrel(CONF)
    for head in (b"GET / HTTP/9.9\r\n\r\n", POST + b"Content-Length: 99999999999\r\n\r\n",
                 POST + b"Transfer-Encoding: chunked\r\n\r\nx\r\n", b"POST /text HTTP/1.1\r\n" + H +
                 b"Content-Length: 3000000\r\n\r\n"):
        with Wire(server) as w:
            w.send(head).send(b"x" * 3000000)
            answer = w.answer()
            assert answer["connection"] == "close"
            assert answer.status in (200, 400, 413, 505)
            w.assert_closed()


def test_pipelining(petrel):
    server = petrel(CONF)
    bodies = [b"x" * n for n in range(200)]
    requests = b"".join(POST + b"Content-Length: %d\r\n\r\n" % len(b) + b for b in bodies)
    with Wire(server) as w:
        w.send(requests + HELLO + get("/nothing") + get("/text", method="HEAD"))
        w.send(get("/text", "Connection: close\r\n") + HELLO)
        for body in bodies:
            assert w.answer().json["body"]["first"] == body.decode()
        assert w.answer().body == b"hello\n"
        assert w.answer().status == 404
        assert w.answer("HEAD")["content-length"] == "6"
        assert w.answer()["connection"] == "close"
        w.assert_closed()


def test_pipelining_without_reading(petrel):
    """Answers that nobody reads yet must not stop others, nor get lost."""
    server = petrel(CONF)
    fields = "".join(f"F{i}: {'v' * 100}\r\n" for i in range(20))
    with Wire(server, receive_buffer=4096) as w:
        w.send(get("/echo", fields) * 500)
        for _ in range(20):
            assert ask(server, HELLO).status == 200
        for _ in range(500):
            assert len(w.answer().json["fields"]) == 21


@pytest.mark.parametrize("body", [b"", b"0123456789"])
def test_pipelining_behind_an_answer_that_waits(petrel, body):
    """What came together with the first request, and was put by while its answer had to wait, comes to its turn."""
    server = petrel("loops 1; listen 127.0.0.1:{port}; site * { root {dir}; route /text { respond 200 hello; } route * { files; } }")
    size = 16 << 20
    with open(server.dir / "large", "wb") as f:
        f.truncate(size)
    with Wire(server, receive_buffer=4096) as w:
        length = f"Content-Length: {len(body)}\r\n" if body else ""
        w.send(get("/large", length) + body + HELLO)
        time.sleep(0.2)
        w.hurry()
        assert len(w.answer().body) == size
        assert w.answer().body == b"hello"


def test_http_1_0(petrel):
    server = petrel(CONF)
    with Wire(server) as w:
        answer = w.ask(b"GET /text HTTP/1.0\r\n\r\n")
        assert (answer.status, answer.body, answer["connection"]) == (200, b"hello\n", "close")
        w.assert_closed()
    with Wire(server) as w:
        for _ in range(3):
            answer = w.ask(b"GET /echo HTTP/1.0\r\nConnection: keep-alive\r\n\r\n")
            assert (answer["connection"], answer["transfer-encoding"]) == ("keep-alive", None)
            assert answer.json["protocol"] == "HTTP/1.0" and answer.json["host"] in (None, "")
        # A body's length counts in HTTP/1.0, too.
        answer = w.ask(b"POST /echo HTTP/1.0\r\nContent-Length: 2\r\n\r\nab")
        assert answer.json["body"]["first"] == "ab"
        w.assert_closed()


def test_head(petrel):
    server = petrel(CONF)
    with Wire(server) as w:
        for target in "/text", "/nothing", "/echo":
            whole, head = w.ask(get(target)), w.ask(get(target, method="HEAD"))
            without = [f for f in whole.fields if f[0] not in ("date", "content-length")]
            assert without == [f for f in head.fields if f[0] not in ("date", "content-length")]
            assert head.status == whole.status and head.body == b""
            if target != "/echo":
                assert head["content-length"] == whole["content-length"]


def test_options(petrel, tmp_path):
    server = petrel(CONF.replace("route * ", f"root {tmp_path}; route /f/* {{ files; }}\n route * "))
    with Wire(server) as w:
        for target in "*", "/f/", "/f/nothing":
            answer = w.ask(get(target, method="OPTIONS"))
            assert (answer.status, answer["allow"]) == (204, "GET, HEAD, OPTIONS")
            assert answer["content-length"] is None
        w.assert_open()


def test_methods(petrel, tmp_path):
    server = petrel(CONF.replace("route * ", f"root {tmp_path}; route /f/* {{ files; }}\n route * "))
    with Wire(server) as w:
        for method, status in ("TRACE", 405), ("POST", 405), ("DELETE", 405), ("PROPFIND", 501), ("get", 501):
            answer = w.ask(get("/f/", method=method))
            assert (answer.status, answer["allow"]) == (status, "GET, HEAD, OPTIONS"), method
            # TRACE in particular tells nothing of what it was sent.
            assert b"Host" not in answer.body
        assert w.ask(get("/echo", method="TRACE")).status == 405
        assert w.ask(get("/echo", method="PROPFIND")).json["method"] == "PROPFIND"
        w.assert_open()


def test_absolute_form(petrel):
    server = petrel(CONF)
    told = ask(server, b"GET http://A:81/echo?b HTTP/1.1\r\nHost: a:81\r\n\r\n").json
    assert (told["path"], told["query"], told["host"], told["port"]) == ("/echo", "b", "a", 81)
    assert told["target"] == "http://A:81/echo?b"


def test_connection_options(petrel):
    server = petrel(CONF)
    for fields, stays in [("", True), ("Connection: close\r\n", False), ("Connection: keep-alive\r\n", True),
                          ("Connection: x, CLOSE\r\n", False), ("Connection: x\r\nConnection: y , close,\r\n", False),
                          ("Connection: closed\r\n", True), ("Connection: \"close\"\r\n", True)]:
        with Wire(server) as w:
            answer = w.ask(get("/text", fields))
            assert answer["connection"] == (None if stays else "close"), fields
            w.assert_open() if stays else w.assert_closed()


def test_requests_per_connection(petrel):
    server = petrel(CONF + "limits { requests 3; }")
    with Wire(server) as w:
        w.send(HELLO * 5)
        assert [w.answer()["connection"] for _ in range(3)] == [None, None, "close"]
        w.assert_closed()


def test_date(petrel):
    server = petrel(CONF)
    with Wire(server) as w:
        first = w.ask(HELLO)["date"]
        assert abs(email.utils.parsedate_to_datetime(first).timestamp() - time.time()) < 3
        assert email.utils.format_datetime(email.utils.parsedate_to_datetime(first), usegmt=True) == first
        deadline = time.monotonic() + 5
        while (later := w.ask(HELLO)["date"]) == first:
            assert time.monotonic() < deadline
        assert email.utils.parsedate_to_datetime(later) > email.utils.parsedate_to_datetime(first)


def test_limits_of_a_head(petrel):
    server = petrel(CONF + "limits { header 1k; fields 5; }")
    for request, status in [
        (get("/text", "A: b\r\n" * 4), 200),
        (get("/text", "A: b\r\n" * 5), 431),
        (get("/text", f"A: {'b' * 900}\r\n"), 200),
        (get("/text", f"A: {'b' * 1000}\r\n"), 431),
        (get("/text?" + "q" * 900), 200),
        (get("/text?" + "q" * 1100), 414),
        # No line ever ends.
        (b"GET /" + b"x" * 100000, 414),
        (get("/text")[:-2] + b"A: " + b"x" * 100000, 431),
        (b"G" * 100000, 501),
    ]:
        with Wire(server) as w:
            answer = w.ask(request)
            assert answer.status == status, request[:80]
            if status == 200:
                w.assert_open()
            else:
                w.assert_closed()


def test_connections(petrel):
    server = petrel(CONF + "limits { connections 2; }")
    with Wire(server) as a, Wire(server) as b:
        a.assert_open()
        b.assert_open()
        with Wire(server) as c:
            answer = c.answer()
            assert (answer.status, answer["connection"]) == (503, "close")
            assert answer["retry-after"]
            c.assert_closed()
    with Wire(server) as a:
        # Places are free again as soon as the server has seen the others go.
        deadline = time.monotonic() + 5
        while True:
            with Wire(server) as d:
                if d.ask(HELLO).status == 200:
                    break
            assert time.monotonic() < deadline
            time.sleep(0.01)


def test_the_admin_socket_of_a_full_server(petrel):
    server = petrel("admin unix:{dir}/admin.sock;" + CONF + "limits { connections 1; }")
    with Wire(server) as a, socket.socket(socket.AF_UNIX) as admin:
        a.assert_open()
        admin.connect(str(server.dir / "admin.sock"))
        admin.sendall(get("/status.json"))
        assert admin.recv(4096).startswith(b"HTTP/1.1 200")


def test_connections_per_address(petrel):
    server = petrel(CONF + "limits { connections_per_address 1; }")
    with Wire(server) as a:
        a.assert_open()
        with Wire(server) as b:
            assert b.answer().status == 429
            b.assert_closed()
        with Wire(server, address="127.0.0.2") as c:
            c.assert_open()
        a.assert_open()


SITES = """
listen 127.0.0.1:{port};
site one.test www.one.test { route * { respond 200 "one"; } }
site *.two.test            { route * { respond 200 "two"; } }
"""


def test_sites(petrel):
    server = petrel(SITES)
    for host, body in [("one.test", b"one"), ("WWW.one.test:99", b"one"), ("one.test.", b"one"),
                       ("a.b.two.test", b"two")]:
        assert ask(server, f"GET / HTTP/1.1\r\nHost: {host}\r\n\r\n".encode()).body == body
    for host in "two.test", "three.test", "127.0.0.1":
        with Wire(server) as w:
            assert w.ask(f"GET / HTTP/1.1\r\nHost: {host}\r\n\r\n".encode()).status == 421
            assert w.ask(b"GET / HTTP/1.1\r\nHost: one.test\r\n\r\n").body == b"one"


@pytest.mark.parametrize("accept, kind, begins", [
    ("", "text/plain; charset=utf-8", b"400 Bad Request: "),
    ("Accept: text/html\r\n", "text/html; charset=utf-8", b"<!doctype html>"),
    ("Accept: application/json\r\n", "application/json", b'{"status":400,'),
    ("Accept: */*\r\n", "text/plain; charset=utf-8", b"400 "),
])
def test_errors_by_kind(petrel, accept, kind, begins):
    server = petrel(CONF)
    answer = ask(server, get("/..", accept))
    assert answer.status == 400
    assert answer["content-type"] == kind
    assert answer.body.startswith(begins)


def test_a_client_that_only_half_closes_gets_its_answers(petrel):
    server = petrel(CONF)
    with Wire(server) as w:
        w.send(HELLO * 40)
        w.sock.shutdown(1)
        assert [w.answer().status for _ in range(40)] == [200] * 40
        w.assert_closed()
