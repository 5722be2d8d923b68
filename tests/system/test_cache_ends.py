"""How fetches of a cache end: the server stops, drains or is told of another configuration, and clients are slow, old,
hurried, or gone."""

import os
import re
import signal
import socket
import threading
import time

import pytest
from cached import FRESH, Gate, count, is_hit, status
from conftest import SLOW, wait_for
from origins import answer, field, http
from wire import Wire, ask, get

pytestmark = pytest.mark.threads

CONF = """
loops LOOPS;
listen 127.0.0.1:{port};
access_log {dir}/access.log line;
log_format line "$path $status $end $sent_etag";
error_log {dir}/error.log;
temporary {dir};
drain_timeout 2s;
limits { connections 0; min_rate 0; }
MAIN
cache pages { RULES }
site * { root {dir}; MORE route * { cache pages; ROUTE proxy http://ADDRESS; } }
"""
BIG_B = 3 << 20
PIECE = b"8000\r\n" + b"x" * 0x8000 + b"\r\n"


def conf_of(one, rules="", route="", main="", more="", loops=2):
    words = {"LOOPS": loops, "RULES": rules, "ROUTE": route, "MAIN": main, "MORE": more, "ADDRESS": one.address}
    conf = CONF
    for word, text in words.items():
        conf = conf.replace(word, str(text))
    return conf


@pytest.fixture
def ending(petrel, origin):
    """ending(reply or script=…): petrel with a cache before an origin."""
    def start(reply=None, script=None, **kwargs):
        one = origin(script or http(reply or (lambda asked: answer(b"hello", fields=FRESH))))
        server = petrel(conf_of(one, **kwargs))
        server.origin = one
        return server
    return start


def begin(peer, fields=FRESH, length=None):
    """Reads a request and begins to answer it."""
    asked = peer.ask()
    framing = f"Content-Length: {length}\r\n" if length is not None else "Transfer-Encoding: chunked\r\n"
    peer.send(f"HTTP/1.1 200 OK\r\n{fields}{framing}\r\n".encode())
    return asked


def half(peer):
    """Sends half of it, and waits."""
    begin(peer, length=100000)
    peer.send(b"a" * 50000)
    peer.wait_closed()


def silent(peer):
    peer.ask()
    peer.wait_closed()


def endless(peer):
    begin(peer)
    while True:
        peer.send(PIECE)


def private(peer):
    begin(peer, "Cache-Control: private\r\n", length=1 << 30)
    while True:
        peer.send(b"x" * 65536)


# --- The server stops. ---


@pytest.mark.parametrize("how", [signal.SIGTERM, signal.SIGQUIT], ids=["stop", "drain"])
@pytest.mark.parametrize("script", [silent, half, endless, private], ids=lambda script: script.__name__)
def test_the_server_ends_while_pages_are_fetched(ending, script, how):
    """Of every client some stay and some left; one fetch runs and others stand in line."""
    server = ending(script=script, rules="fills 1; object 1m;")
    wires = [Wire(server).send(get(f"/{n % 3}")) for n in range(9)]
    server.origin.wait_asked()
    for wire in wires[::3]:
        wire.sock.close()
    time.sleep(0.2)
    server.signal(how)
    assert server.wait_end(30) == 0
    for n, wire in enumerate(wires):
        if n % 3:
            wire.rest()
            wire.sock.close()


def test_a_drain_waits_for_those_who_wait_for_a_page(ending):
    gate = Gate()
    server = ending(gate)
    with Wire(server) as first, Wire(server) as second:
        first.send(get("/"))
        second.send(get("/"))
        server.origin.wait_asked()
        server.signal(signal.SIGQUIT)
        time.sleep(0.3)
        assert server.process.poll() is None
        gate.open.set()
        assert [wire.answer().body for wire in (first, second)] == [b"hello"] * 2
    assert server.wait_end() == 0
    assert len(server.origin.asked) == 1


def test_the_server_ends_while_memcached_is_asked(petrel, origin):
    """It says nothing, and pages are asked for there all the time."""
    one, mute = origin(http(lambda asked: answer(b"hello", fields=FRESH))), origin(lambda peer: peer.wait_closed())
    server = petrel(conf_of(one, rules="memcached shared;",
                            main=f"memcached shared {{ server {mute.address}; timeout 5s; }}"))
    wires = [Wire(server).send(get(f"/{n}")) for n in range(20)]
    time.sleep(0.3)
    server.signal(signal.SIGTERM)
    assert server.wait_end() == 0
    for wire in wires:
        wire.sock.close()


