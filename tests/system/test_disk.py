"""Cold files and hot ones: both disk engines, a hot set of any size, many who wait for one file, and what is shed."""

import concurrent.futures
import os
import random

import pytest
from conftest import SLOW, wait_for
from wire import Wire, ask, get

pytestmark = pytest.mark.threads

CONF = """
loops 2;
listen 127.0.0.1:{port};
disk { DISK }
hot { HOT }
error_log {dir}/error.log;
limits { min_rate 0; }
site * {
    root {dir}/www;
    route /list/* { files { listing on; } }
    route *       { files; }
}
"""
ENGINES = ["engine threads;", "engine io_uring;", "engine auto; workers 1; queue 64;"]
SIZES = [0, 1, 100, 4096, 4097, 65535, 65536, 65537, 300000, 1 << 20]


def content(n):
    return random.Random(n).randbytes(SIZES[n % len(SIZES)])


def forget(path):
    """Out of the page cache, where the file system can do that."""
    fd = os.open(path, os.O_RDONLY)
    try:
        os.fsync(fd)
        os.posix_fadvise(fd, 0, 0, os.POSIX_FADV_DONTNEED)
    finally:
        os.close(fd)


@pytest.fixture
def served(petrel):
    def start(disk="engine auto;", hot="recheck 20ms;", count=60):
        server = petrel(CONF.replace("DISK", disk).replace("HOT", hot))
        www = server.dir / "www"
        for n in range(count):
            path = www / f"list/{n % 7}/{n}.bin"
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(content(n))
            forget(path)
        return server
    return start


def some_of_all(server, seed, rounds):
    """A client that asks for files in any order: whole, in part, on condition, and for what there is not."""
    noise = random.Random(seed)
    tags = {}
    with Wire(server) as w:
        for _ in range(rounds):
            n = noise.randrange(60)
            target, data = f"/list/{n % 7}/{n}.bin", content(n)
            what = noise.choice(["whole", "whole", "head", "range", "tag", "missing", "folder", "cold"])
            if what == "head":
                assert w.ask(get(target, method="HEAD"))["content-length"] == str(len(data))
            elif what == "range" and data:
                begin = noise.randrange(len(data))
                answer = w.ask(get(target, f"Range: bytes={begin}-{begin + 1000}\r\n"))
                assert answer.status == 206 and answer.body == data[begin:begin + 1001]
            elif what == "tag" and n in tags:
                assert w.ask(get(target, f"If-None-Match: {tags[n]}\r\n")).status == 304
            elif what == "missing":
                assert w.ask(get(f"/list/{noise.randrange(50)}/none")).status == 404
            elif what == "folder":
                answer = w.ask(get(f"/list/{n % 7}/", "Accept: application/json\r\n"))
                assert f"{n}.bin" in [e["name"] for e in answer.json["entries"]]
            else:
                if what == "cold":
                    forget(server.dir / "www" / target[1:])
                answer = w.ask(get(target))
                assert answer.status == 200 and answer.body == data, target
                tags[n] = answer["etag"]


@pytest.mark.parametrize("hot", ["recheck 20ms;", "memory 0; recheck 20ms;", "memory 100k; recheck 0;",
                                 "file 0; recheck 20ms;", "file 2m; memory 3m; recheck 20ms;"])
@pytest.mark.parametrize("disk", ENGINES)
def test_everything_works(served, disk, hot):
    server = served(disk, hot)
    worker = server.wait_worker()
    with concurrent.futures.ThreadPoolExecutor(6) as pool:
        for done in [pool.submit(some_of_all, server, seed, 30 if SLOW else 60) for seed in range(6)]:
            done.result(60)
    assert server.wait_worker() == worker


def ask_at_once(server, target, count, fields=""):
    """All requests are there before any answer is read."""
    wires = [Wire(server) for _ in range(count)]
    for w in wires:
        w.send(get(target, fields))
    answers = [w.answer() for w in wires]
    for w in wires:
        w.sock.close()
    return answers


@pytest.mark.parametrize("disk", ENGINES)
def test_many_for_one_cold_file(served, disk):
    server = served(disk)
    for n in range(60):
        path = server.dir / f"www/list/{n % 7}/{n}.bin"
        forget(path)
        for answer in ask_at_once(server, f"/list/{n % 7}/{n}.bin", 20):
            assert answer.status == 200 and answer.body == content(n)


def test_who_leaves_takes_nothing_from_who_stays(served):
    server = served("engine threads; workers 1;")
    for n in range(60):
        target = f"/list/{n % 7}/{n}.bin"
        forget(server.dir / "www" / target[1:])
        wires = [Wire(server) for _ in range(6)]
        for w in wires:
            w.send(get(target))
        for w in wires[::2]:
            w.sock.close()
        for w in wires[1::2]:
            assert w.answer().body == content(n)
            w.sock.close()


def test_shed(served):
    """One read under way and one waiting: past that, 503 with its Retry-After; what is hot goes on all the time."""
    server = served("engine threads; workers 1; queue 1;", "recheck 1h;")
    hot = "/list/4/4.bin"
    wait_for(lambda: ask(server, get(hot)).status == 200, "a hot file")
    shed = 0
    with Wire(server) as steady:
        for turn in range(20):
            # Listings always go to the engine, whatever the page cache holds.
            wires = [Wire(server) for _ in range(30)]
            for w in wires:
                w.send(get(f"/list/{turn % 7}/", "Accept: application/json\r\n"))
            answer = steady.ask(get(hot))
            assert answer.status == 200 and answer.body == content(4)
            for w in wires:
                answer = w.answer()
                assert answer.status in (200, 503)
                if answer.status == 503:
                    shed += 1
                    assert int(answer["retry-after"]) > 0 and answer.json
                w.assert_open()
                w.sock.close()
    assert shed > 0


# --- The hot set.  With `recheck 1h`, whoever is still in it is known by its old content. ---

def test_a_scan_leaves_what_is_hot(served):
    server = served(hot="memory 2m; recheck 1h;", count=0)
    www = server.dir / "www"
    www.mkdir()
    for n in range(600):
        (www / f"scan{n}").write_bytes(b"old" + b"x" * 10000)
    for n in range(10):
        (www / f"hot{n}").write_bytes(b"old" + b"x" * 10000)
    with Wire(server) as w:
        for _ in range(5):
            for n in range(10):
                assert w.ask(get(f"/hot{n}")).status == 200
        # Three times as much as fits, each asked for once.
        for n in range(600):
            assert w.ask(get(f"/scan{n}")).status == 200
        for path in www.iterdir():
            path.write_bytes(b"new")
        still = [w.ask(get(f"/hot{n}")).body[:3] for n in range(10)]
        scanned = [w.ask(get(f"/scan{n}")).body[:3] for n in range(600)]
    assert still == [b"old"] * 10
    assert scanned.count(b"old") < 250


def test_what_is_not_there_is_remembered_and_bounded(served):
    server = served(hot="memory 200k; recheck 1h;")
    with Wire(server) as w:
        for n in range(3000):
            assert w.ask(get(f"/none{n}")).status == 404
        (server.dir / "www/none2999").write_text("there")
        (server.dir / "www/none0").write_text("there")
        assert w.ask(get("/none0")).status == 200
    wait_for(lambda: ask(server, get("/list/4/4.bin")).body == content(4), "files as ever")
