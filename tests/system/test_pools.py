"""Pools: who is asked, who waits, what is tried again, and who is left alone for a while."""

import collections
import os
import select
import socket
import subprocess
import sys
import threading
import time

import pytest
from conftest import SLOW, free_port, wait_for
from origins import answer, hang, http, once
from wire import Wire, ask, get

pytestmark = pytest.mark.threads

CONF = """
loops LOOPS;
listen 127.0.0.1:{port};
error_log {dir}/error.log info;
limits { connections 0; min_rate 0; }
pool api { SERVERS RULES }
site * { route * { proxy api; } }
"""


class Counting:
    """Answers with its name, and counts; busy: holds requests until they are let go."""

    def __init__(self, name, status="200 OK"):
        self.name, self.status = name, status
        self.count = 0
        self.held = threading.Semaphore(0)
        self.hold = False
        self.waiting = 0

    def reply(self, asked):
        self.count += 1
        if self.hold:
            self.waiting += 1
            assert self.held.acquire(timeout=20)
        return answer(self.name, self.status)


@pytest.fixture
def pooled(petrel, origin):
    """pooled(3, rules): petrel before three origins, in server.members and server.origins; each gets its line's extras."""
    def start(count, rules="", extras=None, loops=1):
        members = [Counting(chr(ord("a") + n)) for n in range(count)]
        origins = [origin(http(member.reply)) for member in members]
        lines = "".join(f"server {one.address} {(extras or {}).get(n, '')};\n" for n, one in enumerate(origins))
        server = petrel(CONF.replace("SERVERS", lines).replace("RULES", rules).replace("LOOPS", str(loops)))
        server.members, server.origins = members, origins
        return server
    return start


def log_of(server):
    log = server.dir / "error.log"
    return log.read_text(errors="replace") if log.exists() else ""


def said(server, words):
    wait_for(lambda: words in log_of(server), f"{words!r} in:\n{log_of(server)}")


def counts(server, requests, path=lambda n: "/", fields=lambda n: ""):
    """Who answered how many of so many requests, one after the other."""
    seen = collections.Counter()
    with Wire(server) as w:
        for n in range(requests):
            a = w.ask(get(path(n), fields(n)))
            assert a.status == 200, a
            seen[a.body.decode()] += 1
    return dict(seen)


class Burst:
    """Requests at the same time, each on a connection of its own."""

    def __init__(self, server, count, target="/", fields=""):
        self.wires = [Wire(server) for _ in range(count)]
        self.begin = time.monotonic()
        for w in self.wires:
            w.send(get(target, fields))

    def answers(self):
        out = [w.answer() for w in self.wires]
        for w in self.wires:
            w.sock.close()
        return out


# --- Balance. ---

def test_round_robin(pooled):
    assert counts(pooled(3), 30) == {"a": 10, "b": 10, "c": 10}


def test_round_robin_by_weight(pooled):
    server = pooled(3, extras={0: "weight 3", 1: "weight 2"})
    assert counts(server, 60) == {"a": 30, "b": 20, "c": 10}
    with Wire(server) as w:
        order = "".join(w.ask(get()).body.decode() for _ in range(6))
    assert "aaa" not in order + order, "smooth"


def test_least_connections(pooled):
    server = pooled(2, "balance least_connections;")
    for member in server.members:
        member.hold = True
    first = Burst(server, 6)
    wait_for(lambda: [one.waiting for one in server.members] == [3, 3], "three each")
    server.members[0].hold = False
    server.members[0].held.release(3)
    wait_for(lambda: sum(readable(w) for w in first.wires) == 3, "three answers")
    assert counts(server, 5) == {"a": 5}
    server.members[1].held.release(3)
    assert sorted(a.body for a in first.answers()) == [b"a"] * 3 + [b"b"] * 3


def readable(w):
    return bool(select.select([w.sock], [], [], 0)[0])


