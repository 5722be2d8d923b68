"""The cache under load: one fetch for all who want a page, what is stale, what is slow, what breaks off."""

import threading
import time
import zlib

import pytest
from cached import FRESH, Gate
from conftest import wait_for
from origins import answer, field, http, once
from wire import Wire, ask, get

pytestmark = pytest.mark.threads

CONF = """
loops LOOPS;
listen 127.0.0.1:{port};
limits { connections 0; min_rate 0; }
cache pages { RULES }
site * { route * { cache pages; ROUTE proxy http://ADDRESS; } }
"""


@pytest.fixture
def cached(petrel, origin):
    """cached(reply, rules): petrel with a cache before an origin that answers with reply(asked), and counts."""
    def start(reply=lambda asked: answer(b"hello", fields=FRESH), rules="", loops=2, script=None, route=""):
        one = origin(script or http(reply))
        server = petrel(CONF.replace("LOOPS", str(loops)).replace("RULES", rules).replace("ADDRESS", one.address).replace("ROUTE", route))
        server.origin = one
        return server
    return start


def status_of(a):
    return a["cache-status"]


def send_all(server, count, target="/page", fields=""):
    wires = [Wire(server) for _ in range(count)]
    for wire in wires:
        wire.send(get(target, fields))
    return wires


def close_all(wires):
    for wire in wires:
        wire.sock.close()


def test_a_thousand_clients_make_one_request(cached):
    gate = Gate()
    server = cached(gate)
    wires = send_all(server, 1000)
    server.origin.wait_asked()
    time.sleep(0.2)
    gate.open.set()
    answers = [wire.answer() for wire in wires]
    close_all(wires)
    assert {(a.status, a.body) for a in answers} == {(200, b"hello")}
    assert len(server.origin.asked) == 1
    assert sum("collapsed" in status_of(a) for a in answers) >= 990


def test_readers_see_bytes_as_they_come(cached):
    more = threading.Event()

    def script(peer):
        peer.ask()
        peer.send(f"HTTP/1.1 200 OK\r\n{FRESH}Content-Length: 100000\r\n\r\n".encode() + b"a" * 50000)
        assert more.wait(20)
        peer.send(b"b" * 50000)

    server = cached(script=script)
    with Wire(server) as first, Wire(server) as second:
        first.send(get("/"))
        assert first.head().status == 200
        assert first.take(50000) == b"a" * 50000
        second.send(get("/"))
        assert second.head().status == 200
        assert second.take(50000) == b"a" * 50000
        more.set()
        assert first.take(50000) == second.take(50000) == b"b" * 50000
    assert len(server.origin.asked) == 1
    assert "hit" in status_of(ask(server, get("/")))


def test_a_client_that_leaves_does_not_end_the_fetch(cached):
    gate = Gate()
    server = cached(gate)
    with Wire(server) as wire:
        wire.send(get("/"))
        server.origin.wait_asked()
    gate.open.set()
    wait_for(lambda: "hit" in (status_of(ask(server, get("/", "Cache-Control: only-if-cached\r\n"))) or ""), "a hit")
    assert len(server.origin.asked) == 1


def test_pages_that_cannot_be_kept_are_not_asked_for_one_by_one(cached):
    gate = Gate(lambda asked: answer(asked.target, fields="Cache-Control: private\r\n"))
    gate.open.set()
    server = cached(gate)
    assert "detail=private" in status_of(ask(server, get("/mine")))
    gate.open.clear()
    wires = send_all(server, 10, "/mine")
    wait_for(lambda: gate.inside == 10, "ten requests at the origin at once")
    gate.open.set()
    assert [wire.answer().status for wire in wires] == [200] * 10
    close_all(wires)


def test_private_answers_go_to_who_asked(cached):
    """Ten wait for one fetch: its answer turns out to be for the first alone."""
    gate = Gate(lambda asked: answer(field(asked, "x-who"), fields="Cache-Control: private\r\n"))
    server = cached(gate)
    wires = []
    for n in range(10):
        wires.append(Wire(server).send(get("/", f"X-Who: {n}\r\n")))
        if not n:
            server.origin.wait_asked()
    time.sleep(0.2)
    gate.open.set()
    assert [wire.answer().body for wire in wires] == [str(n).encode() for n in range(10)]
    close_all(wires)


