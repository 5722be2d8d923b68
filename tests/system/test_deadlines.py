"""Deadlines: each ends what it has to, when it has to, and the log names it. They are short here, waits are not."""

import contextlib
import threading
import time

import pytest
from conftest import wait_for
from wire import Wire, get

CONF = """
loops 1;
listen 127.0.0.1:{port};
access_log {dir}/access.log line;
log_format line "$method $status $end";
error_log {dir}/error.log;
limits { LIMITS }
site * {
    root {dir}/www;
    route /echo { echo; }
    route /text { respond 200 "hello\\n"; }
    route *     { files; }
}
"""
# All that a test does not set can't strike in it.
FAR = {f"{name}_timeout": "1h" for name in ("header", "body", "idle", "send", "linger")} | {"min_rate": "0"}
POST = b"POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: 10\r\n\r\n"


@pytest.fixture
def limited(petrel):
    def start(**limits):
        text = " ".join(f"{name} {value};" for name, value in (FAR | limits).items())
        server = petrel(CONF.replace("LIMITS", text))
        (server.dir / "www").mkdir()
        with open(server.dir / "www/large", "wb") as f:
            f.truncate(64 << 20)
        return server
    return start


def wait_logged(server, line, count=1):
    log = server.dir / "access.log"
    wait_for(lambda: log.read_text().splitlines().count(line) >= count, f"{line} in the log", 20)


@contextlib.contextmanager
def takes(least, most=10.0):
    """The time until a deadline strikes: not too early (petrel's clock counts whole milliseconds), and not unboundedly
    late on a busy machine."""
    begun = time.monotonic()
    yield
    assert least - 0.002 <= time.monotonic() - begun <= most


def test_head(limited):
    server = limited(header_timeout="200ms")
    for part in b"G", b"GET / HTTP/1.1\r\n", get("/")[:-1], b"\r\n":
        with Wire(server) as w, takes(0.2):
            answer = w.ask(part)
            assert (answer.status, answer["connection"]) == (408, "close")
            assert b"did not arrive in time" in answer.body
            w.sock.shutdown(1)
            w.assert_closed()
    wait_logged(server, "- 408 header_timeout", 4)


def test_a_head_that_drips(limited):
    """The deadline is for the whole head: bytes on the way don't move it."""
    server = limited(header_timeout="300ms")
    with Wire(server) as w, takes(0.3):
        w.sock.settimeout(0.02)
        while b"\r\n\r\n" not in w.left:
            w.send(b"G")
            with contextlib.suppress(TimeoutError):
                w.more()
        w.sock.settimeout(10)
        assert w.answer().status == 408


def test_the_head_after_another(limited):
    server = limited(header_timeout="200ms")
    with Wire(server) as w:
        w.send(get("/text") + b"GET /te")
        assert w.answer().status == 200
        assert w.answer().status == 408


def test_idle(limited):
    server = limited(idle_timeout="200ms")
    with Wire(server) as fresh, Wire(server) as used:
        with takes(0.2):
            used.assert_open()
            used.assert_closed()
        fresh.assert_closed()
    # What is in a request is not idle.
    with Wire(server) as w:
        w.send(POST)
        time.sleep(0.5)
        w.send(b"0123456789")
        assert w.answer().status == 200


def test_body(limited):
    server = limited(body_timeout="200ms")
    for part in b"", b"012":
        with Wire(server) as w, takes(0.2):
            answer = w.ask(POST + part)
            assert (answer.status, answer["connection"]) == (408, "close")
            w.sock.shutdown(1)
            w.assert_closed()
    wait_logged(server, "POST 408 body_timeout", 2)
    # Each piece has the whole time again.
    with Wire(server) as w, takes(0.5):
        w.send(POST)
        for byte in b"0123456789":
            time.sleep(0.05)
            w.send(bytes([byte]))
        assert w.answer().status == 200
        w.assert_open()


def test_a_body_that_nobody_reads(limited):
    server = limited(body_timeout="200ms")
    with Wire(server) as w:
        assert w.ask(POST.replace(b"/echo", b"/text") + b"0").status == 200
        with takes(0.1):
            w.assert_closed()