def test_random_two(pooled):
    """The better of two: all get about the same."""
    server = pooled(4, "balance random_two;")
    for member in server.members:
        member.hold = True
    burst = Burst(server, 80)
    wait_for(lambda: sum(one.waiting for one in server.members) == 80, "all of them")
    assert all(14 <= one.waiting <= 26 for one in server.members), [one.waiting for one in server.members]
    for member in server.members:
        member.held.release(80)
    assert all(a.status == 200 for a in burst.answers())


def test_hash(pooled):
    """Always the same for a key; when a server goes, the others keep theirs."""
    server = pooled(4, "balance hash $path; retry 2; eject 1 for 60s; retry_budget 100%;")

    def places():
        with Wire(server) as w:
            return {n: w.ask(get(f"/{n}")).body for n in range(200)}
    before = places()
    assert places() == before
    spread = collections.Counter(before.values())
    assert len(spread) == 4 and min(spread.values()) >= 15, spread
    server.origins[0].close()
    after = places()
    moved = [n for n in before if before[n] != after[n]]
    assert all(before[n] == b"a" for n in moved)
    assert b"a" not in after.values()


def test_sticky(pooled):
    server = pooled(3, "sticky cookie WHO;")
    with Wire(server) as w:
        a = w.ask(get())
        cookie = a["set-cookie"].split(";")[0]
        assert cookie.startswith("WHO=")
        for _ in range(10):
            again = w.ask(get("/", f"Cookie: x=y; {cookie}\r\n"))
            assert again.body == a.body and again["set-cookie"] is None
        # Nonsense is no server.
        assert w.ask(get("/", "Cookie: WHO=zzz\r\n"))["set-cookie"]
        server.origins[ord(a.body) - ord("a")].close()
        again = w.ask(get("/", f"Cookie: {cookie}\r\n"))
        assert again.status == 200 and again.body != a.body and again["set-cookie"]


def test_backup(pooled):
    server = pooled(3, extras={2: "backup"})
    assert "c" not in counts(server, 10)
    server.origins[0].close()
    assert counts(server, 10).keys() <= {"b"}
    server.origins[1].close()
    assert counts(server, 10) == {"c": 10}


# --- Limits and the queue. ---

def test_connections_and_the_queue(pooled):
    """As many as there are slots at a time; the rest waits its turn."""
    server = pooled(2, "queue 100 timeout 10s;", {0: "connections 2", 1: "connections 1"})
    for member in server.members:
        member.hold = True
    burst = Burst(server, 20)
    wait_for(lambda: [one.waiting for one in server.members] == [2, 1], "three at a time")
    time.sleep(0.05)
    assert [one.waiting for one in server.members] == [2, 1]
    for member in server.members:
        member.hold = False
        member.held.release(2)
    assert all(a.status == 200 for a in burst.answers())


def test_time_in_the_queue_is_not_the_servers(pooled):
    """Its own deadlines begin when it is its turn."""
    rules = "queue 100 timeout 10s; keepalive off; retry 0; timeout connect 20ms answer 5s;"
    server = pooled(1, rules, {0: "connections 1"})
    server.members[0].hold = True
    burst = Burst(server, 10)
    wait_for(lambda: server.members[0].waiting == 1, "the first")
    time.sleep(0.1)
    server.members[0].hold = False
    server.members[0].held.release()
    assert [a.status for a in burst.answers()] == [200] * 10, log_of(server)


def test_a_full_queue(pooled):
    """Past its length: 503 at once."""
    server = pooled(1, "queue 5 timeout 10s;", {0: "connections 1"})
    server.members[0].hold = True
    burst = Burst(server, 6)
    wait_for(lambda: server.members[0].waiting == 1, "the first")
    begin = time.monotonic()
    late = Burst(server, 10).answers()
    assert [a.status for a in late] == [503] * 10 and all(a["retry-after"] for a in late)
    assert time.monotonic() - begin < 5     # of the ten seconds for which the others wait
    server.members[0].hold = False
    server.members[0].held.release()
    assert all(a.status == 200 for a in burst.answers())


