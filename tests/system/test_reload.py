"""SIGHUP: a new configuration takes effect whole, or not at all."""

import http.client
import os
import pathlib
import re
import signal
import socket
import time

import pytest
from conftest import SLOW, free_port, stop, wait_for

pytestmark = pytest.mark.threads

CONF = """
loops 2;
listen 127.0.0.1:{port};
site * { route * { respond 200 "one"; } }
"""


def body(server):
    return server.request().body


def test_a_reload_takes_effect_and_keeps_connections(petrel):
    server = petrel(CONF)
    worker = server.wait_worker()
    kept = http.client.HTTPConnection("127.0.0.1", server.port, timeout=5)
    kept.request("GET", "/")
    assert kept.getresponse().read() == b"one"
    socket_before = kept.sock
    server.reload(CONF.replace("one", "two"))
    assert body(server) == b"two"
    kept.request("GET", "/")
    assert kept.getresponse().read() == b"two"
    assert kept.sock is socket_before
    assert server.worker == worker


@pytest.mark.parametrize("broken, said", [
    ("bogus on;", r"petrel\.conf:2:1: error"),
    ("listen 127.0.0.1:99999;", r"petrel\.conf:2:8: error"),
    ("listen 192.0.2.1:80;", r"192\.0\.2\.1:80 is no address of this machine"),
    ("listen unix:/nowhere/at/all.sock;", r"unix:/nowhere/at/all\.sock can't be made"),
    ("include nowhere.conf;", r"petrel\.conf:2:9: error"),
])
def test_an_error_leaves_all_as_it_was(petrel, broken, said):
    server = petrel(CONF)
    worker = server.wait_worker()
    server.reload(f"\n{broken}" + CONF.replace("one", "two"), works=False)
    assert re.search(said, server.stderr)
    assert body(server) == b"one"
    # What a restart gets is what was in effect, not what the file says now.
    os.kill(worker, signal.SIGKILL)
    server.wait_worker(other_than=worker)
    assert body(server) == b"one"
    server.reload(CONF.replace("one", "three"))
    assert body(server) == b"three"


def test_an_error_is_told_in_the_log(petrel):
    server = petrel(CONF + "error_log {dir}/error.log;\n")
    server.reload("bogus;\n" + CONF, works=False)
    log = (server.dir / "error.log").read_text()
    assert "petrel.conf:1:1: error" in log and "not reloaded" in log


def connects(port):
    try:
        socket.create_connection(("127.0.0.1", port), timeout=2).close()
        return True
    except ConnectionRefusedError:
        return False


def test_listeners_come_and_go(petrel):
    server = petrel(CONF)
    other = free_port()
    both = CONF + f"listen 127.0.0.1:{other};\nlisten unix:{{dir}}/sock mode 0600;\n"
    sock = server.dir / "sock"
    assert not connects(other)
    server.reload(both)
    assert connects(other)
    assert sock.is_socket() and sock.stat().st_mode & 0o777 == 0o600
    server.reload(both.replace("0600", "0666"))
    assert sock.stat().st_mode & 0o777 == 0o666
    server.reload(CONF)
    assert not connects(other)
    assert not sock.exists()
    assert body(server) == b"one"


def test_a_failed_reload_leaves_no_socket(petrel):
    server = petrel(CONF)
    server.reload(CONF + "listen unix:{dir}/sock;\nlisten 192.0.2.1:80;\n", works=False)
    assert not (server.dir / "sock").exists()


def test_from_one_address_to_all_and_back(petrel):
    """Old and new sockets are in each other's way, and still nothing is refused in between."""
    server = petrel(CONF)
    everywhere = CONF.replace("127.0.0.1:{port}", "*:{port}")
    for conf in everywhere, CONF, CONF.replace(";\nsite", " reuseport;\nsite"), CONF, everywhere:
        server.reload(conf)
        for _ in range(10):
            assert body(server) == b"one"


def test_the_same_address_twice_is_refused(petrel):
    server = petrel(CONF)
    server.reload(CONF + "listen 127.0.0.1:{port};\n", works=False)
    assert body(server) == b"one"


def test_many_signals_become_few_reloads(petrel):
    server = petrel(CONF)
    server.write_conf(CONF.replace("one", "two"))
    for _ in range(200):
        server.signal(signal.SIGHUP)
    wait_for(lambda: body(server) == b"two", "the new configuration")
    server.reload(CONF.replace("one", "three"))
    wait_for(lambda: body(server) == b"three", "the newest configuration")


def memory_kb(pid):
    text = pathlib.Path(f"/proc/{pid}/smaps_rollup").read_text()
    return int(re.search(r"^Pss_Dirty:\s+(\d+)|^Private_Dirty:\s+(\d+)", text, re.M)[1] or 0)


def test_reloads_leak_nothing(petrel):
    server = petrel(CONF + "listen unix:{dir}/sock;\nerror_log {dir}/error.log;\n")
    processes = server.pid, server.wait_worker()

    def many(count):
        for i in range(count):
            server.reload(None)

    def state():
        return [len(os.listdir(f"/proc/{pid}/fd")) for pid in processes]

    many(30)
    files, memory = state(), [memory_kb(pid) for pid in processes]
    begun = time.monotonic()
    many(100 if SLOW else 500)
    if not SLOW:
        assert time.monotonic() - begun < 60
        for pid, before in zip(processes, memory):
            assert memory_kb(pid) < before * 1.02 + 300
    # What the last reload replaced goes when the loops have let go of it.
    wait_for(lambda: state() == files, "as many descriptors as before")
    assert body(server) == b"one"


def test_a_worker_that_dies_during_a_reload(petrel):
    server = petrel(CONF)
    worker = server.wait_worker()
    stop(worker)
    server.write_conf(CONF.replace("one", "two"))
    server.signal(signal.SIGHUP)
    server.wait_notified("RELOADING=1")
    os.kill(worker, signal.SIGKILL)
    server.wait_worker(other_than=worker)
    server.wait_said("the worker died while it took the new configuration")
    assert body(server) == b"one"
    server.reload()
    assert body(server) == b"two"


def test_reload_before_a_slowed_start(petrel):
    """Whoever mends the configuration of a worker that keeps dying need not wait for the next start."""
    server = petrel(CONF)
    for _ in range(6):
        old = server.wait_worker()
        os.kill(old, signal.SIGKILL)
        server.wait_worker(other_than=old)
    os.kill(server.wait_worker(), signal.SIGKILL)
    server.wait_said("the next one starts in 3200 ms")
    begun = time.monotonic()
    server.reload(CONF.replace("one", "two"))
    assert body(server) == b"two"
    assert time.monotonic() - begun < 2
