"""The disk tier of a cache: what it keeps over restarts and kills, what damage it does not serve, what it does where the disk
refuses."""

import os
import pathlib
import pwd
import random
import re
import signal
import subprocess
import threading
import time

import pytest
from cached import fetch, is_hit, numbered
from conftest import SLOW, alive, wait_for
from origins import answer, field, http
from wire import Wire, get

pytestmark = pytest.mark.threads

CONF = """
loops 2;
listen 127.0.0.1:{port};
access_log off;
temporary {dir};
limits { connections 0; min_rate 0; }
USER
cache pages { memory 64m; disk FOLDER SIZE; RULES }
site * { route * { cache pages; proxy http://ADDRESS; } }
"""
FRESH = "Cache-Control: max-age=3600\r\n"
SIZES = [0, 1, 200, 5000, 65000, 66000, 300_000, 3_000_000]
ROOT = os.geteuid() == 0


def body_of(target, size, version=1):
    """What follows from its name, so that each byte can be compared."""
    line = f"{target} {size} {version} ".encode()
    return (line * (size // len(line) + 1))[:size]


def sized(asked):
    """/anything/SIZE/VERSION"""
    _, size, version = asked.target.rsplit("/", 2)
    return answer(body_of(asked.target, int(size), int(version)), fields=FRESH)


def check(target, got):
    """Whatever was kept or not: these are its bytes."""
    _, size, version = target.rsplit("/", 2)
    assert got.status == 200
    assert got.body == body_of(target, int(size), int(version))


@pytest.fixture
def disked(petrel, origin):
    """disked(folder): petrel with a cache in that folder; origin and folder go from one to the next."""
    shared = {}

    def start(folder, reply=sized, size="64m", rules="", user="", wait=True):
        if "origin" not in shared:
            shared["origin"] = origin(http(reply))
        conf = CONF
        for word, text in {"ADDRESS": shared["origin"].address, "FOLDER": str(folder), "SIZE": size, "RULES": rules,
                           "USER": user}.items():
            conf = conf.replace(word, text)
        server = petrel(conf, wait=wait)
        server.origin = shared["origin"]
        server.cache_folder = pathlib.Path(folder)
        return server
    return start


def segments(folder):
    return [f for f in pathlib.Path(folder).iterdir() if re.fullmatch("[0-9a-f]{8}", f.name)]


def kept(folder):
    """Bytes in its segments."""
    return sum(f.stat().st_size for f in segments(folder))


def wait_kept(server, bytes_):
    """Until they are in the segments, and the index, which is written behind them, says so."""
    def is_written():
        newest = max(file.stat().st_mtime for file in pathlib.Path(server.cache_folder).iterdir())
        return kept(server.cache_folder) >= bytes_ and time.time() - newest > 0.5
    wait_for(is_written, f"{bytes_} bytes in {server.cache_folder}")


def targets(folder="/a"):
    return [f"{folder}/{size}/1" for size in SIZES]


def fetch_all(server, hits=None):
    """Fetches all sizes; says which were hits."""
    found = []
    for target in targets():
        got = fetch(server, target)
        check(target, got)
        found.append(is_hit(got))
    assert hits is None or found == [hits] * len(found), found
    return found


# --- What is checked. ---

def test_a_folder_is_one_caches(command, tmp_path):
    conf, folder = tmp_path / "petrel.conf", tmp_path / "pages"
    folder.mkdir()
    (tmp_path / "link").symlink_to(folder)
    for other in (folder, f"{folder}/", f"{tmp_path}/./pages", tmp_path / "link"):
        conf.write_text(f"cache one {{ disk {folder} 64m; }}\ncache two {{\n    disk {other} 64m;\n}}\n")
        done = command("check", "-c", conf)
        assert done.returncode == 1
        assert f'{conf}:3:10: error: cache "one" keeps its pages there already' in done.stdout + done.stderr
    conf.write_text(f"cache one {{ disk {folder} 64m; }}\ncache two {{ disk {folder}2 64m; }}\n")
    assert command("check", "-c", conf).returncode == 0


# --- What is kept. ---

def test_pages_are_there_after_a_restart(disked, tmp_path):
    server = disked(tmp_path / "cache")
    fetch_all(server, hits=False)
    server.stop()
    again = disked(tmp_path / "cache")
    asked = len(again.origin.asked)
    fetch_all(again, hits=True)
    fetch_all(again, hits=True)
    assert len(again.origin.asked) == asked
    assert int(fetch(again, targets()[3])["age"] or 0) >= 0


def test_what_lives_shortly_is_not_written(disked, tmp_path):
    """But what its origin can be asked about is: once."""
    fields = {"brief": "Cache-Control: max-age=9\r\n", "stale": "Cache-Control: max-age=1, stale-while-revalidate=60\r\n",
              "asked": 'Cache-Control: no-cache\r\nETag: "e"\r\n', "long": FRESH}

    def reply(asked):
        if field(asked, "if-none-match"):
            return answer(b"", "304 Not Modified", fields["asked"])
        return answer(b"x" * 20000, fields=fields[asked.target.split("/")[1]])

    server = disked(tmp_path / "cache", reply)
    for n in range(10):
        assert len(fetch(server, f"/brief/{n}").body) == 20000
    for target in ("/stale/", "/asked/", "/long/"):
        assert len(fetch(server, target).body) == 20000
    wait_kept(server, 60000)
    for _ in range(10):
        assert len(fetch(server, "/asked/").body) == 20000
    assert len(fetch(server, "/long/2").body) == 20000
    wait_kept(server, 80000)
    assert kept(server.cache_folder) < 100000
    server.stop()
    again = disked(tmp_path / "cache")
    assert is_hit(fetch(again, "/stale/")) and is_hit(fetch(again, "/long/"))
    assert len(fetch(again, "/asked/").body) == 20000
    asked = [field(asked, "if-none-match") for asked in again.origin.asked if asked.target == "/asked/"]
    assert asked == [None] + ['"e"'] * 11


def test_what_is_not_written_is_not_there_as_it_was(disked, tmp_path):
    lives = iter([3600, 5, 3600])
    server = disked(tmp_path / "cache", numbered(lambda asked: f"Cache-Control: max-age={next(lives)}\r\n"))
    assert fetch(server, "/").body == b"1 /"
    wait_kept(server, 1)
    assert fetch(server, "/", "Cache-Control: no-cache\r\n").body == b"2 /"
    server.stop()
    assert fetch(disked(tmp_path / "cache"), "/").body == b"3 /"


def test_the_first_hit_comes_at_once(disked, tmp_path):
    server = disked(tmp_path / "cache")
    fetch_all(server)
    server.stop()
    begun = time.monotonic()
    again = disked(tmp_path / "cache")
    got = fetch(again, targets()[2])
    assert is_hit(got)
    assert SLOW or time.monotonic() - begun < 1


def test_parts_of_a_large_page_come_from_its_segment(disked, tmp_path):
    server = disked(tmp_path / "cache")
    target = targets()[-1]
    fetch(server, target)
    server.stop()
    again = disked(tmp_path / "cache")
    whole = body_of(target, SIZES[-1])
    for first, last in [(0, 0), (1_000_000, 1_999_999), (2_999_990, 2_999_999)]:
        got = fetch(again, target, f"Range: bytes={first}-{last}\r\n")
        assert (got.status, got.body) == (206, whole[first:last + 1])
        assert is_hit(got)


def test_a_killed_worker_leaves_its_pages_to_the_next(disked, tmp_path):
    server = disked(tmp_path / "cache")
    fetch_all(server)
    wait_kept(server, sum(SIZES))
    before = server.worker
    os.kill(before, signal.SIGKILL)
    server.wait_worker(other_than=before)
    server.wait_said("takes its place")
    fetch_all(server, hits=True)


def test_a_killed_server_leaves_its_pages_to_the_next(disked, tmp_path):
    server = disked(tmp_path / "cache")
    fetch_all(server)
    wait_kept(server, sum(SIZES))
    worker = server.worker
    os.kill(server.pid, signal.SIGKILL)
    server.wait_end()
    server.expect_status = None
    wait_for(lambda: not alive(worker), "the worker to follow its supervisor")
    fetch_all(disked(tmp_path / "cache"), hits=True)


def test_a_reload_keeps_the_folder(disked, tmp_path):
    server = disked(tmp_path / "cache")
    fetch_all(server)
    server.reload()
    fetch_all(server, hits=True)
    assert "another" not in server.stderr


def test_another_folder_after_a_reload(disked, tmp_path):
    server = disked(tmp_path / "cache")
    fetch_all(server)
    server.reload(server.conf_file.read_text().replace(f"{tmp_path}/cache", f"{tmp_path}/other"))
    fetch_all(server, hits=False)
    server.stop()
    assert kept(tmp_path / "other") > sum(SIZES)


def test_what_was_purged_stays_purged(disked, tmp_path):
    server = disked(tmp_path / "cache", rules="purge_from 127.0.0.0/8;")
    fetch_all(server)
    with Wire(server) as w:
        assert w.ask(get(targets()[2], method="PURGE")).status in (200, 204)
    wait_for(lambda: len((tmp_path / "cache/journal").read_text().splitlines()) > 1, "a line in the journal")
    server.stop()
    again = disked(tmp_path / "cache", rules="purge_from 127.0.0.0/8;")
    assert [is_hit(fetch(again, target)) for target in targets()] == [i != 2 for i in range(len(SIZES))]


# --- Kills while it writes. ---

def test_no_wrong_byte_after_twenty_kills(disked, tmp_path):
    """Clients fetch pages that follow from their names, while the server is killed again and again."""
    server = [disked(tmp_path / "cache")]
    ending = threading.Event()
    wrong = []
    fetched = [0]
    hits = [0]

    def client(seed):
        rng = random.Random(seed)
        while not ending.is_set():
            target = f"/{rng.randrange(300)}/{rng.choice([100, 3000, 20_000, 70_000])}/1"
            try:
                got = fetch(server[0], target)
            except (OSError, AssertionError):
                continue                    # it went meanwhile
            if got.status == 200 and got.body != body_of(target, *map(int, target.rsplit("/", 2)[1:])):
                wrong.append(target)
            fetched[0] += got.status == 200
            hits[0] += is_hit(got)

    clients = [threading.Thread(target=client, args=(i,)) for i in range(4)]
    for one in clients:
        one.start()
    for i in range(20):
        seen = fetched[0]
        wait_for(lambda: fetched[0] > seen + 10 + 7 * i % 50, "clients to be served", 30)
        worker = server[0].worker
        os.kill(server[0].pid, signal.SIGKILL)
        server[0].wait_end()
        server[0].expect_status = None
        wait_for(lambda: not alive(worker), "the worker to follow its supervisor")
        server[0] = disked(tmp_path / "cache")
    ending.set()
    for one in clients:
        one.join()
    assert not wrong
    assert fetched[0] > 300 and hits[0] > 100


# --- Damage. ---

def damage(path, rng):
    """A run of bytes of it becomes another one, or it is cut short."""
    size = path.stat().st_size
    if rng.random() < 0.2:
        os.truncate(path, rng.randrange(size + 1))
        return
    with open(path, "r+b") as f:
        for _ in range(rng.choice([1, 10, 1000])):
            f.seek(rng.randrange(max(size, 1)))
            f.write(bytes([rng.randrange(256)]))


@pytest.mark.parametrize("seed", range(6))
def test_damaged_files_are_not_served(disked, tmp_path, seed):
    rng = random.Random(seed)
    server = disked(tmp_path / "cache")
    fetch_all(server)
    server.stop()
    files = sorted((tmp_path / "cache").iterdir())
    for _ in range(3):
        damage(rng.choice(files), rng)
    again = disked(tmp_path / "cache")
    fetch_all(again)
    fetch_all(again, hits=True)


def test_a_body_damaged_while_it_runs_is_not_read(disked, tmp_path):
    """A page that is not in memory is compared when it comes in; the next request gets it from the origin."""
    server = disked(tmp_path / "cache")
    target = "/a/5000/1"
    fetch(server, target)
    server.stop()
    again = disked(tmp_path / "cache")
    segment, = segments(tmp_path / "cache")
    data = segment.read_bytes()
    at = data.index(b"/a/5000/1 5000 1 ")
    with open(segment, "r+b") as f:
        f.seek(at + 2000)
        f.write(b"\0")
    got = fetch(again, target)
    check(target, got)
    assert not is_hit(got)


# --- Folders. ---

def test_the_folder_is_made_for_who_serves(disked, public):
    if not ROOT:
        pytest.skip("needs root")
    server = disked(public / "cache", user="user nobody;")
    fetch_all(server)
    server.stop()
    made = (public / "cache").stat()
    assert made.st_mode & 0o7777 == 0o700
    assert made.st_uid == pwd.getpwnam("nobody").pw_uid
    fetch_all(disked(public / "cache", user="user nobody;"), hits=True)


def test_a_folder_of_somebody_else_is_no_reason_not_to_serve(disked, public):
    if not ROOT:
        pytest.skip("needs root")
    (public / "cache").mkdir(mode=0o700)
    server = disked(public / "cache", user="user nobody;")
    server.wait_said(r"cache pages: nothing is kept in .*/cache: its index can't be opened: Permission denied")
    fetch_all(server, hits=False)
    fetch_all(server, hits=True)
    # The operator mends it.
    nobody = pwd.getpwnam("nobody")
    os.chown(public / "cache", nobody.pw_uid, nobody.pw_gid)
    server.reload()
    target = "/later/5000/1"
    fetch(server, target)
    wait_kept(server, 5000)
    server.stop()
    assert is_hit(fetch(disked(public / "cache", user="user nobody;"), target))


def test_a_folder_that_cannot_be_made_is_refused(disked, tmp_path):
    server = disked(tmp_path / "no/such/cache", wait=False)
    assert server.wait_end() == 1
    server.expect_status = 1
    assert "no/such/cache can't be opened: No such file or directory" in server.stderr


def test_two_servers_do_not_share_a_folder(disked, tmp_path):
    server = disked(tmp_path / "cache")
    other = disked(tmp_path / "cache")
    other.wait_said("another process uses this folder")
    fetch_all(server, hits=False)
    fetch_all(other, hits=False)
    fetch_all(other, hits=True)


def test_files_of_others_are_left_alone(disked, tmp_path):
    (tmp_path / "cache").mkdir()
    (tmp_path / "cache/deadbeef").write_text("not yours" * 100)
    (tmp_path / "cache/notes").write_text("mine")
    server = disked(tmp_path / "cache")
    fetch_all(server)
    server.stop()
    assert (tmp_path / "cache/deadbeef").read_text() == "not yours" * 100
    assert (tmp_path / "cache/notes").read_text() == "mine"
    fetch_all(disked(tmp_path / "cache"), hits=True)


# --- A disk that is full. ---

@pytest.fixture
def small_disk(public):
    """A file system of 8 MB."""
    folder = public / "disk"
    folder.mkdir()
    done = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=8m", "tmpfs", str(folder)], capture_output=True)
    if done.returncode:
        pytest.skip("may not mount")
    yield folder
    subprocess.run(["umount", "-l", str(folder)], check=True)


def test_a_full_disk_turns_writing_off_and_hits_go_on(disked, small_disk):
    server = disked(small_disk / "cache")
    fetch(server, "/first/5000/1")
    for i in range(12):
        target = f"/{i}/1000000/1"
        check(target, fetch(server, target))
    server.wait_said(r"cache: its folder can't be written: No space left on device", 20)
    for i in range(12, 40):
        target = f"/{i}/1000000/1"
        check(target, fetch(server, target))
    assert server.stderr.count("No space left") == 1
    server.stop()
    again = disked(small_disk / "cache")
    got = fetch(again, "/first/5000/1")
    check("/first/5000/1", got)
    assert is_hit(got)
