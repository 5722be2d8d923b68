"""petrel's reading of a request against that of Node's http parser: what petrel accepts means the same there.

What petrel refuses is not compared: it is stricter on purpose. Where both accept and differ, or Node refuses, the
difference stands in DIFFERENCES with the clause that says who may do so; one that stands there and is never seen is an
error, too.
"""

import json
import pathlib
import random
import re
import shutil
import subprocess

import pytest
from conftest import ROOT, SLOW, Petrel
from wire import Wire

pytestmark = pytest.mark.skipif(not shutil.which("node"), reason="nodejs is not installed")
CONF = """
loops 1;
listen 127.0.0.1:{port};
limits { header 16k; min_rate 0; }
site * { route * { echo; } }
"""
NODE_METHODS = set("""ACL BIND CHECKOUT CONNECT COPY DELETE GET HEAD LINK LOCK M-SEARCH MERGE MKACTIVITY MKCALENDAR
    MKCOL MOVE NOTIFY OPTIONS PATCH POST PROPFIND PROPPATCH PURGE PUT QUERY REBIND REPORT SEARCH SOURCE SUBSCRIBE TRACE UNBIND
    UNLINK UNLOCK UNSUBSCRIBE""".split())


def chunked(request):
    return any(name.lower() == "transfer-encoding" for name, _ in request["fields"])


# (what differs, the clause, when). `ours` is what petrel read, and `before` what it read before that on the connection;
# `theirs` is what Node read in its place, or its refusal as a text.
DIFFERENCES = [
    ("Node knows a list of methods; any token is one",
     "RFC 9110, 9.1: additional methods may be defined, and a method is a case-sensitive token",
     lambda before, ours, theirs: ours["method"] not in NODE_METHODS and theirs == "HPE_INVALID_METHOD"),
    ("Node refuses minor versions that it does not know; petrel reads them as the highest that it does",
     "RFC 9110, 2.5: a recipient should process a message of a higher minor version as if it were of the highest one "
     "of that major version that it conforms to",
     lambda before, ours, theirs: theirs == "HPE_INVALID_VERSION"),
    ("Node heeds fields of a trailer that frame a message or end a connection; petrel drops every trailer",
     "RFC 9112, 7.1.2: a recipient that removes the chunked coding may discard the trailer fields",
     lambda before, ours, theirs: chunked(ours) and theirs in ("HPE_INVALID_CONTENT_LENGTH",
                                                               "HPE_INVALID_TRANSFER_ENCODING")
     or before and chunked(before[-1]) and theirs == "HPE_CLOSED_CONNECTION"),
]


class Node:
    def __init__(self):
        self.process = subprocess.Popen(["node", str(pathlib.Path(__file__).with_name("node_reader.js"))],
                                        stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        self.port = int(self.process.stdout.readline())

    def stop(self):
        self.process.stdin.close()
        self.process.wait(10)
        self.process.stdout.close()


@pytest.fixture(scope="module")
def both(tmp_path_factory):
    petrel = Petrel(tmp_path_factory.mktemp("petrel"), CONF).wait_ready()
    node = Node()
    yield petrel, node
    node.stop()
    petrel.stop()


def exchange(server, stream):
    """A connection that sends this and then nothing more, and what came back."""
    w = Wire(server)
    try:
        w.send(stream)
        w.sock.shutdown(1)
    except OSError:
        pass  # the server needed no more to see that it is wrong
    return w


def by_petrel(server, stream):
    """What was read, up to the first request that was refused."""
    read = []
    with exchange(server, stream) as w:
        while w.left or w.more():
            answer = w.answer()
            if answer.status == 100:
                continue
            if answer.status != 200:
                break
            told = answer.json
            read.append({"method": told["method"], "target": told["target"], "minor": int(told["protocol"][-1]),
                         "fields": told["fields"], "body": told["body"]["first"]})
    return read


def by_node(server, stream):
    with exchange(server, stream) as w:
        told = w.rest()
    assert told, stream
    read = json.loads(told)
    for told in read:
        if isinstance(told, dict):
            told["fields"] = [list(pair) for pair in zip(told["fields"][::2], told["fields"][1::2])]
    return read


def without_head(stream):
    """Answers to HEAD have no body to read them from; another method has as many letters."""
    return re.sub(rb"HEAD(?= )", b"COPY", stream)


SEEN = set()


def compare(both, stream):
    stream = without_head(stream)
    petrel, node = both
    ours, theirs = by_petrel(petrel, stream), by_node(node, stream)
    for i, request in enumerate(ours):
        other = theirs[i] if i < len(theirs) else "nothing"
        if request == other:
            continue
        known = [n for n, (_, _, holds) in enumerate(DIFFERENCES) if holds(ours[:i], request, other)]
        assert known, f"{stream!r}\npetrel: {request}\nNode:   {other}"
        SEEN.update(known)
        break  # from here on they may read on at different places
    return len(ours)


# --- What is compared. ---

def seeds():
    heads = [p.read_bytes() for p in sorted((ROOT / "tests/fuzz/corpus/parse").iterdir())]
    head = b"POST /c HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n"
    # The first two bytes of a seed tell its fuzz target how to cut it.
    coded = [head + p.read_bytes()[2:] for p in sorted((ROOT / "tests/fuzz/corpus/chunked").iterdir())]
    return heads + coded


WORDS = [b"\r\n", b"\n", b"\r", b" ", b"\t", b":", b",", b";", b"=", b'"', b"\0", b"\x80", b"0", b"1", b"a", b"%", b"/",
         b"chunked", b"Content-Length: 3\r\n", b"Transfer-Encoding: chunked\r\n", b"Connection: close\r\n",
         b"Host: b\r\n", b"Expect: 100-continue\r\n", b"Upgrade: x\r\n", b"Connection: upgrade\r\n",
         b"HTTP/1.1", b"HTTP/1.0", b"HTTP/1.7", b"?", b"#", b"GET / HTTP/1.1\r\nHost: a\r\n\r\n", b"3\r\nabc\r\n", b"0\r\n\r\n", b"T: v\r\n", b"\x0b", b"\x7f"]


def mutated(noise, stream):
    for _ in range(noise.choice([1, 1, 1, 2, 3])):
        at, gone = noise.randrange(len(stream) + 1), noise.choice([0, 0, 1, 1, 2, 5])
        stream = stream[:at] + noise.choice(WORDS + [b""] * 8) + stream[at + gone:]
    return stream


def test_seeds(both):
    assert sum(compare(both, seed) for seed in seeds()) > 10


def test_pipelines(both):
    """One's rest is the other's begin: where a message ends matters most."""
    noise = random.Random(1)
    every = seeds()
    for _ in range(100 if SLOW else 400):
        compare(both, b"".join(noise.choices(every, k=4)))


def test_mutations(both):
    noise = random.Random(2)
    every = seeds()
    accepted = 0
    for _ in range(500 if SLOW else 4000):
        accepted += compare(both, mutated(noise, noise.choice(every)) + b"GET /next HTTP/1.1\r\nHost: a\r\n\r\n")
    assert accepted > 50


def test_the_differences_are_real(both):
    compare(both, b"BREW / HTTP/1.1\r\nHost: a\r\n\r\n")
    compare(both, b"GET / HTTP/1.7\r\nHost: a\r\n\r\n")
    assert SEEN == set(range(len(DIFFERENCES)))