@pytest.mark.parametrize("engine", ["threads", "auto"])
def test_the_server_ends_while_the_disk_is_asked(ending, engine):
    """Pages that are on disk alone are looked for, others are written, and purges noted, when it ends."""
    server = ending(rules="memory 1m; object 512k; disk {dir}/pages 64m; purge_from 127.0.0.0/8;",
                    main=f"disk {{ engine {engine}; workers 1; }}",
                    reply=lambda asked: answer(os.urandom(1000) * 200, fields=FRESH))
    for n in range(40):
        assert ask(server, get(f"/{n}")).status == 200
    time.sleep(0.5)
    wires = [Wire(server) for _ in range(120)]
    for n, wire in enumerate(wires):
        wire.send(get(f"/{n}", method="PURGE" if n % 3 == 1 else "GET"))
    server.signal(signal.SIGTERM)
    assert server.wait_end() == 0
    for wire in wires:
        wire.sock.close()


# --- Another configuration. ---


def plain(server):
    return f"""
loops 2;
listen 127.0.0.1:{{port}};
access_log off;
drain_timeout 2s;
site * {{ route * {{ proxy http://{server.origin.address}; }} }}
"""


def test_a_cache_that_is_taken_away_still_serves_who_waits_for_it(ending):
    gate = Gate()
    server = ending(gate)
    with Wire(server) as first, Wire(server) as second:
        first.send(get("/"))
        second.send(get("/"))
        server.origin.wait_asked()
        server.reload(plain(server))
        gate.open.set()
        assert [wire.answer().body for wire in (first, second)] == [b"hello"] * 2
    assert ask(server, get("/"))["cache-status"] is None
    assert len(server.origin.asked) == 2


def test_nobody_waits_any_more_for_a_cache_that_is_taken_away(ending):
    gate = Gate()
    server = ending(gate)
    with Wire(server) as wire:
        wire.send(get("/"))
        server.origin.wait_asked()
    server.reload(plain(server))
    gate.open.set()
    assert ask(server, get("/")).body == b"hello"


def test_a_fetch_that_begins_after_a_reload_is_the_old_configurations(ending):
    """A download in slices goes on over a reload, asks for its next slices, and then its client leaves."""
    slice_b, size_b, go_on = 65536, 64 << 20, threading.Event()

    def reply(asked):
        wanted = field(asked, "range")
        first, last = (int(n) for n in wanted.removeprefix("bytes=").split("-"))
        if first > 8 << 20:
            assert go_on.wait(20)
        return answer(b"x" * (last - first + 1), "206 Partial Content",
                      f'{FRESH}ETag: "e"\r\nContent-Range: bytes {first}-{last}/{size_b}\r\n')

    server = ending(reply, rules=f"slice {slice_b}; memory 2m; object 1m;")
    with Wire(server, receive_buffer=65536) as wire:
        wire.send(get("/large"))
        assert wire.head().status == 200
        server.reload(plain(server))
        wire.take(8 << 20)
        wait_for(lambda: any(field(a, "range").startswith("bytes=8454144-") for a in server.origin.asked), "a slice past 8 MiB")
    time.sleep(0.3)
    go_on.set()
    for _ in range(20):
        assert ask(server, get("/small", "Range: bytes=0-9\r\n")).status == 206
    server.reload()


# --- What a fetch uses after who began it is gone. ---


def test_what_a_pattern_stood_for_outlives_who_asked(ending):
    gate = Gate()
    server = ending(gate, rules="no_store \"x$1\";", more="route /kept/* { cache pages; proxy http://ADDRESS; }")
    server.reload(server.conf_file.read_text().replace("ADDRESS", server.origin.address))
    with Wire(server) as wire:
        wire.send(get("/kept/" + "0" * 3000, "X: " + "y" * 8000 + "\r\n"))
        server.origin.wait_asked()
    time.sleep(0.2)
    for n in range(50):
        with Wire(server) as wire:
            wire.send(get("/kept/" + str(n) * 1000, "X: " + "z" * 8000 + "\r\n"))
    gate.open.set()
    server.origin.wait_asked(2)


def test_a_file_that_a_cache_reads_stays_the_same_file(petrel):
    """It is larger than what is read in a turn, and all the while another one takes its place."""
    server = petrel("""
loops 2;
listen 127.0.0.1:{port};
hot { recheck 1ms; }
limits { connections 0; min_rate 0; }
cache pages { default_ttl 1h; object 20m; }
site * { root {dir}; route /it { files; } route * { cache pages; files { try /it; } } }
""")
    size_b, stop = 12 << 20, threading.Event()
    (server.dir / "it").write_bytes(bytes(size_b))

    def change():
        version = 0
        with Wire(server) as wire:
            while not stop.is_set():
                version = version % 255 + 1
                (server.dir / "new").write_bytes(bytes([version]) * size_b)
                (server.dir / "new").rename(server.dir / "it")
                for _ in range(5):
                    wire.ask(get("/it", method="HEAD"))

    thread = threading.Thread(target=change)
    thread.start()
    try:
        for n in range(20 if SLOW else 60):
            body = ask(server, get(f"/{n}")).body
            assert body == body[:1] * size_b
    finally:
        stop.set()
        thread.join()