def test_large_private_answers_are_streamed(cached):
    body = bytes(range(256)) * 20000
    server = cached(lambda asked: answer(body, fields="Cache-Control: no-store\r\n"))
    assert ask(server, get("/")).body == body
    assert ask(server, get("/")).body == body


def test_stale_pages_are_served_while_they_are_asked_for_anew(cached):
    gate = Gate(lambda asked: answer(str(len(server.origin.asked)), fields="Cache-Control: max-age=1\r\n"))
    gate.open.set()
    server = cached(gate, "stale revalidate 60s;")
    assert ask(server, get("/")).body == b"1"
    time.sleep(2.1)
    gate.open.clear()
    for _ in range(5):
        begun = time.monotonic()
        a = ask(server, get("/"))
        assert a.body == b"1" and "hit" in status_of(a) and int(a["age"]) >= 1
        assert time.monotonic() - begun < 5
    server.origin.wait_asked(2)
    gate.open.set()
    wait_for(lambda: ask(server, get("/")).body != b"1", "the new page")
    assert gate.most == 1


@pytest.mark.parametrize("ill", ["status", "closed", "gone"])
def test_stale_pages_are_served_while_the_origin_is_ill(cached, ill):
    state = {"ill": False}

    def script(peer):
        while True:
            peer.ask()
            if state["ill"] and ill == "closed":
                return
            peer.send(answer(b"", "503 Busy") if state["ill"] else
                      answer(b"hello", fields="Cache-Control: max-age=1\r\nConnection: close\r\n"))
            if not state["ill"]:
                return

    server = cached(script=script, rules="stale error 1h;")
    assert ask(server, get("/")).status == 200
    time.sleep(2.1)
    state["ill"] = True
    if ill == "gone":
        server.origin.listener.close()
    a = ask(server, get("/"))
    assert (a.status, a.body) == (200, b"hello"), a
    assert ask(server, get("/other")).status in (502, 503)


def test_waiting_for_others_has_an_end(cached):
    gate = Gate()
    server = cached(gate, "wait 300ms;")
    wires = send_all(server, 3)
    wait_for(lambda: gate.inside >= 3, "those who waited long enough to ask themselves", 5)
    gate.open.set()
    assert {wire.answer().body for wire in wires} == {b"hello"}
    close_all(wires)


def test_so_many_fetches_at_a_time(cached):
    gate = Gate()
    server = cached(gate, "fills 2;")
    wires = [Wire(server).send(get(f"/{n}")) for n in range(6)]
    server.origin.wait_asked(2)
    time.sleep(0.3)
    assert gate.inside == 2
    gate.open.set()
    assert {wire.answer().body for wire in wires} == {b"hello"}
    assert gate.most == 2
    close_all(wires)


def test_an_answer_that_breaks_off_is_not_kept(cached):
    cut = threading.Event()

    def script(peer):
        peer.ask()
        peer.send(f"HTTP/1.1 200 OK\r\n{FRESH}Content-Length: 100000\r\n\r\n".encode() + b"a" * 50000)
        assert cut.wait(20)

    server = cached(script=script)
    for n in range(2):
        with Wire(server) as wire:
            wire.send(get("/"))
            assert wire.head()["content-length"] == "100000"
            cut.set()
            assert len(wire.rest()) == 50000
        cut.clear()
        server.origin.wait_asked(n + 1)


def test_an_answer_that_is_seen_to_be_cut_is_no_answer(cached):
    server = cached(script=once(f"HTTP/1.1 200 OK\r\n{FRESH}Content-Length: 5000\r\n\r\n".encode() + b"a" * 4000))
    assert ask(server, get("/")).status == 502
    assert ask(server, get("/")).status == 502


def test_an_answer_that_grows_too_large_is_passed_on(cached):
    """Nobody knew how long it would be: it is delivered whole, at its readers' pace, and not kept."""
    def script(peer):
        peer.ask()
        peer.send(f"HTTP/1.1 200 OK\r\n{FRESH}Transfer-Encoding: chunked\r\n\r\n".encode())
        for n in range(400):
            peer.send(b"8000\r\n" + bytes([n % 256]) * 0x8000 + b"\r\n")
        peer.send(b"0\r\n\r\n")

    server = cached(script=script, rules="object 1m;")
    with Wire(server) as first, Wire(server) as second:
        first.send(get("/"))
        assert first.head().status == 200
        second.send(get("/"))
        assert second.head().status == 200
        bodies = []
        reader = threading.Thread(target=lambda: bodies.append(first.chunks()))
        reader.start()
        bodies.append(second.chunks())
        reader.join(30)
    assert [len(body) for body in bodies] == [400 * 0x8000] * 2
    assert bodies[0] == bodies[1] == b"".join(bytes([n % 256]) * 0x8000 for n in range(400))
    assert "hit" not in status_of(ask(server, get("/")))


