"""A relay before a real server, which begins to lie about it at a given moment: on connections that there are, and on all
that come."""
import os
import re
import selectors
import socket
import threading
import time

DRIP_S = 1.0


class Pair:
    """A client's connection and the one to the server, which takes what it gets."""

    def __init__(self, client, server):
        self.client, self.server = client, server
        self.drips = b""

    def close(self):
        self.client.close()
        self.server.close()


# --- Ways to lie: what the client gets in place of these bytes; None: the end. ---


def silent(_, data):
    return b""


def drips(pair, data):
    pair.drips += data
    return b""


def garbage(_, data):
    return b"\x00\xff\x17 what?\r\n"


def wrong_opaque(_, data):
    return re.sub(rb" O\d+", b" O1", data)


def cuts(pair, data):
    pair.client.sendall(data[:len(data) // 2])
    return None


def refuses(_, data):
    """Answers with an empty value have an empty line behind them."""
    return b"SERVER_ERROR out of memory storing object\r\n" * len([line for line in data.split(b"\r\n") if line])


WAYS = {"accepts and stays silent": silent, "one byte a second": drips, "garbage": garbage, "wrong opaque": wrong_opaque,
        "half an answer, then FIN": cuts, "SERVER_ERROR": refuses}


class Relay:
    """In a thread of its own, on the load's core."""

    def __init__(self, stage, port, way):
        self.stage, self.to, self.way = stage, ("127.0.0.1", port), WAYS[way]
        self.lies = False
        self.over = False
        self.poll = selectors.DefaultSelector()
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.where = "127.0.0.1:%d" % self.listener.getsockname()[1]
        self.pairs = {}
        self.thread = threading.Thread(target=self.run)

    def fault(self):
        self.lies = True

    def run(self):
        os.sched_setaffinity(0, {self.stage.load_core})
        self.poll.register(self.listener, selectors.EVENT_READ)
        next_drip = time.monotonic()
        while not self.over:
            for key, _ in self.poll.select(0.05):
                if key.fileobj is self.listener:
                    self.accept()
                else:
                    self.hear(key.fileobj, key.data)
            if time.monotonic() >= next_drip:
                next_drip = time.monotonic() + DRIP_S
                self.drip()
        for pair in set(self.pairs.values()):
            pair.close()
        self.listener.close()

    def accept(self):
        pair = Pair(self.listener.accept()[0], socket.create_connection(self.to))
        for sock in (pair.client, pair.server):
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            self.poll.register(sock, selectors.EVENT_READ, pair)
            self.pairs[sock] = pair

    def hear(self, sock, pair):
        if sock not in self.pairs:
            return
        try:
            data = sock.recv(1 << 16)
            if sock is pair.server and data and self.lies:
                data = self.way(pair, data)
            elif not data:
                data = None
            if data is not None:
                (pair.server if sock is pair.client else pair.client).sendall(data)
        except OSError:
            data = None
        if data is None:
            self.drop(pair)

    def drop(self, pair):
        for sock in (pair.client, pair.server):
            self.poll.unregister(sock)
            del self.pairs[sock]
        pair.close()

    def drip(self):
        for pair in set(self.pairs.values()):
            if pair.drips:
                byte, pair.drips = pair.drips[:1], pair.drips[1:]
                pair.client.send(byte)

    def __enter__(self):
        self.thread.start()
        return self

    def __exit__(self, *_):
        self.over = True
        self.thread.join()
