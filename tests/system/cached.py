"""A petrel with a cache before an origin that a test scripts, and what Cache-Status says."""

import email.utils
import threading
import time

import pytest
from origins import answer, http
from wire import Wire, get

CONF = """
loops LOOPS;
listen 127.0.0.1:{port};
access_log off;
error_log {dir}/error.log;
temporary {dir};
limits { connections 0; min_rate 0; }
cache pages { memory 64m; RULES }
pool api { server ORIGIN; POOL }
site * {
    MORE
    route * { cache pages; proxy api { INNER } }
}
"""
FRESH = "Cache-Control: max-age=60\r\n"


class Gate:
    """An origin's reply that waits until it is let go."""

    def __init__(self, out=None):
        self.out = out or (lambda asked: answer(b"hello", fields=FRESH))
        self.open = threading.Event()
        self.inside = 0
        self.most = 0
        self.lock = threading.Lock()

    def __call__(self, asked):
        with self.lock:
            self.inside += 1
            self.most = max(self.most, self.inside)
        assert self.open.wait(20)
        with self.lock:
            self.inside -= 1
        return self.out(asked)


@pytest.fixture
def cached(petrel, origin):
    """cached(reply): petrel with a cache before an origin that answers with the bytes of reply(asked)."""
    def start(reply=None, rules="", inner="", more="", pool="", script=None, loops=1):
        one = origin(script or http(reply))
        conf = CONF
        for word, text in {"ORIGIN": one.address, "RULES": rules, "INNER": inner, "MORE": more, "POOL": pool,
                           "LOOPS": str(loops)}.items():
            conf = conf.replace(word, text)
        server = petrel(conf)
        server.origin = one
        return server
    return start


def date(seconds=0):
    """So many seconds from now."""
    return email.utils.formatdate(time.time() + seconds, usegmt=True)


def status(answer_):
    """Cache-Status as a dictionary: {"hit": True, "ttl": "30"}."""
    name, *params = [part.strip() for part in answer_["cache-status"].split(";")]
    assert name == "petrel"
    return {key: value or True for key, _, value in (param.partition("=") for param in params)}


def is_hit(answer_):
    return "hit" in status(answer_)


def fetch(server, target="/", fields="", method="GET"):
    with Wire(server) as w:
        return w.ask(get(target, fields, method))


def count(server, target):
    """How often the origin was asked for this."""
    return sum(asked.target == target for asked in server.origin.asked)


def numbered(fields="Cache-Control: max-age=60\r\n", status_="200 OK"):
    """Every answer of such an origin has another body."""
    made = []

    def reply(asked):
        made.append(asked)
        return answer(f"{len(made)} {asked.target}", status_, fields(asked) if callable(fields) else fields)
    return reply
