"""What goes wrong outside: clients that vanish, descriptors that run out, files that change while they are sent."""

import os
import pathlib
import resource
import socket
import struct
import threading
import time

import pytest
from conftest import SLOW, wait_for
from wire import Wire, ask, get

pytestmark = pytest.mark.threads

CONF = """
loops 1;
listen 127.0.0.1:{port};
hot { recheck 20ms; }
access_log {dir}/access.log line;
log_format line "$path $status $body_bytes $end";
error_log {dir}/error.log;
limits { connections 0; min_rate 0; linger_timeout 200ms; }
site * {
    root {dir}/www;
    route /echo  { echo; }
    route /list/ { files { listing on; } }
    route *      { files; }
}
"""
MB = 1 << 20


def pattern(n, size):
    """Bytes of which each eight tell whose they are and where they belong."""
    return b"".join(struct.pack("<II", n, i) for i in range(size // 8))


@pytest.fixture
def served(petrel):
    server = petrel(CONF)
    www = server.dir / "www"
    (www / "list").mkdir(parents=True)
    for i in range(50):
        (www / f"list/{i}").write_text("x")
    (www / "small").write_text("small")
    (www / "large").write_bytes(pattern(7, 16 * MB))
    return server


def descriptors(pid):
    return len(os.listdir(f"/proc/{pid}/fd"))


def memory_kb(pid):
    for line in pathlib.Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines():
        if line.startswith("Private_Dirty"):
            return int(line.split()[1])
    return 0


def reset(w):
    """Closed so that the server gets a RST."""
    w.sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    w.sock.close()


POST = b"POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: 1000\r\n\r\n"
STAGES = [
    (b"", 0),
    (b"G", 0),
    (b"GET / HTTP/1.1\r\nHost", 0),
    (get("/small"), 0),
    (get("/small"), 1),
    (get("/small") * 50, 1),
    (get("/large"), 0),
    (get("/large"), 1),
    (get("/large"), 300000),
    (get("/large", "Range: bytes=5-1000000,2000000-\r\n"), 100),
    (get("/list/"), 0),
    (get("/nothing"), 0),
    (POST, 0),
    (POST + b"x" * 500, 0),
    (POST.replace(b"Content-Length: 1000", b"Transfer-Encoding: chunked") + b"5\r\nab", 0),
    (POST.replace(b"\r\n\r\n", b"\r\nExpect: 100-continue\r\n\r\n"), 1),
    (b"nonsense\r\n\r\n", 0),
    (b"nonsense\r\n\r\n" + b"x" * 100000, 1),
]


def test_clients_that_vanish(served):
    worker = served.wait_worker()

    def once():
        for request, answer_b in STAGES:
            for end in reset, lambda w: w.sock.close():
                w = Wire(served, receive_buffer=8192)
                w.send(request)
                while answer_b > len(w.left) and w.more():
                    pass
                end(w)

    def idle():
        with Wire(served) as w:
            w.assert_open()
            return descriptors(worker)

    for _ in range(5):
        once()
    wait_for(lambda: ask(served, get("/small")).status == 200, "an answer")
    time.sleep(0.3)  # past linger_timeout
    files, memory = idle(), memory_kb(worker)
    for _ in range(10 if SLOW else 60):
        once()
    wait_for(lambda: idle() <= files, "the descriptors to be closed")
    if not SLOW:
        assert memory_kb(worker) < memory + 1000
    assert served.wait_worker() == worker


# --- Descriptors. ---

def test_descriptors_run_out(petrel):
    """Accepting pauses, who is in is served, and afterwards everyone is."""
    most = 100
    server = petrel(CONF, preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_NOFILE, (most, most)))
    (server.dir / "www").mkdir()
    (server.dir / "www/small").write_text("small")
    (server.dir / "www/large").write_bytes(pattern(1, MB))
    worker = server.wait_worker()
    wires = [Wire(server) for _ in range(most + 50)]
    first = wires[0]
    wait_for(lambda: descriptors(worker) >= most - 2, "the descriptors to run out")
    for _ in range(20):
        # What needs no descriptor goes on; a file that needs one is refused for the moment, or was open already.
        assert first.ask(get("/small")).status in (200, 503)
        assert first.ask(get("/echo")).status == 200
        assert first.ask(get("/large")).status in (200, 503)
    wires[-1].send(get("/echo"))
    for w in wires[1:-1]:
        w.sock.close()
    assert wires[-1].answer().status == 200
    wait_for(lambda: ask(server, get("/large")).body == pattern(1, MB), "files again")
    assert ask(server, get("/small")).body == b"small"
    assert server.wait_worker() == worker
    assert "descriptors" in (server.dir / "error.log").read_text() + server.stderr
    for w in wires:
        w.sock.close()


# --- Files that change while they are sent. ---

class Slow(Wire):
    """A client that has taken the head, and the answer's first bytes."""

    def __init__(self, server, target="/large"):
        super().__init__(server, receive_buffer=8192)
        self.send(get(target))
        self.size = int(self.head()["content-length"])

    def take(self, n):
        self.sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, MB)
        return super().take(n)