def test_the_log_of_slices_outlives_their_first(ending):
    """Its fields are the answer's; another one has taken its place long before the answer's end is logged."""
    size_b = 8 << 20

    def reply(asked):
        first, last = (int(n) for n in field(asked, "range").removeprefix("bytes=").split("-"))
        last = min(last, size_b - 1)
        return answer(b"x" * (last - first + 1), "206 Partial Content",
                      f'{FRESH}ETag: "a-rather-long-tag"\r\nContent-Range: bytes {first}-{last}/{size_b}\r\n')

    server = ending(reply, rules="slice 64k;", loops=1)
    assert ask(server, get("/one", "Range: bytes=0-9\r\n")).status == 206
    with Wire(server, receive_buffer=16384) as wire:
        wire.send(get("/one"))
        assert wire.head().status == 200
        wire.take(1 << 20)
        for n in range(40):
            assert ask(server, get("/one", "Range: bytes=0-9\r\nCache-Control: no-cache\r\n")).status == 206
        wire.take(size_b - (1 << 20))
    file = server.dir / "access.log"
    wait_for(lambda: re.search("/one 200 done .*a-rather-long-tag", file.read_text()), "its line")


# --- Clients. ---


def test_ten_thousand_clients_vanish(ending):
    """They want as many pages, few at a time are fetched, and nobody is there any more when it is their turn."""
    gate = Gate()
    clients = 1000 if SLOW else 10000
    server = ending(gate, rules="fills 4; wait 1h;")
    wires = []
    for n in range(clients):
        wires.append(socket.create_connection(("127.0.0.1", server.port)))
        wires[-1].sendall(get(f"/{n // 2}"))
    server.origin.wait_asked(4)
    time.sleep(0.5)
    for wire in wires:
        wire.close()
    with Wire(server) as wire:
        wire.send(get("/last"))
        time.sleep(0.5)
        gate.open.set()
        assert wire.answer().body == b"hello"
    assert len(server.origin.asked) < 100, "pages that nobody waits for are fetched"


def test_all_who_read_an_endless_answer_vanish(ending):
    """It can't be kept: it is not fetched any further."""
    server = ending(script=endless, rules="object 1m;")
    wires = [Wire(server).send(get("/")) for _ in range(10)]
    for wire in wires:
        wire.take(2 << 20)
    for wire in wires:
        wire.sock.close()
    server.origin.wait_gone()
    assert len(server.origin.peers) == 1


def test_who_fetches_a_slow_page_asks_once(ending):
    """`wait` is for those who wait for others."""
    gate = Gate()
    server = ending(gate, rules="wait 200ms;")
    with Wire(server) as wire:
        wire.send(get("/"))
        server.origin.wait_asked()
        time.sleep(0.6)
        gate.open.set()
        assert wire.answer().body == b"hello"
    assert len(server.origin.asked) == 1


@pytest.mark.parametrize("script", ["length", "chunked", "private"])
def test_clients_of_http_1_0(ending, script):
    def reply(peer):
        if script == "length":
            begin(peer, length=200000)
            peer.send(b"x" * 200000)
        else:
            begin(peer, FRESH if script == "chunked" else "Cache-Control: private\r\n")
            peer.send(b"1f400\r\n" + b"x" * 128000 + b"\r\n", b"11940\r\n" + b"x" * 72000 + b"\r\n", b"0\r\n\r\n")

    server = ending(script=reply)
    for n in range(3):
        with Wire(server) as wire:
            wire.send(get("/", version="1.0"))
            a = wire.head()
            assert a.status == 200 and a["transfer-encoding"] is None
            assert wire.rest() == b"x" * 200000
    assert len(server.origin.asked) == (3 if script == "private" else 1)


def test_a_pipeline_of_hits_misses_and_joined(ending):
    gate = Gate(lambda asked: answer(asked.target, fields=FRESH))
    server = ending(gate)
    with Wire(server) as one, Wire(server) as two:
        one.send(get("/a") + get("/b") + get("/a", method="HEAD") + get("/b") + get("/c"))
        two.send(get("/b") + get("/a") + get("/c", method="HEAD") + get("/c"))
        server.origin.wait_asked()
        gate.open.set()
        bodies = [one.answer().body, one.answer().body, one.answer("HEAD").body, one.answer().body, one.answer().body]
        assert bodies == [b"/a", b"/b", b"", b"/b", b"/c"]
        assert [two.answer().body, two.answer().body, two.answer("HEAD").body, two.answer().body] == [b"/b", b"/a", b"", b"/c"]
    assert sorted(asked.target for asked in server.origin.asked) == ["/a", "/b", "/c"]


