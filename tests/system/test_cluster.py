"""Pages in memcached: several petrels that share them, and servers that fail in all ways there are."""

import signal
import socket
import subprocess
import threading
import time

import pytest
from conftest import BINARY, wait_for
from memcacheds import WAYS, Liar, Memcached
from origins import answer, field, http
from test_metrics import metrics, value
from wire import Wire, ask, get

CONF = """
loops LOOPS;
error_log stderr info;
listen 127.0.0.1:{port};
limits { connections 0; }
admin unix:{dir}/admin.sock;
memcached shared { SERVERS OPTIONS }
cache pages { memory 64m; memcached shared; purge_from 127.0.0.1; RULES }
site * { route * { cache pages; proxy http://ADDRESS; } }
"""
FRESH = "Cache-Control: max-age=60\r\n"


@pytest.fixture
def memcached(tmp_path):
    """memcached() starts one; what is started ends with the test."""
    started = []

    def start(*args):
        started.append(Memcached(*args))
        return started[-1]

    yield start
    for one in started:
        one.end()


@pytest.fixture
def liar():
    started = []

    def start(way, **kwargs):
        started.append(Liar(way, **kwargs))
        return started[-1]

    yield start
    for one in started:
        one.close()


@pytest.fixture
def cluster(petrel, origin):
    """cluster(servers) starts petrels that share these, before one origin."""
    # A busy machine is no reason for a miss, where a miss is not the matter.
    def start(servers, reply=lambda asked: answer(b"hello", fields=FRESH), count=2, rules="", loops=1, options="timeout 2s;"):
        one = origin(http(reply))
        listed = " ".join(f"server {s if isinstance(s, str) else s.address};" for s in servers)
        conf = (CONF.replace("SERVERS", listed).replace("RULES", rules).replace("ADDRESS", one.address)
                .replace("LOOPS", str(loops)).replace("OPTIONS", options))
        made = [petrel(conf) for _ in range(count)]
        for server in made:
            server.origin = one
            server.conf = conf
        return made
    return start


def status_of(a):
    return a["cache-status"]


def stored(server, count=1, pattern="pc1:"):
    wait_for(lambda: len(server.keys(pattern)) >= count, f"{count} keys like {pattern}")


# --- All is well. ---


@pytest.mark.threads
def test_what_one_fetched_all_have(cluster, memcached):
    one = memcached()
    a, b = cluster([one])
    assert ask(a, get("/x")).body == b"hello"
    stored(one)
    got = ask(b, get("/x"))
    assert got.status == 200 and got.body == b"hello"
    assert len(a.origin.asked) == 1
    # It is in its own memory now.
    one.kill()
    assert ask(b, get("/x")).body == b"hello"
    assert len(a.origin.asked) == 1


def test_large_pages_are_shared_up_to_a_bound(cluster, memcached):
    one = memcached()
    sizes = {"/small": 10, "/middle": 300000, "/large": 890000, "/too": 910000}
    a, b = cluster([one], lambda asked: answer(asked.target[1:2].encode() * sizes[asked.target], fields=FRESH))
    for target in sizes:
        assert len(ask(a, get(target)).body) == sizes[target]
    stored(one, 3)
    for target, size in sizes.items():
        assert ask(b, get(target)).body == target[1:2].encode() * size
    assert sorted(r.target for r in a.origin.asked) == sorted([*sizes, "/too"])


def test_what_is_not_for_others_is_not_shared(cluster, memcached):
    one = memcached()
    fields = {
        "/cookie": FRESH + "Set-Cookie: a=b\r\n",
        "/private": "Cache-Control: private, max-age=60\r\n",
        "/no-store": "Cache-Control: no-store\r\n",
        "/secret": FRESH,
        "/plain": FRESH,
    }
    a, = cluster([one], lambda asked: answer(b"x", fields=fields[asked.target]), count=1)
    for target in set(fields) - {"/secret"}:
        ask(a, get(target))
    ask(a, get("/secret", "Authorization: Basic eDp5\r\n"))
    stored(one)
    time.sleep(0.2)
    assert len(one.keys("pc1:")) == 1