def test_parts_and_heads_and_conditions_of_what_is_kept(cached):
    server = cached(lambda asked: answer(b"0123456789", fields=FRESH + 'ETag: "e"\r\n'))
    assert ask(server, get("/")).status == 200
    part = ask(server, get("/", "Range: bytes=2-4\r\n"))
    assert (part.status, part.body, part["content-range"]) == (206, b"234", "bytes 2-4/10")
    assert ask(server, get("/", "Range: bytes=20-\r\n")).status == 416
    assert ask(server, get("/", 'If-None-Match: "e"\r\n')).status == 304
    assert ask(server, get("/", 'If-Match: "f"\r\n')).status == 412
    with Wire(server) as wire:
        head = wire.ask(get("/", method="HEAD"))
        assert head.status == 200 and head["content-length"] == "10"
        wire.assert_open()
    assert len(server.origin.asked) == 1


def test_a_head_request_fetches_the_page(cached):
    server = cached(lambda asked: answer(b"hello", fields=FRESH))
    with Wire(server) as wire:
        assert wire.ask(get("/", method="HEAD"))["content-length"] == "5"
    assert ask(server, get("/")).body == b"hello"
    assert [asked.method for asked in server.origin.asked] == ["GET"]


def test_what_is_kept_stays_over_a_reload(cached):
    server = cached()
    assert ask(server, get("/")).body == b"hello"
    server.reload()
    assert "hit" in status_of(ask(server, get("/")))
    assert len(server.origin.asked) == 1


def test_unsafe_methods_make_pages_go(cached):
    server = cached(lambda asked: answer(str(len(server.origin.asked)), fields=FRESH))
    assert ask(server, get("/")).body == b"1"
    with Wire(server) as wire:
        assert wire.ask(b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 0\r\n\r\n").status == 200
    assert ask(server, get("/")).body == b"3"


def test_the_purge_method(cached):
    server = cached(lambda asked: answer(str(len(server.origin.asked)), fields=FRESH + "Surrogate-Key: a b\r\n"),
                    "purge_from 127.0.0.0/8;")
    one = ask(server, get("/1"))
    assert one.body == b"1" and one["surrogate-key"] is None
    assert ask(server, get("/2")).body == b"2"
    with Wire(server) as wire:
        assert wire.ask(get("/1", method="PURGE")).status == 200
    assert ask(server, get("/1")).body == b"3"
    assert ask(server, get("/2")).body == b"2"
    with Wire(server) as wire:
        assert wire.ask(get("/", "Surrogate-Key: b\r\n", method="PURGE")).status == 200
    assert ask(server, get("/1")).body == b"4"
    assert ask(server, get("/2")).body == b"5"


def test_not_everyone_may_purge(cached):
    server = cached(rules="purge_from 10.0.0.0/8;")
    assert ask(server, get("/")).status == 200
    with Wire(server) as wire:
        assert wire.ask(get("/", method="PURGE")).status == 403
    assert "hit" in status_of(ask(server, get("/")))


def test_a_page_is_compressed_once(cached):
    text = b"all work and no play makes jack a dull boy\n" * 200
    server = cached(lambda asked: answer(text, fields=FRESH + 'ETag: "e"\r\nContent-Type: text/plain\r\n'),
                    route="compress on;")
    assert ask(server, get("/")).body == text

    def kept():
        a = ask(server, get("/", "Accept-Encoding: gzip\r\n"))
        assert a["content-encoding"] == "gzip" and zlib.decompress(a.body, 31) == text
        return a if a["content-length"] else None

    wait_for(kept, "an answer whose length is known before it is sent")
    a = kept()
    assert a["etag"] == 'W/"e-gzip"' and a["vary"] == "Accept-Encoding" and "hit" in status_of(a)
    assert ask(server, get("/", "Accept-Encoding: gzip\r\nIf-None-Match: W/\"e-gzip\"\r\n")).status == 304
    assert ask(server, get("/")).body == text
    assert len(server.origin.asked) == 1
