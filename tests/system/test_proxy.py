"""HTTP servers behind petrel: what goes to them and what comes back, as clients and servers see it."""

import os
import re
import socket
import threading
import time

import pytest
from conftest import wait_for
from origins import UPGRADE, answer, echo_tunnel, field, hang, http, once
from wire import Wire, ask, get

CONF = """
loops 1;
listen 127.0.0.1:{port};
error_log {dir}/error.log;
temporary {dir};
access_log {dir}/access.log line;
log_format line "$path $status $end";
limits { connections 0; min_rate 0; body 64m; }
pool api { server ORIGIN LIMIT; RULES }
site * {
    MORE
    route * { proxy api { INNER } }
}
"""
MB = 1 << 20


@pytest.fixture
def proxied(petrel, origin):
    """proxied(script): petrel before one origin. rules are the pool's, inner the handler's."""
    def start(script, rules="", inner="", more="", limit="", unix=False):
        one = origin(script, unix=unix)
        server = petrel(CONF.replace("ORIGIN", one.address).replace("RULES", rules).replace("INNER", inner)
                        .replace("MORE", more).replace("LIMIT", limit))
        server.origin = one
        return server
    return start


def asked_for(server, request):
    """What the origin gets of this request."""
    assert ask(server, request).status == 200
    return server.origin.asked[-1]


def logged(server, line):
    log = server.dir / "access.log"
    return wait_for(lambda: log.exists() and [one for one in log.read_text().splitlines() if one == line], line)


# --- Connections. ---

def test_connections_are_kept(proxied):
    server = proxied(http())
    for _ in range(5):
        assert ask(server, get()).body == b"hello"
    with Wire(server) as w:
        for _ in range(20):
            assert w.ask(get()).body == b"hello"
    assert len(server.origin.peers) == 1


def test_pipelined_requests(proxied):
    server = proxied(http(lambda asked: answer(asked.target)))
    with Wire(server) as w:
        w.send(b"".join(get(f"/{n}") for n in range(100)))
        for n in range(100):
            assert w.answer().body == b"/%d" % n
    assert len(server.origin.peers) == 1


def test_keepalive_off(proxied):
    server = proxied(http(), rules="keepalive off;")
    for _ in range(3):
        asked = asked_for(server, get())
        assert field(asked, "connection") == "close"
    assert len(server.origin.peers) == 3


def test_no_more_than_so_many_are_kept(proxied):
    def reply(asked):
        ready.wait()
        return answer("x")
    ready = threading.Barrier(5)
    server = proxied(http(reply), rules="keepalive 2;")
    wires = [Wire(server) for _ in range(5)]
    for w in wires:
        w.send(get())
    for w in wires:
        assert w.answer().body == b"x"
        w.sock.close()
    wait_for(lambda: sum(peer.closed.is_set() for peer in server.origin.peers) == 3, "three to be closed")


@pytest.mark.threads
def test_idle_connections_are_closed(proxied):
    server = proxied(http(), rules="keepalive 8 idle 50ms;")
    assert ask(server, get()).status == 200
    server.origin.wait_gone()
    assert ask(server, get()).status == 200


@pytest.mark.parametrize("method", ["GET", "PUT"])
def test_a_connection_that_was_closed_meanwhile(proxied, method):
    """The server closes it just when the next request comes: repeated on a new one, whatever the pool's retries."""
    def script(peer):
        peer.ask()
        peer.send(answer("one"))
        if not peer.number:
            peer.head()
        else:
            hang(peer)
    server = proxied(script, rules="retry 0;")
    with Wire(server) as w:
        assert w.ask(get()).body == b"one"
        assert w.ask(get("/two", "Content-Length: 3\r\n" if method == "PUT" else "", method=method) +
                     (b"abc" if method == "PUT" else b""), method=method).body == b"one"
    assert server.origin.asked[-1].target == "/two"


def test_an_old_server(proxied):
    """HTTP/1.0: its answer ends with the connection."""
    server = proxied(once(b"HTTP/1.0 200 OK\r\n\r\n", b"x" * 100000))
    with Wire(server) as w:
        for _ in range(2):
            a = w.ask(get())
            assert a.body == b"x" * 100000 and a["transfer-encoding"] == "chunked"
    assert ask(server, get(version="1.0")).body == b"x" * 100000