CROWD = 500     # at each petrel
PATIENT = "timeout 1s;"     # a machine that is busy with other tests is no memcached that hangs


def crowd(server):
    return [Wire(server) for _ in range(CROWD)]


def send_all(wires, target):
    for wire in wires:
        wire.send(get(target))


def answers(wires):
    return {(got.status, got.body) for got in [wire.answer() for wire in wires]}


def close_all(wires):
    for wire in wires:
        wire.sock.close()


def asked_for(server, target):
    return sum(asked.target == target for asked in server.origin.asked)


@pytest.mark.threads
def test_a_thousand_clients_at_two_petrels_make_one_request(cluster, memcached):
    """Nobody waits longer for another machine than 300 ms: where this one stalls for so long there are two, and it is tried
    once more."""
    one, sent = memcached(), threading.Event()

    def slow(asked):
        assert sent.wait(20)
        time.sleep(0.05)
        return answer(b"hello", fields=FRESH)

    a, b = cluster([one], slow, options=PATIENT)
    sent.set()
    ask(a, get("/warm"))
    ask(b, get("/warm"))
    wires = crowd(a) + crowd(b)
    for n in range(5):
        sent.clear()
        send_all(wires, f"/{n}")
        sent.set()
        assert answers(wires) == {(200, b"hello")}
        assert asked_for(a, f"/{n}") <= 2
        if asked_for(a, f"/{n}") == 1:
            break
    close_all(wires)
    assert asked_for(a, f"/{n}") == 1


@pytest.mark.threads
def test_who_fetches_for_a_thousand_is_killed(cluster, memcached):
    one, first, go = memcached(), threading.Event(), threading.Event()

    def reply(asked):
        if asked.target == "/page" and not first.is_set():
            first.set()
            go.wait(20)
        return answer(b"hello", fields=FRESH)

    a, b = cluster([one], reply, options=PATIENT)
    lost, left = crowd(a), crowd(b)
    send_all(lost, "/page")
    assert first.wait(10)
    send_all(left, "/page")
    a.expect_status = None
    a.process.send_signal(signal.SIGKILL)
    assert answers(left) == {(200, b"hello")}
    go.set()
    close_all(lost + left)
    assert asked_for(b, "/page") == 2


@pytest.mark.threads
def test_who_fetches_is_killed(cluster, memcached):
    one = memcached()
    first, go = threading.Event(), threading.Event()

    def reply(asked):
        if asked.target == "/page" and not first.is_set():
            first.set()
            go.wait(20)
        return answer(b"hello", fields=FRESH)

    a, b = cluster([one], reply)
    with Wire(a) as waits, Wire(b) as second:
        waits.send(get("/page"))
        assert first.wait(10)
        a.expect_status = None
        a.process.send_signal(signal.SIGKILL)
        began = time.monotonic()
        second.send(get("/page"))
        assert second.answer().body == b"hello"
        assert time.monotonic() - began < 10    # of the twenty seconds for which the first one would go on
    go.set()
    assert len([r for r in b.origin.asked if r.target == "/page"]) == 2


def test_variants_are_shared(cluster, memcached):
    one = memcached()
    a, b = cluster([one], lambda asked: answer(f"in {field(asked, 'accept-language')}", fields=FRESH + "Vary: Accept-Language\r\n"))
    for language in ("de", "fr"):
        assert ask(a, get("/", f"Accept-Language: {language}\r\n")).body == f"in {language}".encode()
    stored(one, 3)
    for language in ("de", "fr"):
        assert ask(b, get("/", f"Accept-Language: {language}\r\n")).body == f"in {language}".encode()
    assert len(a.origin.asked) == 2