def test_no_queue(pooled):
    server = pooled(1, "queue 0;", {0: "connections 1"})
    server.members[0].hold = True
    burst = Burst(server, 1)
    wait_for(lambda: server.members[0].waiting == 1, "the first")
    assert ask(server, get()).status == 503
    server.members[0].held.release()
    assert burst.answers()[0].status == 200


def test_the_queues_deadline(pooled):
    server = pooled(1, "queue 100 timeout 300ms;", {0: "connections 1"})
    server.members[0].hold = True
    first = Burst(server, 1)
    wait_for(lambda: server.members[0].waiting == 1, "the first")
    burst = Burst(server, 20)
    late = burst.answers()
    took = time.monotonic() - burst.begin
    assert [a.status for a in late] == [503] * 20
    assert 0.29 <= took <= 3, took
    server.members[0].hold = False
    server.members[0].held.release()
    assert first.answers()[0].status == 200


def test_classes(pooled):
    """Who is more important is served first, whenever he came."""
    server = pooled(1, "queue 100 timeout 20s; queue_class $query_string;", {0: "connections 1"})
    member, order = server.members[0], []

    def reply(asked):
        order.append(asked.target)
        return Counting.reply(member, asked)
    server.origins[0].script = http(reply)
    member.hold = True
    bursts = [Burst(server, 1, "/first")]
    wait_for(lambda: member.waiting == 1, "the first")
    for target in "/c?2", "/b?1", "/odd?x", "/a?0":
        bursts.append(Burst(server, 1, target))
        assert ask(server, b"OPTIONS * HTTP/1.1\r\nHost: a\r\n\r\n").status == 204
    member.hold = False
    member.held.release()
    assert all(burst.answers()[0].status == 200 for burst in bursts)
    assert order == ["/first", "/a?0", "/b?1", "/odd?x", "/c?2"]


@pytest.mark.parametrize("loops", [1, 2])
def test_never_more_than_its_connections(pooled, loops):
    """Whatever loops ask: a server never has more than its share."""
    extras = {0: "connections 3", 1: "connections 2"}
    server = pooled(2, "queue 1000 timeout 20s; balance least_connections;", extras, loops)
    most, now, lock = [0, 0], [0, 0], threading.Lock()

    def slow(n):
        def reply(asked):
            with lock:
                now[n] += 1
                most[n] = max(most[n], now[n])
            time.sleep(0.002)
            with lock:
                now[n] -= 1
            return answer("x")
        return http(reply)
    for n in 0, 1:
        server.origins[n].script = slow(n)
    for _ in range(3):
        assert all(a.status == 200 for a in Burst(server, 60).answers())
    assert most[0] <= 3 and most[1] <= 2, most


# --- Retries. ---

def failing(server, n, script):
    server.origins[n].script = script


def closes_after(peer):
    peer.ask()