def logged(server, line):
    log = server.dir / "access.log"
    return wait_for(lambda: [found for found in log.read_text().splitlines() if found.startswith(line)], line)


def test_a_file_shrinks(served):
    """The length was promised: the client has to see that the answer is not whole."""
    with Slow(served) as w:
        os.truncate(served.dir / "www/large", MB)
        got = w.rest()
        assert len(got) < w.size and pattern(7, 16 * MB).startswith(got[:MB])
    assert logged(served, "/large 200 ")[0].endswith(" broken")
    wait_for(lambda: ask(served, get("/large")).body == pattern(7, MB), "the new length")


def test_a_file_grows(served):
    with Slow(served) as w:
        with open(served.dir / "www/large", "ab") as f:
            f.write(b"more")
        assert w.take(w.size) == pattern(7, 16 * MB)
        w.assert_open()
    wait_for(lambda: ask(served, get("/large")).body == pattern(7, 16 * MB) + b"more", "the new length")


def test_a_file_is_deleted(served):
    with Slow(served) as w:
        os.unlink(served.dir / "www/large")
        wait_for(lambda: ask(served, get("/large")).status == 404, "its end")
        assert w.take(w.size) == pattern(7, 16 * MB)
        w.assert_open()


def test_a_file_is_replaced(served):
    with Slow(served) as old:
        (served.dir / "www/new").write_bytes(pattern(8, 15 * MB))
        os.rename(served.dir / "www/new", served.dir / "www/large")
        wait_for(lambda: ask(served, get("/large", method="HEAD"))["content-length"] == str(15 * MB), "the new one")
        with Slow(served) as new:
            assert new.take(new.size) == pattern(8, 15 * MB)
        assert old.take(old.size) == pattern(7, 16 * MB)


def test_a_small_file_never_rests(served):
    """Written all the time, in place: each answer is as long as it says, and the server goes on."""
    path = served.dir / "www/small"
    over = threading.Event()

    def write():
        n = 0
        while not over.is_set():
            with open(path, "wb") as f:
                f.write(bytes([65 + n % 26]) * (n * 37 % 20000))
            n += 1

    writer = threading.Thread(target=write)
    writer.start()
    try:
        with Wire(served) as w:
            for _ in range(300):
                assert w.ask(get("/small")).status == 200
    finally:
        over.set()
        writer.join()
    path.write_text("rest")
    wait_for(lambda: ask(served, get("/small")).body == b"rest", "what it is now")


def test_everyone_gets_its_own_bytes(served):
    """Many slow readers of different files at once, at different speeds, some of which leave."""
    count, size = 12, 3 * MB
    for n in range(count):
        (served.dir / f"www/f{n}").write_bytes(pattern(100 + n, size))
    wires = [Slow(served, f"/f{n}") for n in range(count)]
    for _ in range(40):
        for n, w in enumerate(wires):
            if len(w.left) < size:
                w.more(1000 + 3000 * n)
    for n in 3, 5:
        reset(wires[n])
    for n, w in enumerate(wires):
        if n not in (3, 5):
            assert w.take(size) == pattern(100 + n, size)
            w.assert_open()
            w.sock.close()


def test_a_disk_that_is_no_more(served):
    """The root itself goes away, and comes back."""
    assert ask(served, get("/small")).status == 200
    os.rename(served.dir / "www", served.dir / "gone")
    wait_for(lambda: ask(served, get("/small")).status in (404, 500), "the end of it")
    os.rename(served.dir / "gone", served.dir / "www")
    wait_for(lambda: ask(served, get("/small")).body == b"small", "it to be back")