# --- Requests. ---

def test_the_request_line(proxied):
    server = proxied(http())
    for target in "/", "/a//b/../c?x=1&y=%2f", "/%41%20?", "/a;b=c":
        assert asked_for(server, get(target)).target == target
    assert asked_for(server, b"GET http://a/x?y HTTP/1.1\r\nHost: a\r\n\r\n").target == "/x?y"
    for method in "GET", "DELETE", "PROPFIND", "X-ANY":
        assert asked_for(server, get(method=method)).method == method


def test_fields_of_the_hop_stay_here(proxied):
    server = proxied(http())
    asked = asked_for(server, get("/", "Connection: X-Mine, keep-alive\r\nX-Mine: 1\r\nKeep-Alive: 5\r\n"
                                       "Proxy-Connection: x\r\nTE: trailers\r\nTrailer: a\r\nUpgrade: h2c\r\nHTTP2-Settings: AAA\r\n"
                                       "Proxy-Authorization: x\r\nX-Yours: 2\r\nX-Yours: 3\r\nAccept: */*\r\n"))
    names = {name.lower() for name, _ in asked.fields}
    assert not names & {"x-mine", "keep-alive", "proxy-connection", "trailer", "upgrade"}
    assert field(asked, "connection") == "TE" and field(asked, "te") == "trailers"    # said anew
    assert [value for name, value in asked.fields if name == "X-Yours"] == ["2", "3"]
    assert field(asked, "accept") == "*/*" and field(asked, "via") == "1.1 petrel"


def test_fields_of_the_other_hop_stay_there(proxied):
    fields = ("Connection: X-Mine\r\nX-Mine: 1\r\nKeep-Alive: 5\r\nServer: s\r\nProxy-Connection: x\r\nUpgrade: h2c\r\n"
              "X-Yours: 2\r\nX-Yours: 3\r\nX-Empty:\r\n")
    server = proxied(http(lambda asked: answer("x", fields=fields)))
    a = ask(server, get())
    names = {name for name, _ in a.fields}
    assert not names & {"x-mine", "keep-alive", "proxy-connection", "upgrade", "connection"}
    assert [value for name, value in a.fields if name == "x-yours"] == ["2", "3"]
    assert a["x-empty"] == "" and a["server"] == "petrel" and a["date"]


def test_what_is_said_about_the_client(proxied):
    server = proxied(http())
    claims = ("X-Forwarded-For: 1.2.3.4\r\nX-Forwarded-Proto: https\r\nForwarded: for=1.2.3.4\r\n"
              "x_forwarded_for: 5.6.7.8\r\n")
    asked = asked_for(server, get("/", claims))
    assert [(name.lower(), value) for name, value in asked.fields if "forwarded" in name.lower()] == [
        ("x-forwarded-for", "127.0.0.1"), ("x-forwarded-proto", "http"), ("x-forwarded-host", "a"),
        ("forwarded", 'for=127.0.0.1;host="a";proto=http')]


@pytest.mark.parametrize("inner, host", [("", "a:81"), ("host server;", None), ("host api.internal;", "api.internal")])
def test_host(proxied, inner, host):
    server = proxied(http(), inner=inner)
    asked = asked_for(server, b"GET / HTTP/1.1\r\nHost: a:81\r\n\r\n")
    assert field(asked, "host") == (host or server.origin.address)


def test_path_and_fields_that_the_operator_sets(proxied):
    server = proxied(http(), more="route /old/* { proxy api { path /new/$1; set_field X-Id $id; set_field Cookie \"\"; } }")
    asked = asked_for(server, get("/old/a%20b?c", "Cookie: a=b\r\nX_Id: mine\r\n"))
    assert asked.target == "/new/a%20b?c" and re.fullmatch("[0-9a-f]{16}", field(asked, "x-id"))
    assert field(asked, "cookie") is None and field(asked, "x_id") is None


# --- Bodies of requests. ---

