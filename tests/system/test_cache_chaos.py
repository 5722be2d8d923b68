"""All at once: pages, slices, disk and memcached, an origin in every mood, clients that purge, ask for parts, are slow or
leave, and reloads that take a tier away and give it back. Whatever comes, no byte of it is another page's."""

import random
import socket
import struct
import threading
import time

import pytest
from memcacheds import Memcached
from origins import answer, field, http
from wire import Wire, get

pytestmark = pytest.mark.threads

CONF = """
loops 2;
listen 127.0.0.1:{port};
error_log {dir}/error.log;
limits { connections 0; min_rate 0; }
memcached shared { server ONE; server TWO; }
cache pages {
    memory 4m; object 2m; fills 8; wait 300ms; variants 4; stale revalidate 2s error 5s; disk {dir}/pages 64m; SHARED
    purge_from 127.0.0.1;
}
cache slices { memory 4m; slice 64k; object 1m; fills 4; disk {dir}/slices 64m; }
site * {
    compress on;
    route /s/* { cache slices; proxy http://ADDRESS; }
    route * { cache pages; proxy http://ADDRESS; }
}
"""
SIZES = [10, 3000, 70000, 300000, 1500000, 3000000]
PAGES, CLIENTS, SECONDS = 60, 12, 8
FIELDS = ["", "", "", "Cache-Control: no-cache\r\n", "X-A: 1\r\n", "X-A: 2\r\n", "Cache-Control: only-if-cached\r\n",
          "Cookie: a=b\r\n", "Authorization: x\r\n"]
STATUSES = {200, 206, 304, 416, 500, 502, 503, 504}


def page(target):
    """What stands there, whoever asks."""
    line = f"{target}-".encode()
    size = SIZES[int(target.rsplit("/", 1)[1]) % len(SIZES)]
    return (line * (size // len(line) + 1))[:size]


def part(asked, body, fields):
    first, last = (int(n) for n in field(asked, "range")[len("bytes="):].split("-"))
    if first >= len(body):
        return answer(b"", "416 Range Not Satisfiable", f"Content-Range: bytes */{len(body)}\r\n")
    some = body[first:last + 1]
    return answer(some, "206 Partial Content", fields + f"Content-Range: bytes {first}-{first + len(some) - 1}/{len(body)}\r\n")


def chunked(body, fields):
    pieces = (body[i:i + 50000] for i in range(0, len(body), 50000))
    head = f"HTTP/1.1 200 OK\r\n{fields}Transfer-Encoding: chunked\r\n\r\n".encode()
    return head + b"".join(b"%x\r\n%s\r\n" % (len(piece), piece) for piece in pieces) + b"0\r\n\r\n"


def reply(asked):
    """Mostly well, at times slow, ill, private, or without a length."""
    mood = random.random()
    if asked.method != "GET":
        return answer("done")
    time.sleep(random.choice([0, 0, 0, 0, 0.001, 0.05, 0.3]))
    if mood < 0.05:
        return answer("ill", "500 Oops" if mood < 0.03 else "503 Busy")
    if mood < 0.08:
        return answer("mine", fields="Cache-Control: private\r\n")
    number = int(asked.target.rsplit("/", 1)[1])
    fields = f'ETag: "{number}"\r\nCache-Control: max-age={random.choice([0, 1, 1, 2, 60])}\r\nContent-Type: text/plain\r\n'
    fields += "Vary: X-A\r\n" if number % 5 == 1 else ""
    fields += f"Surrogate-Key: t{number % 3} all\r\n" if number % 7 == 1 else ""
    if field(asked, "if-none-match") == f'"{number}"':
        return answer(b"", "304 Not Modified", fields)
    body = page(asked.target)
    if field(asked, "range") and asked.target.startswith("/s/"):
        return part(asked, body, fields)
    return chunked(body, fields) if mood > 0.9 else answer(body, fields=fields)


class Client(threading.Thread):
    def __init__(self, server, number):
        super().__init__()
        self.server, self.random = server, random.Random(number)
        self.over, self.wrong, self.right = False, [], 0

    def run(self):
        while not self.over:
            try:
                with Wire(self.server, timeout=30) as wire:
                    while not self.over and self.one(wire):
                        pass
            except (OSError, AssertionError):
                pass  # it could not be made whole, and can be seen not to be

    def one(self, wire):
        """A request; False: that was the connection's last."""
        target = f"/{self.random.choice('ppps')}/{self.random.randrange(PAGES)}"
        mood, fields, start = self.random.random(), self.random.choice(FIELDS), None
        if mood < 0.03:
            return wire.ask(get(target, method="POST"))
        if mood < 0.05:
            return wire.ask(get(target, self.random.choice(["", "Soft-Purge: 1\r\n", "Surrogate-Key: t1\r\n"]), "PURGE"))
        if mood < 0.1:
            return wire.ask(get(target, fields, "HEAD"))
        if mood < 0.3:
            start = self.random.randrange(len(page(target)))
            fields += f"Range: bytes={start}-{start + 99999}\r\n"
        wire.send(get(target, fields))
        if self.random.random() < 0.15:
            self.leave(wire)
            return False
        self.look(target, start, wire.answer())
        return True

    def leave(self, wire):
        if self.random.random() < 0.5:
            wire.sock.recv(self.random.randrange(1, 5000))
        if self.random.random() < 0.5:
            wire.sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))

    def look(self, target, start, got):
        whole = page(target)
        fine = got.status in STATUSES
        if got.status == 200:
            fine = got.body in (whole, b"mine")
        elif got.status == 206:
            fine = got.body == whole[start:start + 100000]
        self.right += fine and got.status < 300
        if not fine:
            self.wrong.append((target, start, got))


@pytest.fixture
def memcacheds():
    both = [Memcached(), Memcached()]
    yield both
    for one in both:
        one.end()


def test_all_at_once(petrel, origin, memcacheds):
    one = origin(http(reply))
    conf = CONF.replace("ADDRESS", one.address).replace("ONE", memcacheds[0].address).replace("TWO", memcacheds[1].address)
    confs = [conf.replace("SHARED", "memcached shared;"), conf.replace("SHARED", "").replace("memory 4m", "memory 2m")]
    server = petrel(confs[0])
    clients = [Client(server, n) for n in range(CLIENTS)]
    for client in clients:
        client.start()
    try:
        for n in range(SECONDS):
            time.sleep(1)
            if n % 2:
                server.reload(confs[n // 2 % 2])
            if n == SECONDS // 2:
                memcacheds[0].restart()
    finally:
        for client in clients:
            client.over = True
        for client in clients:
            client.join()
    assert not sum((client.wrong for client in clients), [])
    assert sum(client.right for client in clients) > 20