@pytest.mark.parametrize("script", [half, silent, endless, private], ids=lambda script: script.__name__)
def test_heads_of_pages_that_come_in(ending, script):
    """The head is out as soon as it is known, and the connection stays good for the next request."""
    server = ending(script=script, main="direct { timeout answer 1s; }")
    with Wire(server) as wire:
        a = wire.ask(get("/", method="HEAD"))
        assert a.status == (504 if script is silent else 200)
        wire.assert_open()


def test_a_throttled_reader_holds_up_nobody(ending):
    """A large page is in the cache as soon as its origin gave it, however slowly the first client may read."""
    server = ending(lambda asked: answer(b"x" * BIG_B, fields=FRESH), route="throttle 64k after 64k;")
    with Wire(server, receive_buffer=16384) as wire:
        wire.send(get("/"))
        assert wire.head().status == 200
        wait_for(lambda: is_hit(ask_head(server)), "the page")
        begun = time.monotonic()
        wire.take(65536 + 2 * 65536)
        assert time.monotonic() - begun > 1 or SLOW
    assert len(server.origin.asked) == 1


def ask_head(server):
    return ask(server, get("/", method="HEAD"))


def test_a_slow_reader_of_a_flow_takes_no_place_in_the_line(ending):
    """What is passed on at its readers' pace is no fetch for the cache any more."""
    def script(peer):
        if begin(peer).target == "/flow":
            while True:
                peer.send(PIECE)
        peer.send(b"5\r\nhello\r\n0\r\n\r\n")

    server = ending(script=script, rules="fills 1; object 1m;")
    with Wire(server) as slow:
        slow.send(get("/flow"))
        slow.take(2 << 20)
        assert ask(server, get("/page")).body == b"hello"


def test_pages_for_errors(ending):
    """A page of the operator's takes the place of an origin's error, whether that is kept or not."""
    server = ending(lambda asked: answer(b"its own", "404 Not Found", FRESH if asked.target == "/kept" else ""),
                    more="error_page 404 /sorry.html; route /sorry.html { files; }")
    (server.dir / "sorry.html").write_text("sorry")
    for target, asked in (("/kept", 1), ("/not", 3)):
        for _ in range(3):
            a = ask(server, get(target))
            assert (a.status, a.body) == (404, b"sorry"), a
        assert count(server, target) == asked


def test_an_error_page_that_comes_from_the_cache(ending):
    """The page for errors is a page of the cache itself."""
    server = ending(lambda asked: answer(b"sorry", fields=FRESH) if asked.target == "/sorry" else
                    answer(b"its own", "500 Internal Server Error"), more="error_page 500 /sorry;")
    for _ in range(3):
        a = ask(server, get("/"))
        assert (a.status, a.body) == (500, b"sorry"), a
    assert ask(server, get("/sorry")).status == 200


def test_a_reader_that_comes_when_a_flow_begins(ending):
    """Bytes that were thrown away are nobody's answer: who comes while a page turns out to be too large reads all of it, or
    is fetched one of his own."""
    def script(peer):
        while True:
            begin(peer)
            for n in range(96):
                peer.send(b"8000\r\n" + bytes([n]) * 0x8000 + b"\r\n")
            peer.send(b"0\r\n\r\n")

    whole = b"".join(bytes([n]) * 0x8000 for n in range(96))
    server = ending(script=script, rules="object 1m;")
    bodies = []

    def reader():
        for _ in range(10):
            bodies.append(ask(server, get("/")).body == whole)

    threads = [threading.Thread(target=reader) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(bodies) == 80 and all(bodies)


def test_status_of_who_was_answered_late(ending):
    """Where others take too long a stale page is better than none."""
    gate = Gate(lambda asked: answer(str(len(server.origin.asked)), fields="Cache-Control: max-age=1, must-revalidate\r\n"))
    gate.open.set()
    server = ending(gate, rules="wait 300ms;")
    assert ask(server, get("/")).body == b"1"
    time.sleep(2.1)
    gate.open.clear()
    with Wire(server) as first, Wire(server) as second:
        first.send(get("/"))
        server.origin.wait_asked(2)
        second.send(get("/"))
        server.origin.wait_asked(3)
        gate.open.set()
        assert {first.answer().body, second.answer().body} == {b"3"}
    assert status(ask(server, get("/")))["hit"]