@pytest.mark.parametrize("way", ["collect", "collect memory 0", "stream"])
@pytest.mark.parametrize("size", [0, 1, 1000, 256 * 1024, 256 * 1024 + 1, 5 * MB + 7])
@pytest.mark.parametrize("coding", ["length", "chunked"])
def test_uploads(proxied, way, size, coding):
    """In memory, in a file, or passed on as they come: all of it arrives, and it is the same."""
    server = proxied(http(), rules=f"request_body {way};")
    body = os.urandom(size)
    head = b"POST /x HTTP/1.1\r\nHost: a\r\n"
    with Wire(server) as w:
        for _ in range(2):
            if coding == "length":
                w.send(head + b"Content-Length: %d\r\n\r\n" % size + body)
            else:
                pieces = [body[i:i + 100003] for i in range(0, size, 100003)]
                w.send(head + b"Transfer-Encoding: chunked\r\n\r\n" +
                       b"".join(b"%x\r\n%s\r\n" % (len(piece), piece) for piece in pieces) + b"0\r\nX-Trailer: a\r\n\r\n")
            assert w.answer().status == 200
            assert server.origin.asked[-1].body == body
    asked = server.origin.asked[-1]
    streamed = way == "stream" and coding == "chunked"
    assert field(asked, "content-length") == (None if streamed else str(size))
    assert len(server.origin.peers) == 1