def test_send(limited):
    server = limited(send_timeout="200ms")
    with Wire(server, receive_buffer=4096) as w:
        w.send(get("/large"))
        wait_logged(server, "GET 200 send_timeout")
        assert len(w.rest()) < 64 << 20


def test_send_to_a_client_that_only_talks(limited):
    """Bytes that it sends are none that it takes."""
    server = limited(send_timeout="300ms")
    with Wire(server, receive_buffer=4096) as w, takes(0.3, 5):
        w.send(get("/large"))
        with pytest.raises((BrokenPipeError, ConnectionResetError)):
            while True:
                w.send(b"G")
                time.sleep(0.02)
    wait_logged(server, "GET 200 send_timeout")


def test_a_slow_reader_is_not_silent(limited):
    """It takes bytes all the time, but from a buffer that holds more than it takes within the deadline."""
    server = limited(send_timeout="200ms")
    with Wire(server, receive_buffer=4096) as w:
        w.send(get("/large"))
        w.head()
        until = time.monotonic() + 1.5
        while time.monotonic() < until:
            w.left = b""
            assert w.more(2000)
            time.sleep(0.01)
    wait_logged(server, "GET 200 client")


def test_linger(limited):
    server = limited(linger_timeout="200ms")
    with Wire(server) as w, takes(0.2):
        assert w.ask(b"nonsense\r\n\r\n").status == 400
        with pytest.raises((BrokenPipeError, ConnectionResetError)):
            while True:
                w.send(b"more")
                time.sleep(0.01)


def drip_in(server, done):
    with Wire(server, timeout=40) as w:
        w.send(POST.replace(b"10", b"100000"))
        w.sock.settimeout(0.2)
        while b"\r\n\r\n" not in w.left:
            w.send(b"x" * 20)
            with contextlib.suppress(TimeoutError):
                w.more()
        w.sock.settimeout(10)
        done.append(("in", w.answer().status))


def drip_out(server, done):
    with Wire(server, timeout=40, receive_buffer=4096) as w:
        w.send(get("/large"))
        got = 0
        try:
            while w.more(200):
                got += len(w.left)
                w.left = b""
                time.sleep(0.05)
        except ConnectionResetError:
            pass
        done.append(("out", got < 64 << 20))


def slow_out(server, done):
    """Twice as fast as it has to be, which is still nothing beside the socket's buffer."""
    with Wire(server, timeout=40, receive_buffer=4096) as w:
        w.send(get("/large"))
        until = time.monotonic() + 13
        while time.monotonic() < until and w.more(1000):
            w.left = b""
            time.sleep(0.04)
        done.append(("slow", time.monotonic() >= until))


def fast_enough(server, done):
    with Wire(server, timeout=40) as w:
        w.send(POST.replace(b"10", b"260000"))
        for _ in range(130):
            time.sleep(0.1)
            w.send(b"x" * 2000)
        done.append(("fast", w.answer().status))


def test_least_rate(limited):
    """All at the same time, since the rate is taken over ten seconds."""
    server = limited(min_rate="10k")
    done = []
    threads = [threading.Thread(target=f, args=(server, done)) for f in (drip_in, drip_out, slow_out, fast_enough)]
    for t in threads:
        t.start()
    for t in threads:
        t.join(60)
    assert sorted(done) == [("fast", 200), ("in", 408), ("out", True), ("slow", True)]
    wait_logged(server, "POST 408 min_rate")
    wait_logged(server, "GET 200 min_rate")


def test_limits_of_a_site(petrel):
    """A site's own limits hold once the head has said which site it is."""
    server = petrel("""
        listen 127.0.0.1:{port};
        limits { body_timeout 1h; }
        site hasty { limits { body_timeout 100ms; } route * { echo; } }
        site *     { route * { echo; } }
    """)
    with Wire(server) as patient, Wire(server) as hasty:
        patient.send(POST)
        assert hasty.ask(POST.replace(b": a", b": hasty")).status == 408
        patient.send(b"0123456789")
        assert patient.answer().status == 200