def test_what_is_stale_one_fetches_anew(cluster, memcached):
    one = memcached()
    versions = iter(range(1, 100))
    a, b = cluster([one], lambda asked: answer(f"v{next(versions)}", fields="Cache-Control: max-age=1, stale-while-revalidate=60\r\n"))
    assert ask(a, get("/")).body == b"v1"
    stored(one)
    time.sleep(2.1)
    # Both serve what is stale at once, and one of them asks.
    assert ask(b, get("/")).body in (b"v1", b"v2")
    wait_for(lambda: len(a.origin.asked) == 2, "a second request")
    wait_for(lambda: ask(a, get("/")).body != b"v1" and ask(b, get("/")).body != b"v1", "the new page everywhere")


@pytest.mark.parametrize("ill", [500, None])
def test_a_stale_page_of_another_machine_is_better_than_an_error(cluster, memcached, ill):
    one = memcached()
    failing = []

    def reply(asked):
        return answer("ill", f"{ill} Oops") if failing else answer("well", fields="Cache-Control: max-age=1, stale-if-error=60\r\n")
    a, b = cluster([one], reply, options="timeout 2s;")
    assert ask(a, get("/")).body == b"well"
    stored(one)
    failing.append(1)
    if not ill:
        a.origin.close()
    time.sleep(2.1)
    for _ in range(2):
        got = ask(b, get("/"))
        assert (got.status, got.body) == (200, b"well")


def test_who_finds_a_stale_page_of_another_machine_need_not_wait(cluster, memcached):
    one = memcached()
    go_on = threading.Event()
    versions = iter(range(1, 100))

    def reply(asked):
        number = next(versions)
        assert number == 1 or go_on.wait(20)
        return answer(f"v{number}", fields="Cache-Control: max-age=1, stale-while-revalidate=60\r\n")
    a, b = cluster([one], reply, options="timeout 2s;")
    assert ask(a, get("/")).body == b"v1"
    stored(one)
    time.sleep(2.1)
    assert ask(b, get("/")).body == b"v1"
    a.origin.wait_asked(2)
    go_on.set()
    wait_for(lambda: ask(b, get("/")).body == b"v2", "the new page")
    assert len(a.origin.asked) == 2


# --- Purges. ---


def purge(server, target, fields=""):
    return ask(server, get(target, fields, method="PURGE"))


def counted(origin_fields):
    versions = iter(range(1, 1000))
    return lambda asked: answer(f"v{next(versions)}", fields=origin_fields)


@pytest.mark.threads
def test_a_purge_reaches_all_machines(cluster, memcached):
    one = memcached()
    a, b = cluster([one], counted(FRESH))
    assert ask(a, get("/")).body == b"v1"
    stored(one)
    assert ask(b, get("/")).body == b"v1"
    assert purge(a, "/").status < 300
    assert ask(a, get("/")).body == b"v2"
    wait_for(lambda: ask(b, get("/")).body != b"v1", "the purge at the other one", 5)
    assert len(a.origin.asked) <= 3


def test_a_tag_is_purged_everywhere(cluster, memcached):
    one, two = memcached(), memcached()
    a, b = cluster([one, two], counted(FRESH + "Surrogate-Key: news front\r\n"))
    assert ask(a, get("/")).body == b"v1"
    wait_for(lambda: one.keys("pc1:") + two.keys("pc1:"), "the page")
    assert ask(b, get("/")).body == b"v1"
    assert purge(b, "/", "Surrogate-Key: news\r\n").status < 300
    assert ask(b, get("/")).body == b"v2"
    wait_for(lambda: ask(a, get("/")).body != b"v1", "the purge at the other one", 5)


def test_a_soft_purge_is_served_meanwhile(cluster, memcached):
    one = memcached()
    a, b = cluster([one], counted("Cache-Control: max-age=60, stale-while-revalidate=60\r\n"))
    assert ask(a, get("/")).body == b"v1"
    stored(one)
    assert ask(b, get("/")).body == b"v1"
    assert purge(a, "/", "Soft-Purge: 1\r\n").status < 300
    assert ask(a, get("/")).body in (b"v1", b"v2")
    wait_for(lambda: b"v1" not in (ask(a, get("/")).body, ask(b, get("/")).body), "the new page", 5)