def test_expect_continue(proxied):
    server = proxied(http())
    with Wire(server) as w:
        w.send(b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\nExpect: 100-continue\r\n\r\n")
        assert w.answer().status == 100
        w.send(b"abc")
        assert w.answer().status == 200
    asked = server.origin.asked[-1]
    assert asked.body == b"abc" and field(asked, "expect") is None


def test_a_slow_uploader_holds_no_server(proxied):
    server = proxied(http())
    with Wire(server) as w:
        w.send(b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 10\r\n\r\n01234")
        assert ask(server, get()).status == 200    # by then petrel has seen the other request, too
        assert len(server.origin.asked) == 1
        w.send(b"56789")
        assert w.answer().status == 200
    assert server.origin.asked[-1].body == b"0123456789"


def test_a_streamed_upload_goes_out_as_it_comes(proxied):
    def script(peer):
        peer.head()
        for letter in b"abc":
            assert peer.take(1)[0] == letter
            come.release()
        peer.send(answer("x"))
    come = threading.Semaphore(0)
    server = proxied(script, rules="request_body stream;")
    with Wire(server) as w:
        w.send(b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n\r\n")
        for letter in b"abc":
            w.send(bytes([letter]))
            assert come.acquire(timeout=10)
        assert w.answer().status == 200


# --- Answers. ---

@pytest.mark.parametrize("status, fields, body", [
    ("200 OK", "", b"hello"), ("200 OK", "Transfer-Encoding: chunked\r\n", b"5\r\nhello\r\n0\r\n\r\n"),
    ("204 No Content", "", b""), ("304 Not Modified", 'ETag: "x"\r\nContent-Length: 5\r\n', b""),
    ("404 Not Found", "", b"hello"),
    ("299 Odd", "", b"hello"), ("500 Oh", "", b"hello"), ("200 OK", "Content-Length: 0\r\n", b"")])
def test_answers(proxied, status, fields, body):
    """With GET and with HEAD, and the connections go on on both sides."""
    def reply(asked):
        framed = "Length" in fields or "chunked" in fields or status.startswith("204")
        length = "" if framed else f"Content-Length: {len(body)}\r\n"
        return f"HTTP/1.1 {status}\r\n{fields}{length}\r\n".encode() + body
    server = proxied(http(reply))
    with Wire(server) as w:
        for method in "GET", "HEAD", "GET", "HEAD":
            a = w.ask(get(method=method), method=method)
            assert a.status == int(status[:3])
            if method == "GET":
                assert a.body == (b"hello" if body else b"")
            if fields.startswith("ETag"):
                assert a["etag"] == '"x"'
    assert len(server.origin.peers) == 1


def test_chunks_trailers_and_interim_answers(proxied):
    server = proxied(http(lambda asked: b"HTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\nHTTP/1.1 100 Continue\r\n\r\n"
                                        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nTrailer: X-Sum\r\n\r\n"
                                        b"3;ext=1\r\nhel\r\n2\r\nlo\r\n0\r\nX-Sum: 1\r\n\r\n"))
    with Wire(server) as w:
        for _ in range(3):
            assert w.ask(get()).body == b"hello"
    assert ask(server, get(version="1.0")).body == b"hello"
    assert len(server.origin.peers) == 1


# --- Trailers. ---

CHUNKED = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nContent-Type: text/plain\r\n"
WANTED = "TE: trailers\r\nConnection: TE\r\n"


def chunked(trailers, fields=b"Trailer: X-Sum\r\n", body=b"hello"):
    return CHUNKED + fields + b"\r\n%x\r\n%s\r\n0\r\n%s\r\n" % (len(body), body, trailers)


def test_trailers_go_to_who_wants_them(proxied):
    server = proxied(http(lambda asked: chunked(b"X-Sum: 1\r\ngrpc-status: 0\r\nX-Sum: 2\r\n")))
    with Wire(server) as w:
        for _ in range(3):
            a = w.ask(get("/", WANTED))
            assert a.body == b"hello" and a["trailer"] == "X-Sum" and a["content-length"] is None
            assert a.trailers == [("x-sum", "1"), ("grpc-status", "0"), ("x-sum", "2")]
            a = w.ask(get())
            assert a.body == b"hello" and a["trailer"] is None and a["content-length"] == "5" and not a.trailers
            a = w.ask(get("/", WANTED, method="HEAD"))
            assert a.status == 200 and a["trailer"] is None
    assert ask(server, get("/", WANTED, version="1.0"))["trailer"] is None
    assert len(server.origin.peers) == 1


def test_trailers_that_were_announced_and_never_came(proxied):
    server = proxied(http(lambda asked: chunked(b"")))
    with Wire(server) as w:
        a = w.ask(get("/", WANTED))
        assert a.body == b"hello" and a["trailer"] is None and a["content-length"] == "5"
        w.assert_open()


def test_trailers_behind_a_stream(proxied):
    """The head is out long before they come; they come in pieces."""
    def script(peer):
        peer.ask()
        peer.send(CHUNKED + b"Trailer: X-Sum, Content-Length\r\n\r\n")
        for piece in b"4\r\npart\r\n", b"0\r\nX-S", b"um: 1\r", b"\n", b"grpc-status: 0\r\n\r", b"\n":
            assert go_on.acquire(timeout=10)
            peer.send(piece)
            time.sleep(0.01)
        hang(peer)
    go_on = threading.Semaphore(0)
    server = proxied(script)
    with Wire(server) as w:
        w.send(get("/", WANTED))
        assert w.head()["trailer"] == "X-Sum"
        go_on.release(6)
        assert w.chunks() == b"part" and w.fields() == [("x-sum", "1"), ("grpc-status", "0")]
        w.assert_open()


@pytest.mark.parametrize("size", [100, 3 * MB])
def test_trailers_for_a_slow_reader(proxied, size):
    body = os.urandom(size)
    server = proxied(http(lambda asked: chunked(b"X-Sum: " + b"1" * 5000 + b"\r\n", body=body)))
    with Wire(server, receive_buffer=4096) as w:
        for _ in range(2):
            w.send(get("/", WANTED))
            time.sleep(0.1)
            a = w.answer()
            assert a.body == body and a.trailers == [("x-sum", "1" * 5000)]


def test_trailers_that_would_change_the_answer(proxied):
    evil = (b"Content-Length: 5\r\nTransfer-Encoding: chunked\r\nContent_Length: 5\r\nSet-Cookie: a=b\r\nHost: b\r\n"
            b"Connection: close\r\nKeep-Alive: 1\r\nCache-Control: public\r\nLocation: /\r\nAuthorization: x\r\n"
            b"X-Accel-Redirect: /etc\r\nX-Hop: 1\r\nX-Secret: 1\r\nX-Fine: 1\r\n")
    fields = b"Connection: X-Hop\r\nTrailer: Content-Length, X-Fine, X-Hop, x-secret\r\n"
    server = proxied(http(lambda asked: chunked(evil, fields)), more="header_remove X-Secret;")
    with Wire(server) as w:
        for _ in range(2):
            a = w.ask(get("/", WANTED))
            assert a["trailer"] == "X-Fine" and a.trailers == [("x-fine", "1")]


@pytest.mark.parametrize("trailers", [
    b"X-Sum: 1\n", b"X-Sum : 1\r\n", b" X-Sum: 1\r\n", b"X-Sum: 1\r\n 2\r\n", b"X-Sum\r\n", b": 1\r\n", b"X-Sum: 1\rX: 2\r\n",
    b"X-Sum: 1\0\r\n", b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nevil", b"5\r\nhello\r\n0\r\n", b"X: 1\r\n" * 300,
    b"X-Sum: " + b"1" * 40000 + b"\r\n"])
@pytest.mark.parametrize("fields", [WANTED, ""])
def test_malformed_trailers_are_refused(proxied, trailers, fields):
    """What two readers could take for two things is passed on to none; the connection is not used again."""
    server = proxied(http(lambda asked: chunked(trailers) if asked.target == "/bad" else answer("good")))
    with Wire(server) as w:
        w.send(get("/bad", fields))
        a = w.head()
        assert a.status == 502 or not w.rest().endswith(b"0\r\n\r\n")
    with Wire(server) as w:
        for _ in range(3):
            assert w.ask(get()).body == b"good"


def test_what_follows_an_answer_stays_with_it(proxied):
    """A digest is of the bytes as the server sent them: with trailers to come nothing is compressed."""
    body = b"hello " * 1000
    server = proxied(http(lambda asked: chunked(b"X-Sum: 1\r\n", body=body)), more="compress on;")
    fields = "Accept-Encoding: gzip\r\n"
    a = ask(server, get("/", fields + WANTED))
    assert a.body == body and a.trailers == [("x-sum", "1")] and a["content-encoding"] is None
    a = ask(server, get("/", fields))
    assert a["content-encoding"] == "gzip" and not a.trailers and a["trailer"] is None


@pytest.mark.parametrize("reply", [lambda body: answer(body), lambda body: b"HTTP/1.1 200 OK\r\n\r\n" + body],
                         ids=["length", "until the end"])
def test_large_answers(proxied, reply):
    body = os.urandom(8 * MB)
    server = proxied(once(reply(body)))
    assert ask(server, get()).body == body


def test_parts_come_as_they_are_sent(proxied):
    def script(peer):
        peer.ask()
        peer.send(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
        for _ in range(3):
            assert go_on.acquire(timeout=10)
            peer.send(b"4\r\npart\r\n")
        peer.send(b"0\r\n\r\n")
    go_on = threading.Semaphore(0)
    server = proxied(script)
    with Wire(server) as w:
        w.send(get())
        w.head()
        for _ in range(3):
            go_on.release()
            assert w.line() == b"4" and w.take(6) == b"part\r\n"
        assert w.line() == b"0"


def test_a_slow_reader_holds_no_server(proxied):
    """The server gets rid of its answer, and of this client, before the client has read a byte."""
    def script(peer):
        while True:
            peer.ask()
            peer.send(answer(body))
    body = os.urandom(6 * MB)
    server = proxied(script, rules="buffer 8m;", limit="connections 1")
    with Wire(server, receive_buffer=8192) as w:
        w.send(get())
        server.origin.wait_asked()
        assert ask(server, get("/other")).body == body
        assert len(server.origin.peers) == 1
        assert w.answer().body == body


def test_a_slow_reader_costs_a_bounded_buffer(proxied):
    def script(peer):
        peer.ask()
        peer.send(answer(bytes(64 * MB)))
        sent.set()
    sent = threading.Event()
    server = proxied(script, rules="buffer 64k;")
    with Wire(server, receive_buffer=8192) as w:
        w.send(get())
        w.more(1)
        assert not sent.wait(0.3)


def test_redirects_and_cookies_of_the_server(proxied):
    def reply(asked):
        where = f"http://{server.origin.address}/new?x"
        return answer("", "302 Found", f"Location: {where}\r\nSet-Cookie: a=b; Path=/v2/x; Domain=intranet; HttpOnly\r\n")
    server = proxied(http(reply), inner="host server; cookie_path /v2/ /api/; cookie_domain intranet \"\";")
    a = ask(server, get())
    assert a["location"] == "http://a/new?x"
    assert a["set-cookie"] == "a=b; Path=/api/x; HttpOnly"


def test_answers_in_place_of_the_server(proxied):
    """X-Accel-Redirect and X-Sendfile: a file of petrel's."""
    def reply(asked):
        aside = f"X-Sendfile: {folder}/www" if "send" in asked.target else "X-Accel-Redirect: "
        return answer("not this", fields=f"{aside}/files/one\r\nContent-Type: text/x-one\r\nSet-Cookie: a=b\r\n")
    server = proxied(http(reply), more="root {dir}/www; route /files/* { internal; files; }")
    folder = server.dir
    (folder / "www/files").mkdir(parents=True)
    (folder / "www/files/one").write_text("the file")
    with Wire(server) as w:
        for target in "/accel", "/sendfile":
            a = w.ask(get(target))
            assert (a.status, a.body, a["set-cookie"], a["content-type"]) == (200, b"the file", "a=b", "text/x-one")
            assert a["x-sendfile"] is None and a["x-accel-redirect"] is None
    assert ask(server, get("/files/one")).status == 404


def test_another_answer_of_the_server(proxied):
    """What it names is asked for as a URL has to be: nothing of it gets to stand where the request line goes on."""
    def reply(asked):
        if asked.target == "/first":
            return answer("not this", fields="X-Accel-Redirect: /again?a=b \xe9 HTTP/1.0#c\r\n")
        return answer(asked.target)
    a = ask(proxied(http(reply)), get("/first"))
    assert (a.status, a.body) == (200, b"/again?a=b%20%E9%20HTTP/1.0")


# --- Clients that leave. ---

@pytest.mark.threads
def test_a_client_that_leaves(proxied):
    """While the server works: its connection ends soon, and it can stop."""
    def script(peer):
        peer.ask()
        hang(peer)
    server = proxied(script)
    w = Wire(server)
    w.send(get("/left"))
    server.origin.wait_asked()
    w.sock.close()
    server.origin.wait_gone()
    logged(server, "/left 0 client")


def test_half_a_connection(proxied):
    """With half_close on, who sends no more still gets an answer."""
    def script(peer):
        peer.ask()
        go_on.wait(10)
        peer.send(answer("late"))
        hang(peer)
    go_on = threading.Event()
    server = proxied(script, rules="half_close on;")
    with Wire(server) as w:
        w.send(get())
        w.sock.shutdown(socket.SHUT_WR)
        server.origin.wait_asked()
        assert ask(server, b"OPTIONS * HTTP/1.1\r\nHost: a\r\n\r\n").status == 204
        go_on.set()
        assert w.answer().body == b"late"
        w.assert_closed()


# --- What must not be smuggled. ---

SMUGGLED = [
    b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n"
    b"GET /evil HTTP/1.1\r\nHost: a\r\n\r\n",
    b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked, identity\r\n\r\n0\r\n\r\n",
    b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: xchunked\r\n\r\n0\r\n\r\n",
    b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding : chunked\r\n\r\n0\r\n\r\n",
    b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\nContent-Length: 6\r\n\r\nabcdef",
    b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: +5\r\n\r\nabcde",
    b"GET / HTTP/1.1\r\nHost: a\r\nX: a\nEvil: b\r\n\r\n",
    b"GET / HTTP/1.1\r\nHost: a\r\nX: a\rEvil: b\r\n\r\n",
    b"GET / HTTP/1.1\r\nHost: a\r\nX: a\0b\r\n\r\n",
    b"GET / HTTP/1.1\r\nHost: a\r\n X: folded\r\n\r\n",
    b"GET /a b HTTP/1.1\r\nHost: a\r\n\r\n",
    b"GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n",
    b"GET / HTTP/1.1\r\nHost: a b\r\n\r\n",
]


@pytest.mark.parametrize("data", SMUGGLED)
def test_ambiguous_requests_reach_no_server(proxied, data):
    server = proxied(http())
    with Wire(server) as w:
        w.send(data)
        assert w.answer().status in (400, 501)
        w.assert_closed()
    assert not server.origin.peers


def test_what_looks_like_a_request_in_a_body(proxied):
    evil = b"GET /evil HTTP/1.1\r\nHost: a\r\n\r\n"
    server = proxied(http())
    with Wire(server) as w:
        w.send(b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: %d\r\n\r\n" % len(evil) + evil)
        assert w.answer().status == 200
        w.send(b"GET /get HTTP/1.1\r\nHost: a\r\nContent-Length: %d\r\n\r\n" % len(evil) + evil)
        assert w.answer().status == 200
        w.send(b"GET /up HTTP/1.1\r\nHost: a\r\nConnection: upgrade\r\nUpgrade: h2c\r\n\r\n")
        assert w.answer().status == 200
    assert [asked.target for asked in server.origin.asked] == ["/", "/get", "/up"]
    assert [asked.body for asked in server.origin.asked] == [evil, evil, b""]


# --- Tunnels. ---

SWITCH = get("/ws", "Connection: keep-alive, Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Key: x\r\n")


def open_tunnel(server, more=b""):
    w = Wire(server)
    w.send(SWITCH + more)
    a = w.answer()
    assert (a.status, a["upgrade"], a["connection"], a["sec-websocket-accept"]) == (101, "websocket", "Upgrade", "x")
    return w


def test_a_tunnel(proxied):
    server = proxied(echo_tunnel)
    with open_tunnel(server, b"early") as w:
        assert w.take(5) == b"early"
        for size in 1, 1000, 300000:
            data = os.urandom(size)
            sender = threading.Thread(target=w.send, args=(data,))
            sender.start()
            assert w.take(size) == data
            sender.join()
    asked = server.origin.asked[-1]
    assert field(asked, "upgrade") == "websocket" and field(asked, "connection") == "Upgrade"
    server.origin.wait_gone()


def test_half_a_tunnel(proxied):
    """Who sends no more still hears; when both have said so it is over."""
    server = proxied(echo_tunnel)
    with open_tunnel(server) as w:
        w.send(b"last")
        w.sock.shutdown(socket.SHUT_WR)
        assert w.rest() == b"lastend"
    logged(server, "/ws 101 done")


def test_the_server_ends_a_tunnel(proxied):
    server = proxied(once(UPGRADE, b"greeting"))
    with open_tunnel(server) as w:
        assert w.rest() == b"greeting"


def test_a_tunnel_that_breaks(proxied):
    def script(peer):
        peer.ask()
        peer.send(UPGRADE)
        go_on.wait(10)
        peer.reset()
    go_on = threading.Event()
    server = proxied(script)
    with open_tunnel(server) as w:
        go_on.set()
        assert w.rest() == b""


def test_a_tunnel_is_refused(proxied):
    server = proxied(http(lambda asked: answer("no", "403 Forbidden")))
    with Wire(server) as w:
        a = w.ask(SWITCH)
        assert (a.status, a.body) == (403, b"no")
        assert w.ask(get()).status == 403


def test_an_idle_tunnel(proxied):
    server = proxied(echo_tunnel, rules="timeout tunnel 600ms;")
    with open_tunnel(server) as w:
        for _ in range(5):
            w.send(b"x")
            assert w.take(1) == b"x"
            time.sleep(0.2)
        w.assert_closed()
    logged(server, "/ws 101 tunnel_timeout")


@pytest.mark.threads
def test_a_tunnel_survives_a_reload(proxied):
    server = proxied(echo_tunnel)
    with open_tunnel(server) as w:
        server.reload(server.conf_file.read_text().replace("proxy api {  }", 'respond 200 "new";'))
        assert ask(server, get()).body == b"new"
        w.send(b"still")
        assert w.take(5) == b"still"
        server.reload("listen 127.0.0.1:{port}; loops 1; site * { route * { respond 200 \"newer\"; } }")
        assert ask(server, get()).body == b"newer"
        w.send(b"there")
        assert w.take(5) == b"there"


@pytest.mark.threads
def test_a_tunnel_and_the_end(proxied):
    """It does not keep petrel from ending."""
    server = proxied(echo_tunnel)
    with open_tunnel(server) as w:
        server.stop()
        assert w.rest() == b""


def test_a_slow_reader_of_a_tunnel(proxied):
    """Nothing is read for who does not take it."""
    def script(peer):
        peer.ask()
        peer.send(UPGRADE, bytes(24 * MB))
        sent.set()
        hang(peer)
    sent = threading.Event()
    server = proxied(script)
    with Wire(server, receive_buffer=8192) as w:
        w.send(SWITCH)
        assert w.answer().status == 101
        assert not sent.wait(0.3)
        assert w.take(MB) == bytes(MB)
