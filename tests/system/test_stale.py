"""Connections to servers that were kept, and that the server has given up meanwhile."""

import socket
import threading

import pytest

from wire import ask, get

pytestmark = pytest.mark.threads

CONF = """
listen 127.0.0.1:{port};
pool app { server 127.0.0.1:%d; %s }
site * { route * { proxy app; } }
"""
KEPT = 6


class Forgetful:
    """Answers the first request of each connection, all of the first KEPT at once; a second one gets nothing but the end."""

    def __init__(self):
        self.socket = socket.create_server(("127.0.0.1", 0))
        self.port = self.socket.getsockname()[1]
        self.together = threading.Barrier(KEPT)
        self.count = 0
        threading.Thread(target=self.accept, daemon=True).start()

    def accept(self):
        while True:
            try:
                client, _ = self.socket.accept()
            except OSError:
                return
            self.count += 1
            threading.Thread(target=self.serve, args=(client, self.count <= KEPT), daemon=True).start()

    def serve(self, client, one_of_the_first):
        with client:
            client.recv(65536)
            if one_of_the_first:
                self.together.wait(10)
            client.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")
            client.recv(65536)


@pytest.fixture
def forgetful():
    server = Forgetful()
    yield server
    server.socket.close()


def fill(server):
    """So that KEPT connections are idle."""
    threads = [threading.Thread(target=ask, args=(server, get())) for _ in range(KEPT)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


@pytest.mark.parametrize("retry", ["", "retry 0;"])
def test_many_stale_connections_fail_no_request(petrel, forgetful, retry):
    server = petrel(CONF % (forgetful.port, retry))
    fill(server)
    assert ask(server, get()).status == 200
    assert forgetful.count == KEPT + 1