def test_a_variant_is_purged_with_its_url(cluster, memcached):
    one = memcached()
    a, b = cluster([one], counted(FRESH + "Vary: Accept-Language\r\n"))
    assert ask(a, get("/", "Accept-Language: de\r\n")).body == b"v1"
    stored(one, 2)
    assert ask(b, get("/", "Accept-Language: de\r\n")).body == b"v1"
    assert purge(a, "/").status < 300
    assert ask(a, get("/", "Accept-Language: de\r\n")).body == b"v2"
    wait_for(lambda: ask(b, get("/", "Accept-Language: de\r\n")).body != b"v1", "the purge at the other one", 5)


@pytest.mark.threads
def test_a_purge_is_not_lost_with_a_server(cluster, memcached):
    servers = [memcached() for _ in range(3)]
    a, b = cluster(servers, counted(FRESH))
    for i in range(20):
        ask(a, get(f"/{i}"))
    wait_for(lambda: sum(len(s.keys("pc1:")) for s in servers) == 20, "the pages")
    bodies = [ask(b, get(f"/{i}")).body for i in range(20)]
    servers[1].kill()
    for i in range(20):
        assert purge(a, f"/{i}").status < 300
    servers[1].start()
    wait_for(lambda: all(ask(b, get(f"/{i}")).body != bodies[i] for i in range(20)), "all purges at the other one", 10)


@pytest.mark.threads
def test_a_machine_that_starts_hears_of_earlier_purges(cluster, memcached, petrel):
    one = memcached()
    a, = cluster([one], counted(FRESH), count=1)
    for i in range(5):
        assert ask(a, get(f"/{i}")).body == f"v{i + 1}".encode()
    stored(one, 5)
    done = subprocess.run([BINARY, "ctl", "-s", f"{a.dir}/admin.sock", "cache", "purge", "--match", "*/3"],
                          capture_output=True, text=True, timeout=20)
    assert done.returncode == 0, done.stderr
    stored(one, 1, "pj1:")
    time.sleep(0.3)
    late = petrel(a.conf)
    late.origin = a.origin
    wait_for(lambda: ask(late, get("/3")).body == b"v6", "the purge at the one that starts")
    assert ask(late, get("/2")).body == b"v3"


# --- Servers that fail. ---


class Load:
    """Requests one after the other, on some connections; counts statuses and times them."""

    def __init__(self, server, target="/page", clients=2):
        self.server, self.target = server, target
        self.times, self.bad = [], []
        self.stopping = threading.Event()
        self.threads = [threading.Thread(target=self.run, args=(i,)) for i in range(clients)]
        for thread in self.threads:
            thread.start()

    def run(self, number):
        n = 0
        with Wire(self.server) as wire:
            while not self.stopping.is_set():
                n += 1
                began = time.monotonic()
                wire.send(get(f"{self.target}/{number}/{n}"))
                got = wire.answer()
                self.times.append((began, time.monotonic() - began))
                if got.status != 200 or got.body != b"hello":
                    self.bad.append(got)
                time.sleep(0.002)

    def stop(self):
        self.stopping.set()
        for thread in self.threads:
            thread.join(30)

    def since(self, at):
        return sorted(took for began, took in self.times if began >= at)


def quantile(times, q):
    return times[min(len(times) - 1, int(len(times) * q))]


def count_of(server, one, name):
    return value(metrics(server), f'petrel_memcached_{name}_total{{memcached="shared",server="{one.address}"}}')


def check_load(load, one, fault_at):
    """No error, and no wait that a visitor would notice: a server that fails is waited for a few times, and then no more.
    How long anything takes is the machine's business: petrel counts how often it waited in vain. One that answers is asked
    on as long as half of its answers come in time."""
    load.stop()
    assert not load.bad
    answered = sum(count_of(load.server, one, name) for name in ("hits", "misses", "errors"))
    assert count_of(load.server, one, "late") + count_of(load.server, one, "lost") <= 20 + answered / 2
    after = load.since(fault_at)
    assert after and quantile(after, 0.5) < 0.5 and after[-1] < 5


