"""Connections to servers that were kept, and that the server has given up meanwhile."""

import threading

import pytest

from origins import answer
from wire import ask, get

pytestmark = pytest.mark.threads

CONF = """
listen 127.0.0.1:{port};
pool app { server %s; %s }
site * { route * { proxy app; } }
"""
KEPT = 6


@pytest.fixture
def forgetful(origin):
    """Answers the first request of each connection, all of the first KEPT at once; a second one gets nothing but the end."""
    together = threading.Barrier(KEPT)

    def script(peer):
        peer.head()
        if peer.number < KEPT:
            together.wait(10)
        peer.send(answer("ok"))
        peer.more()
    return origin(script)


def fill(server):
    """So that KEPT connections are idle."""
    threads = [threading.Thread(target=ask, args=(server, get())) for _ in range(KEPT)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


@pytest.mark.parametrize("retry", ["", "retry 0;"])
def test_many_stale_connections_fail_no_request(petrel, forgetful, retry):
    server = petrel(CONF % (forgetful.address, retry))
    fill(server)
    assert ask(server, get()).status == 200
    assert len(forgetful.peers) == KEPT + 1
