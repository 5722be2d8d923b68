"""Large things in slices: each is fetched once, when it is wanted, and all are of one version."""

import re
import socket
import struct
import threading
import time

import pytest
from conftest import wait_for
from origins import answer, field, http
from wire import Wire, ask, get

pytestmark = pytest.mark.threads

SLICE = 64 * 1024
CONF = """
loops 2;
listen 127.0.0.1:{port};
cache pages { slice 64k; RULES }
site * { route * { cache pages; proxy http://ADDRESS; } }
"""


class Thing:
    """A file at an origin that answers ranges."""

    def __init__(self, size, version="1", extra="Cache-Control: max-age=60\r\n"):
        self.size, self.version, self.extra = size, version, extra
        self.ranges = []

    @property
    def body(self):
        line = f"{self.version}-0123456789abcdef-".encode()
        return (line * (self.size // len(line) + 1))[:self.size]

    def reply(self, asked):
        fields = f'ETag: "{self.version}"\r\n' + self.extra
        wanted = re.fullmatch(r"bytes=(\d+)-(\d+)", field(asked, "range") or "")
        if not wanted:
            self.ranges.append(None)
            return answer(self.body, fields=fields)
        first, last = int(wanted[1]), min(int(wanted[2]), self.size - 1)
        self.ranges.append(first // SLICE)
        if first >= self.size:
            return answer(b"", "416 Range Not Satisfiable", f"Content-Range: bytes */{self.size}\r\n")
        fields += f"Content-Range: bytes {first}-{last}/{self.size}\r\n"
        return answer(self.body[first:last + 1], "206 Partial Content", fields)


@pytest.fixture
def sliced(petrel, origin):
    def start(thing, rules=""):
        one = origin(http(thing.reply))
        return petrel(CONF.replace("ADDRESS", one.address).replace("RULES", rules))
    return start


def test_the_whole_is_put_together(sliced):
    thing = Thing(5 * SLICE + 1000)
    server = sliced(thing)
    for _ in range(2):
        a = ask(server, get("/"))
        assert (a.status, a["content-length"], a.body) == (200, str(thing.size), thing.body)
        assert a["content-range"] is None and a["etag"] == '"1"'
    assert sorted(thing.ranges) == [0, 1, 2, 3, 4, 5]


def test_a_part_fetches_no_more_than_it_needs(sliced):
    thing = Thing(20 * SLICE)
    server = sliced(thing)
    first = 7 * SLICE + 10
    a = ask(server, get("/", f"Range: bytes={first}-{first + SLICE}\r\n"))
    assert (a.status, a.body) == (206, thing.body[first:first + SLICE + 1])
    assert a["content-range"] == f"bytes {first}-{first + SLICE}/{thing.size}"
    assert sorted(thing.ranges) == [0, 7, 8]
    tail = ask(server, get("/", "Range: bytes=-100\r\n"))
    assert tail.body == thing.body[-100:]
    assert sorted(thing.ranges) == [0, 7, 8, 19]
    assert ask(server, get("/", f"Range: bytes={thing.size}-\r\n")).status == 416
    many = ask(server, get("/", f"Range: bytes=0-9,{8 * SLICE}-{8 * SLICE + 9}\r\n"))
    assert many.status == 206 and thing.body[:10] in many.body and thing.body[8 * SLICE:8 * SLICE + 10] in many.body


def test_heads_and_conditions(sliced):
    thing = Thing(3 * SLICE)
    server = sliced(thing)
    with Wire(server) as wire:
        head = wire.ask(get("/", method="HEAD"))
        assert head.status == 200 and head["content-length"] == str(thing.size)
        assert wire.ask(get("/", 'If-None-Match: "1"\r\n')).status == 304
    assert thing.ranges == [0]


@pytest.mark.parametrize("size", [1, 1000, SLICE])
def test_what_is_no_larger_than_a_slice_is_a_page(sliced, size):
    thing = Thing(size)
    server = sliced(thing)
    for _ in range(2):
        a = ask(server, get("/"))
        assert (a.status, a.body, a["content-range"]) == (200, thing.body, None)
    assert thing.ranges == [0]


def test_an_empty_file(sliced):
    server = sliced(Thing(0))
    for _ in range(2):
        a = ask(server, get("/"))
        assert (a.status, a.body) == (200, b"")


def test_an_origin_without_ranges(sliced):
    thing = Thing(3 * SLICE)
    body = thing.body
    thing.reply = lambda asked: thing.ranges.append(0) or answer(body, fields=thing.extra)
    server = sliced(thing)
    for _ in range(2):
        assert ask(server, get("/")).body == body
    assert len(thing.ranges) == 1
    assert ask(server, get("/", "Range: bytes=5-9\r\n")).body == body[5:10]


def test_versions_that_cannot_be_told_apart_are_not_sliced(sliced):
    thing = Thing(3 * SLICE)
    thing.version = "1"
    reply = thing.reply
    thing.reply = lambda asked: reply(asked).replace(b'ETag: "1"', b'ETag: W/"1"')
    server = sliced(thing)
    for _ in range(2):
        assert ask(server, get("/")).body == thing.body
    assert None in thing.ranges


def test_parts_that_cannot_be_put_together_are_asked_for_once(sliced):
    """Which ones they are depends on something else, too: the whole is asked for at once from then on."""
    thing = Thing(3 * SLICE, extra="Cache-Control: max-age=60\r\nVary: Accept-Encoding\r\n")
    server = sliced(thing)
    for _ in range(4):
        assert ask(server, get("/")).body == thing.body
    assert thing.ranges == [0, None, None, None, None]


def test_a_slice_that_nobody_waits_for_any_more_is_not_fetched(sliced):
    """Who wanted it has left while it stood in line."""
    go_on = threading.Event()
    thing = Thing(20 * SLICE)
    reply = thing.reply

    def slow(asked):
        if asked.target == "/slow":
            assert go_on.wait(20)
            return answer(b"slow", fields=thing.extra)
        return reply(asked)
    thing.reply = slow
    server = sliced(thing, "fills 1;")
    assert ask(server, get("/", "Range: bytes=0-9\r\n")).status == 206
    with Wire(server) as blocks:
        blocks.send(get("/slow"))
        time.sleep(0.2)
        for n in range(5, 15):
            with Wire(server) as wire:
                wire.send(get("/", f"Range: bytes={n * SLICE}-{n * SLICE + 9}\r\n"))
                assert wire.head().status == 206
                wire.sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        time.sleep(0.2)
        go_on.set()
        assert blocks.answer().body == b"slow"
    assert ask(server, get("/", f"Range: bytes={17 * SLICE}-{17 * SLICE + 9}\r\n")).status == 206
    assert thing.ranges == [0, 17]


def test_a_thing_that_changes_is_never_mixed(sliced):
    thing = Thing(40 * SLICE)
    server = sliced(thing)
    assert ask(server, get("/", "Range: bytes=0-9\r\n")).body == thing.body[:10]
    thing.version = "2"
    with Wire(server) as wire:
        wire.send(get("/"))
        assert wire.head().status == 200
        came = wire.rest()
        assert len(came) < thing.size and b"2-" not in came
    wait_for(lambda: ask(server, get("/")).body == thing.body, "the new version as a whole")


def test_private_things_are_not_sliced(sliced):
    thing = Thing(3 * SLICE, extra="Cache-Control: private\r\n")
    server = sliced(thing)
    for _ in range(3):
        a = ask(server, get("/"))
        assert (a.status, a.body) == (200, thing.body)
    assert thing.ranges == [0, None, None, None]


def test_slices_of_another_size(sliced, tmp_path):
    """What is on disk in slices of the size before is not mixed with the new ones."""
    thing = Thing(10 * SLICE)
    server = sliced(thing, f"disk {tmp_path}/pages 64m;")
    assert ask(server, get("/")).body == thing.body
    server.reload(server.conf_file.read_text().replace("slice 64k;", "slice 128k;"))
    for _ in range(2):
        assert ask(server, get("/")).body == thing.body
    server.reload(server.conf_file.read_text().replace("slice 128k;", "slice 64k;"))
    before = len(thing.ranges)
    assert ask(server, get("/")).body == thing.body
    assert len(thing.ranges) == before


def test_slices_on_disk(sliced, tmp_path):
    thing = Thing(10 * SLICE + 5)
    server = sliced(thing, f"memory 1m; object 512k; disk {tmp_path}/cache 64m;")
    for _ in range(2):
        assert ask(server, get("/")).body == thing.body