def kill(one):
    one.kill()


def stop(one):
    one.stop()


def restart(one):
    one.restart()


@pytest.mark.threads
@pytest.mark.parametrize("fault", [kill, stop, restart])
def test_a_server_fails_under_load(cluster, memcached, fault):
    servers = [memcached(), memcached()]
    a, = cluster(servers, count=1, options="")
    load = Load(a)
    time.sleep(1)
    at = time.monotonic()
    fault(servers[0])
    time.sleep(2.5)
    check_load(load, servers[0], at)


@pytest.mark.parametrize("way", WAYS)
def test_a_server_lies(cluster, memcached, liar, way):
    well, bad = memcached(), liar(WAYS[way])
    a, = cluster([well, bad], count=1, options="")
    at = time.monotonic()
    load = Load(a)
    time.sleep(2.5)
    check_load(load, bad, at)


def test_a_port_that_drops(cluster, memcached, liar):
    """Nobody accepts, and the queue is full: a connection is never refused, and never made."""
    full = liar(None, backlog=0)
    held = []
    for _ in range(3):
        sock = socket.socket()
        sock.setblocking(False)
        sock.connect_ex(("127.0.0.1", full.port))
        held.append(sock)
    a, = cluster([memcached(), full], count=1, options="")
    load = Load(a)
    time.sleep(2.5)
    check_load(load, full, 0)
    for sock in held:
        sock.close()


@pytest.mark.parametrize("server", ["240.0.0.1:11211", "127.0.0.1:1", "no.such.name.invalid:11211", "unix:/no/such/socket"])
def test_a_server_that_can_not_be_reached(cluster, server):
    a, = cluster([server], count=1)
    began = time.monotonic()
    for i in range(50):
        assert ask(a, get(f"/{i}")).body == b"hello"
    assert time.monotonic() - began < 20    # of a hundred seconds, were each to wait for it


@pytest.mark.threads
def test_it_comes_back(cluster, memcached):
    one = memcached()
    a, b = cluster([one])
    ask(a, get("/1"))
    stored(one)
    one.kill()
    assert ask(a, get("/2")).body == b"hello"
    a.wait_said("closed a connection: it is not asked for now")
    one.start()
    a.wait_said("is well again")
    b.wait_said("is well again")
    pages = iter(range(3, 1000))

    def is_shared():
        """It is asked more and more often again, by either."""
        page, before = get(f"/{next(pages)}"), len(a.origin.asked)
        assert ask(a, page).body == ask(b, page).body == b"hello"
        return len(a.origin.asked) == before + 1

    wait_for(is_shared, "a page that was asked for once")


@pytest.mark.threads
def test_no_room(cluster, memcached):
    """Everything is evicted all the time, or can't be stored at all."""
    one = memcached(None, "-m", "2", "-M")
    a, = cluster([one], lambda asked: answer(b"hello" * 20000, fields=FRESH), count=1)
    for i in range(200):
        assert len(ask(a, get(f"/{i}")).body) == 100000
    assert ask(a, get("/0")).status == 200


@pytest.mark.threads
def test_a_reload_keeps_connections(cluster, memcached):
    one = memcached()
    a, = cluster([one], count=1, loops=2)
    ask(a, get("/1"))
    stored(one)
    before = int(dict(x.split()[1:] for x in stats(one))["total_connections"])
    for _ in range(3):
        a.reload()
    ask(a, get("/2"))
    stored(one, 2)
    # One of them is this test's own.
    assert int(dict(x.split()[1:] for x in stats(one))["total_connections"]) - before <= 3
    a.reload(a.conf.replace("timeout 2s;", "timeout 1s;"))
    assert ask(a, get("/1")).body == b"hello"


def stats(one):
    with one.connect() as sock, sock.makefile("rwb") as file:
        file.write(b"stats\r\n")
        file.flush()
        found = []
        while (line := file.readline().decode().strip()) != "END":
            found.append(line)
    return found
