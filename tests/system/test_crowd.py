"""Ten thousand clients that vanish at one moment, each wherever it happens to be: nothing is left of them, and nobody else
notices."""

import json
import os
import pathlib
import resource
import select
import socket
import struct
import threading

import pytest
from conftest import SLOW, wait_for
from origins import answer
from test_operator import admin
from wire import Wire, ask, get

pytestmark = pytest.mark.threads

SLOTS_OF = 5       # of each five clients: two hold a slot of the pool, one waits for one, two have not asked yet
ROUNDS = 15        # the first ones find out how much memory is needed at once; with a leak each needs more than all before
CONF = """
loops 2;
listen 127.0.0.1:{port};
admin unix:{dir}/admin.sock;
error_log {dir}/error.log;
limits { connections 0; min_rate 0; header_timeout 60s; idle_timeout 60s; }
pool slow  { server SLOW connections SLOTS; retry 0; eject 0; queue 20000 timeout 60s; timeout answer 60s read 60s; }
pool other { server OTHER; }
site * {
    route /other { proxy other; }
    route *      { proxy slow; }
}
"""


class Slow:
    """An origin that begins an answer to /part and none to others, and goes on with neither: thousands of connections, one
    thread."""

    BEGIN = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n"

    def __init__(self):
        self.listener = socket.create_server(("127.0.0.1", 0), backlog=4096)
        self.address = "127.0.0.1:%d" % self.listener.getsockname()[1]
        self.poll = select.epoll()
        self.peers = {}
        self.asked = 0
        self.thread = threading.Thread(target=self.run)
        self.poll.register(self.listener, select.EPOLLIN)
        self.thread.start()

    def run(self):
        while True:
            for fd, _ in self.poll.poll():
                if fd == self.listener.fileno():
                    try:
                        sock, _ = self.listener.accept()
                    except OSError:
                        return
                    self.peers[sock.fileno()] = sock
                    self.poll.register(sock, select.EPOLLIN)
                else:
                    self.hear(fd)

    def hear(self, fd):
        try:
            got = self.peers[fd].recv(65536)
        except ConnectionResetError:
            got = b""
        if not got:
            self.poll.unregister(fd)
            self.peers.pop(fd).close()
            return
        assert got.endswith(b"\r\n\r\n"), got      # requests are small and come whole
        self.asked += 1
        if got.startswith(b"GET /part"):
            self.peers[fd].sendall(self.BEGIN)
        elif got.startswith(b"GET /quick"):
            self.peers[fd].sendall(answer("quick"))

    def close(self):
        self.listener.shutdown(socket.SHUT_RDWR)
        self.thread.join()
        self.listener.close()
        for sock in self.peers.values():
            sock.close()
        self.poll.close()


@pytest.fixture
def slow():
    one = Slow()
    yield one
    one.close()


@pytest.fixture
def many():
    """How many clients there may be: they and petrel's connections to the origin end in this process, too."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    room = (hard - 500) * SLOTS_OF // (SLOTS_OF + 2)
    yield min(10000, room) // SLOTS_OF * SLOTS_OF
    resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


def descriptors(pid):
    return len(os.listdir(f"/proc/{pid}/fd"))


def memory_kb(pid):
    for line in pathlib.Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines():
        if line.startswith("Private_Dirty"):
            return int(line.split()[1])
    return 0


def pool(server):
    pools = json.loads(admin(server, "GET", "/pools")[1])["pools"]
    one = next(p for p in pools if p["name"] == "slow")
    return one["servers"][0]["busy"], one["queue"]["waiting"]


def connect(server, count, data):
    """Sockets alone: ten thousand of anything larger take their time."""
    out = []
    for _ in range(count):
        s = socket.create_connection(("127.0.0.1", server.port), timeout=20)
        if data:
            s.sendall(data)
        out.append(s)
    return out


def vanish(socks):
    """Every second one with a RST."""
    for n, s in enumerate(socks):
        if n % 2:
            s.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        s.close()


def crowd(server, slow, each):
    """One of each stage, times `each`."""
    asked = slow.asked
    parts = connect(server, each, get("/part"))
    waiting = connect(server, each, get("/wait"))
    wait_for(lambda: slow.asked - asked == 2 * each, "the slots to be taken", 20)
    queued = connect(server, each, get("/part"))
    idle, halves = connect(server, each, b""), connect(server, each, b"GET /part HTTP/1.1\r\nHos")
    for s in parts:
        assert s.recv(100).startswith(b"HTTP/1.1 200 OK\r\n")
    wait_for(lambda: pool(server) == (2 * each, each), "the pool to be full, and its queue long", 20)
    # Side by side, so that no stage is done with before the next begins.
    return [s for stage in zip(parts, idle, waiting, halves, queued) for s in stage]


def test_ten_thousand_clients_vanish_at_once(petrel, origin, slow, many):
    def in_two_halves(peer):
        while True:
            peer.head()
            peer.send(b"HTTP/1.1 200 OK\r\nContent-Length: 100000\r\n\r\n" + b"1" * 50000)
            begun.release()
            assert go_on.acquire(timeout=60)
            peer.send(b"2" * 50000)

    def rest():
        """All is as it was before."""
        wait_for(lambda: pool(server) == (0, 0), "the slots to be free", 20)
        wait_for(lambda: not slow.peers, "every connection to the origin to end", 20)
        wait_for(lambda: descriptors(worker) <= before + 1, f"{before} descriptors", 20)    # of the admin socket
        return memory_kb(worker)

    begun, go_on = threading.Semaphore(0), threading.Semaphore(0)
    other = origin(in_two_halves)
    each = many // SLOTS_OF
    server = petrel(CONF.replace("SLOW", slow.address).replace("OTHER", other.address).replace("SLOTS", str(2 * each)))
    worker = server.wait_worker()
    with Wire(server, timeout=60) as w:
        grown = [0]
        for n in range(ROUNDS):
            w.send(get("/other"))
            assert begun.acquire(timeout=20)
            if not n:
                before = descriptors(worker)
            vanish(crowd(server, slow, each))
            go_on.release()
            a = w.answer()
            assert a.status == 200 and a.body == b"1" * 50000 + b"2" * 50000
            grown.append(rest())
            if grown[-1] < max(grown[:-1]) + 50 or SLOW:
                break
    assert SLOW or n < ROUNDS - 1, f"{grown} KB"
    assert ask(server, get("/quick")).body == b"quick"
    children = pathlib.Path(f"/proc/{worker}/task/{worker}/children").read_text().split()
    assert not children and server.wait_worker() == worker