RETRIED = [
    ("closes", once(), "retry 1;", 200),
    ("closes in a small answer", once(b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nabc"), "retry 1;", 200),
    ("hangs", hang, "retry 1 on timeout; timeout answer 100ms;", 200),
    ("hangs, but that is not retried", hang, "retry 1 on connect; timeout answer 100ms;", 504),
    ("503", once(answer("", "503 Oh", "Connection: close\r\n")), "retry 1 on 503;", 200),
    ("503, and its connection stays", http(lambda asked: answer("", "503 Oh")),
     "retry 1 on 503; balance least_connections;", 200),
    ("503, but that is not retried", once(answer("", "503 Oh", "Connection: close\r\n")), "retry 1;", 503),
    ("429", once(answer("", "429 Oh", "Connection: close\r\n")), "retry 1 on 429;", 200),
    ("garbage", once(b"nonsense\r\n\r\n"), "retry 1;", 200),
    ("no retries", once(), "retry 0;", 502),
]


@pytest.mark.parametrize("script, rules, status", [row[1:] for row in RETRIED], ids=[row[0] for row in RETRIED])
def test_retries(pooled, script, rules, status):
    server = pooled(2, rules + " retry_budget 100%; eject 0;")
    failing(server, 0, script)
    with Wire(server) as w:
        statuses = [w.ask(get()).status for _ in range(6)]
    assert statuses == [200] * 6 if status == 200 else sorted(statuses) == sorted([200] * 3 + [status] * 3)


def test_only_what_is_safe_is_sent_twice(pooled):
    server = pooled(2, "retry 3; retry_budget 100%; eject 0;")
    failing(server, 0, once())
    post = b"POST /x HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n\r\nabc"
    with Wire(server) as w:
        statuses = [w.ask(post).status for _ in range(4)]
        assert sorted(statuses) == [200, 200, 502, 502]
        seen = len(server.origins[0].asked), len(server.origins[1].asked)
        assert seen == (2, 2)
        assert [w.ask(post.replace(b"POST", b"PUT")).status for _ in range(4)] == [200] * 4
    assert all(asked.body == b"abc" for one in server.origins for asked in one.asked)


def test_what_was_not_sent_goes_elsewhere(pooled):
    """No connection: anything can be sent to another server, with its body."""
    server = pooled(2, "retry 1; retry_budget 100%; eject 0;")
    server.origins[0].close()
    body = os.urandom(500000)
    with Wire(server) as w:
        for _ in range(4):
            w.send(b"POST /x HTTP/1.1\r\nHost: a\r\nContent-Length: 500000\r\n\r\n" + body)
            assert w.answer().status == 200
    assert [asked.body == body for asked in server.origins[1].asked] == [True] * 4


def test_a_body_is_sent_again(pooled):
    """From memory and from a file, the whole of it."""
    server = pooled(2, "retry 1; retry_budget 100%; eject 0;")
    failing(server, 0, once())
    for size in 1000, 600000:
        body = os.urandom(size)
        with Wire(server) as w:
            for _ in range(2):
                w.send(b"PUT /x HTTP/1.1\r\nHost: a\r\nContent-Length: %d\r\n\r\n" % size + body)
                assert w.answer().status == 200
        assert server.origins[1].asked[-1].body == body


def test_a_streamed_body_is_not(pooled):
    server = pooled(2, "retry 1; retry_budget 100%; eject 0; request_body stream;")
    failing(server, 0, once())
    with Wire(server) as w:
        statuses = []
        for _ in range(4):
            w.send(b"PUT /x HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n\r\nabc")
            statuses.append(w.answer().status)
    assert sorted(statuses) == [200, 200, 502, 502]


def test_a_status_that_stays(pooled):
    """When no server knows better, its answer is the answer."""
    server = pooled(2, "retry 1 on 503; retry_budget 100%; eject 0;")
    for n in 0, 1:
        failing(server, n, once(answer("mine", "503 Oh")))
    a = ask(server, get())
    assert (a.status, a.body) == (503, b"mine")


def test_the_budget(pooled):
    """Servers that fail are not buried in retries; a failed request keeps its own answer."""
    server = pooled(2, "retry 5 on 503; retry_budget 10%; eject 0;")
    for n in 0, 1:
        failing(server, n, http(lambda asked: answer("mine", "503 Oh")))
    with Wire(server) as w:
        for _ in range(100):
            a = w.ask(get())
            assert (a.status, a.body) == (503, b"mine"), a
    asked = sum(len(one.asked) for one in server.origins)
    assert 100 <= asked <= 160, asked


# --- Health. ---

def test_ejection(pooled):
    """So many failures in a row, and it is left alone for a while."""
    server = pooled(2, "retry 1; retry_budget 100%; eject 3 for 300ms;")
    failing(server, 0, once())
    assert counts(server, 20) == {"b": 20}
    assert len(server.origins[0].peers) == 3
    said(server, "3 failed in a row")
    failing(server, 0, http(server.members[0].reply))
    wait_for(lambda: counts(server, 2).get("a"), "a to come back")
    assert counts(server, 10) == {"a": 5, "b": 5}


def test_a_well_server_is_not_left_alone_for_long(pooled):
    """It failed requests, and its health check finds it well: as often as `rise` says ends its time early."""
    server = pooled(2, "retry 1; retry_budget 100%; eject 3 for 1h; health GET /health every 50ms timeout 2s rise 4;")
    member, failed = server.members[0], []

    def reply(asked):
        if asked.target != "/health" and len(failed) < 3:
            failed.append(asked)
            return b"nonsense\r\n\r\n"
        return Counting.reply(member, asked)
    failing(server, 0, http(reply))
    wait_for(lambda: all(one.asked for one in server.origins), "looks")
    wait_for(lambda: counts(server, 2) and len(failed) == 3, "failures")
    begin = time.monotonic()
    said(server, "3 failed in a row")
    wait_for(lambda: counts(server, 2).get("a"), "a to come back")
    assert time.monotonic() - begin > 0.15
    said(server, "gets requests again: its health check has found it well since")


def test_a_slow_server_is_left_alone(pooled):
    """One that takes many times as long as the others, and never fails."""
    server = pooled(3, "eject 5 for 1h slower 4;")

    def slow(asked):
        time.sleep(0.2 if SLOW else 0.05)
        return answer("a")
    failing(server, 0, http(slow))
    counts(server, 12)
    said(server, f"{server.origins[0].address} gets no requests for 3600000 ms: it takes ")
    assert counts(server, 6) == {"b": 3, "c": 3}


def test_all_are_ejected(pooled):
    """Then they are asked all the same: nobody else could be."""
    server = pooled(2, "retry 0; eject 1 for 60s;")
    for n in 0, 1:
        failing(server, n, once())
    for _ in range(4):
        assert ask(server, get()).status == 502
    for n in 0, 1:
        failing(server, n, http(server.members[n].reply))
    assert ask(server, get()).status == 200


def test_health_by_http(pooled):
    server = pooled(2, "health GET /health every 30ms timeout 500ms rise 2 fall 2 expect 200 body fine; retry 0;")
    asked = wait_for(lambda: [one for one in server.origins[0].asked if one.target == "/health"], "a look")
    assert asked[0].method == "GET"
    # Without the words it was never well: no server, no answer.
    wait_for(lambda: ask(server, get()).status == 503, "nobody to be well")
    for n in 0, 1:
        server.members[n].name = "abfine"[n] + " is fine"
    wait_for(lambda: counts_or_none(server, 4) == 2, "both to be well")
    server.members[0].status = "500 Oh"
    wait_for(lambda: ask(server, get()).status == 200 and counts_or_none(server, 4) == 1, "one of them to be sick")
    said(server, "is sick")
    server.members[0].status = "200 OK"
    wait_for(lambda: counts_or_none(server, 4) == 2, "both to be well again")
    said(server, "is well again")


def counts_or_none(server, requests):
    """How many servers answered, 0 where something else than 200 came."""
    answers = [ask(server, get()) for _ in range(requests)]
    return len({a.body for a in answers}) if all(a.status == 200 for a in answers) else 0


def test_health_takes_the_whole_answer(petrel):
    """A server that writes its answer in pieces finds nobody gone when it comes to the last one."""
    ends = []
    with socket.create_server(("127.0.0.1", 0)) as listener:
        def serve():
            while len(ends) < 3:
                client = listener.accept()[0]
                with client:
                    client.recv(4096)
                    try:
                        for piece in b"HTTP/1.0 200 OK\r\n", b"\r\n", b"x" * 1000, b"y" * 1000:
                            client.sendall(piece)
                            time.sleep(0.02)
                        ends.append(client.recv(1, socket.MSG_DONTWAIT))
                    except BlockingIOError:
                        ends.append("still there")
                    except OSError as error:
                        ends.append(error)
        threading.Thread(target=serve, daemon=True).start()
        petrel(CONF.replace("SERVERS", f"server 127.0.0.1:{listener.getsockname()[1]};").replace("LOOPS", "1")
               .replace("RULES", "health GET / every 200ms timeout 1s;"))
        wait_for(lambda: len(ends) == 3, "three looks")
    assert ends == ["still there"] * 3


def test_health_by_tcp(pooled):
    server = pooled(2, "health tcp every 30ms timeout 500ms rise 1 fall 1; retry 0; eject 0;")
    assert counts(server, 4) == {"a": 2, "b": 2}
    server.origins[0].close()
    said(server, "is sick")
    assert counts(server, 6) == {"b": 6}


def test_a_name_that_is_not_found(petrel, origin):
    """Keeps nothing from starting: 503 until it is, and the others are asked."""
    one = origin(http())
    server = petrel("""loops 1; listen 127.0.0.1:{port}; error_log {dir}/error.log;
pool none { server no-such-name.invalid:80; }
pool some { server no-such-name.invalid:80; server ORIGIN; }
site * { route /none { proxy none; } route /some { proxy some; } route /direct { proxy http://no-such-name.invalid; }
         route * { respond 200 "fine"; } }""".replace("ORIGIN", one.address))
    with Wire(server) as w:
        assert w.ask(get()).body == b"fine"
        assert w.ask(get("/none")).status == 503
        assert w.ask(get("/direct")).status == 503
        for _ in range(4):
            assert w.ask(get("/some")).body == b"hello"
    said(server, "can't be found")


def test_localhost_is_found(petrel, origin):
    one = origin(http())
    server = petrel("loops 1; listen 127.0.0.1:{port}; site * { route * { proxy http://localhost:%d; } }" % one.port)
    wait_for(lambda: ask(server, get()).status == 200, "localhost")


# --- Killed under load. ---

BACKEND = """
import socket, sys, threading
listener = socket.socket()
listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
listener.bind(("127.0.0.1", int(sys.argv[1])))
listener.listen(1024)
BODY = b"x" * 2000
def serve(sock):
    left = b""
    while True:
        while b"\\r\\n\\r\\n" not in left:
            got = sock.recv(65536)
            if not got:
                return
            left += got
        left = left.partition(b"\\r\\n\\r\\n")[2]
        sock.sendall(b"HTTP/1.1 200 OK\\r\\nContent-Length: 2000\\r\\n\\r\\n" + BODY[:700])
        sock.sendall(BODY[700:])
while True:
    sock, _ = listener.accept()
    threading.Thread(target=serve, args=(sock,), daemon=True).start()
"""


class Backend:
    def __init__(self):
        self.port = free_port()
        self.start()

    def start(self):
        self.process = subprocess.Popen([sys.executable, "-c", BACKEND, str(self.port)])

    def wait_ready(self):
        def ready():
            with socket.socket() as s:
                return s.connect_ex(("127.0.0.1", self.port)) == 0
        wait_for(ready, "the backend")

    def kill(self):
        self.process.kill()
        self.process.wait()


def test_a_server_that_is_killed_under_load(petrel):
    """Again and again: not one failed request."""
    members = [Backend(), Backend()]
    for one in members:
        one.wait_ready()
    lines = "".join(f"server 127.0.0.1:{one.port};" for one in members)
    server = petrel(CONF.replace("SERVERS", lines).replace("LOOPS", "2")
                    .replace("RULES", "retry 3; retry_budget 100%; eject 1 for 50ms;"))
    over, bad, count = threading.Event(), [], [0] * 8

    def load(n):
        with Wire(server) as w:
            while not over.is_set():
                a = w.ask(get())
                count[n] += 1
                if a.status != 200 or a.body != b"x" * 2000:
                    bad.append(a)
    threads = [threading.Thread(target=load, args=(n,)) for n in range(8)]
    for thread in threads:
        thread.start()
    for round_ in range(4 if SLOW else 10):
        one = members[round_ % 2]
        before = sum(count)
        one.kill()
        wait_for(lambda: sum(count) > before + 50, "answers of the other")
        one.start()
        one.wait_ready()
        time.sleep(0.06)
    over.set()
    for thread in threads:
        thread.join()
    for one in members:
        one.kill()
    assert not bad, (bad[:3], log_of(server))
    assert all(count)
