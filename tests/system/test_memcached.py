"""The memcached handler: what applications stored there is answered, and what is not there the next route answers."""

import re
import shutil
import signal
import subprocess
import time

import pytest
from conftest import BINARY, wait_for
from memcacheds import WAYS, Liar, Memcached
from origins import answer, http
from test_metrics import metrics, value
from wire import Wire, ask, get

CONF = """
loops 2;
error_log stderr info;
listen 127.0.0.1:{port};
admin unix:{dir}/admin.sock;
memcached shared { SERVERS timeout TIMEOUT; }
site * {
    route /kv/*   { memcached shared { OPTIONS } }
    route /only/* { memcached shared { key $1; miss 404; } }
    route /page/* { memcached shared { key "page:$host:$1"; type "text/html; charset=utf-8"; } }
    route /php/*  { memcached shared { flags php; type text/plain; } }
    route /any/*  { memcached shared { flags any; } }
    route ~ ^/re  { memcached shared; }
    route /kv/a*  { respond 203 "a: $1\\n"; }
    route *       { REST }
}
"""


@pytest.fixture
def servers():
    started = []

    def start(count=1, path=None):
        started.extend(Memcached(path) for _ in range(count))
        return started[-count:]

    yield start
    for one in started:
        one.end()


def warm(server, servers):
    """Until all loops have connections to all of them: a request never waits for one."""
    for i in range(20):
        place(servers, f"warm{i}", b"warm")
    wait_for(lambda: all(ask(server, get(f"/any/warm{i}")).status == 200 for i in range(20)), "connections")


@pytest.fixture
def serve(petrel):
    # A busy machine is no reason for a miss, where a miss is not the matter.
    def start(servers, options="", rest='respond 202 "the rest\\n";', timeout="2s"):
        listed = " ".join(f"server {s if isinstance(s, str) else s.address};" for s in servers)
        server = petrel(CONF.replace("SERVERS", listed).replace("OPTIONS", options).replace("REST", rest)
                        .replace("TIMEOUT", timeout))
        real = [s for s in servers if isinstance(s, Memcached)]
        if len(real) == len(servers):
            warm(server, real)
        return server
    return start


def place(servers, key, value, flags=0):
    """As an application's client would: all have it, so that nobody has to know which is the one."""
    for one in servers:
        one.set(key, value, flags)


@pytest.mark.threads
def test_a_key_is_answered(serve, servers):
    some = servers(3)
    server = serve(some)
    place(some, "x.css", b"body { }")
    got = ask(server, get("/kv/x.css"))
    assert (got.status, got.body) == (200, b"body { }")
    assert got["content-type"] == "text/css; charset=utf-8"
    assert got["content-length"] == "8"
    with Wire(server) as wire:
        wire.send(get("/kv/x.css", method="HEAD"))
        got = wire.answer(method="HEAD")
        assert (got.status, got["content-length"], got.body) == (200, "8", b"")


def test_a_miss_falls_through(serve, servers):
    server = serve(servers(2))
    assert ask(server, get("/kv/none")).status == 202
    got = ask(server, get("/kv/around"))
    assert (got.status, got.body) == (203, b"a: round\n")
    assert ask(server, get("/only/none")).status == 404
    assert ask(server, get("/kv/a", "Content-Length: 2\r\n", method="POST") + b"hi").status == 203
    assert ask(server, get("/only/a", "Content-Length: 2\r\n", method="POST") + b"hi").status == 405


def test_a_body_goes_on_with_its_request(serve, servers, origin):
    one = origin(http(lambda asked: answer(asked.body)))
    server = serve(servers(), rest=f"proxy http://{one.address};")
    assert ask(server, get("/kv/x", "Content-Length: 5\r\n", method="PUT") + b"hello").body == b"hello"
    assert ask(server, get("/kv/x")).status == 200
    assert [r.method for r in one.asked] == ["PUT", "GET"]


def test_keys(serve, servers):
    some = servers()
    server = serve(some)
    place(some, "page:a:front", b"<p>")
    got = ask(server, get("/page/front"))
    assert (got.body, got["content-type"]) == (b"<p>", "text/html; charset=utf-8")
    place(some, "re/x", b"regex")
    assert ask(server, get("/re/x")).body == b"regex"
    # Blanks and control characters can only be asked for in base64.
    assert some[0].ask("ms YSBi 3 b", b"a b")[0].startswith("HD")
    assert ask(server, get("/kv/a%20b")).body == b"a b"
    for n, status in ((250, 200), (251, 202)):
        if n == 250:
            place(some, "k" * n, b"long")
        assert ask(server, get("/kv/" + "k" * n)).status == status
    assert ask(server, get("/kv/")).status == 202


def test_pages_of_caches_are_not_for_everyone(serve, servers):
    some = servers()
    server = serve(some)
    for key in ("pc1:pages:0123", "pt1:pages:1", "pu1:pages:1", "pj1:pages:1:a"):
        place(some, key, b"secret")
        assert ask(server, get(f"/kv/{key}")).status == 202


def test_flags(serve, servers):
    some = servers()
    server = serve(some)
    rows = {0: "kpa", 1: "pa", 2: "pa", 3: "a", 4: "a", 5: "a", 6: "pa", 16: "a", 48: "a", 1 << 16: "pa"}
    for flags, who in rows.items():
        place(some, f"f{flags}", b"x", flags)
        for letter, prefix in (("k", "kv"), ("p", "php"), ("a", "any")):
            assert (ask(server, get(f"/{prefix}/f{flags}")).status == 200) == (letter in who), (flags, prefix)


def test_stubs_are_no_values(serve, servers):
    one, = servers()
    server = serve([one])
    assert one.ask("mg stub v N30")[0].endswith("W")
    assert ask(server, get("/kv/stub")).status == 202
    place([one], "empty", b"")
    assert ask(server, get("/kv/empty")).status == 200


def test_conditions_and_ranges(serve, servers):
    some = servers()
    server = serve(some)
    place(some, "x.txt", b"0123456789")
    whole = ask(server, get("/kv/x.txt"))
    etag = whole["etag"]
    assert ask(server, get("/kv/x.txt", f"If-None-Match: {etag}\r\n")).status == 304
    assert ask(server, get("/kv/x.txt", 'If-Match: "other"\r\n')).status == 412
    got = ask(server, get("/kv/x.txt", "Range: bytes=2-4\r\n"))
    assert (got.status, got.body) == (206, b"234")
    assert b"89" in ask(server, get("/kv/x.txt", "Range: bytes=0-1,8-9\r\n")).body
    assert ask(server, get("/kv/x.txt", "Range: bytes=20-\r\n")).status == 416
    place(some, "x.txt", b"another")
    assert ask(server, get("/kv/x.txt", f"If-None-Match: {etag}\r\n")).status == 200


def test_a_unix_socket(serve, servers, public):
    some = servers(path=public / "m.sock")
    server = serve(some)
    place(some, "x", b"local")
    assert ask(server, get("/kv/x")).body == b"local"


def test_large_values(serve, servers):
    some = servers()
    server = serve(some)
    value = bytes(range(256)) * 4000
    place(some, "large", value)
    with Wire(server) as wire:
        for _ in range(5):
            wire.send(get("/kv/large"))
        assert all(wire.answer().body == value for _ in range(5))


@pytest.mark.threads
def test_many_at_once(serve, servers):
    some = servers(3)
    server = serve(some)
    for i in range(50):
        place(some, f"k{i}", f"value {i}".encode())
    wires = [Wire(server) for _ in range(40)]
    for turn in range(10):
        for i, wire in enumerate(wires):
            wire.send(get(f"/kv/k{(i + turn) % 60}"))
        for i, wire in enumerate(wires):
            n = (i + turn) % 60
            got = wire.answer()
            assert (got.status, got.body) == ((200, f"value {n}".encode()) if n < 50 else (202, b"the rest\n"))
    for wire in wires:
        wire.sock.close()


def test_keys_are_where_libmemcached_puts_them(serve, servers):
    pylibmc = pytest.importorskip("pylibmc")
    some = servers(5)
    client = pylibmc.Client([f"127.0.0.1:{s.port}" for s in some], behaviors={"ketama_weighted": True})
    server = serve(some)
    for i in range(200):
        client.set(f"key:{i}", f"{i}".encode())
    with Wire(server) as wire:
        for i in range(200):
            wire.send(get(f"/kv/key:{i}"))
            got = wire.answer()
            assert (got.status, got.body) == (200, f"{i}".encode())


@pytest.mark.skipif(not shutil.which("php"), reason="no php")
def test_what_php_stores(serve, servers):
    some = servers(2)
    server = serve(some)
    done = subprocess.run(["php", "-r", f"""
        $m = new Memcached();
        $m->setOption(Memcached::OPT_LIBKETAMA_COMPATIBLE, true);
        $m->addServers([{", ".join(f"['127.0.0.1', {s.port}]" for s in some)}]);
        $m->set('string', 'hello');
        $m->set('number', 42);
        $m->set('array', [1, 2]);
        $m->set('true', true);
        $m->setOption(Memcached::OPT_COMPRESSION, true);
        $m->set('compressed', str_repeat('x', 5000));
        $m->setOption(Memcached::OPT_SERIALIZER, Memcached::SERIALIZER_JSON);
        $m->set('json', ['a' => 1]);
    """], capture_output=True, text=True, timeout=30)
    assert done.returncode == 0, done.stderr
    bodies = {"string": b"hello", "number": b"42", "json": b'{"a":1}'}
    for key in ("string", "number", "array", "true", "compressed", "json"):
        got = ask(server, get(f"/php/{key}"))
        assert (got.status, got.body) == ((200, bodies[key]) if key in bodies else (202, b"the rest\n")), key


# --- Servers that fail. ---


@pytest.mark.threads
def test_a_dead_server_is_a_miss(serve, servers):
    some = servers(2)
    server = serve(some)
    for i in range(40):
        place(some, f"k{i}", b"v")
    assert {ask(server, get(f"/kv/k{i}")).status for i in range(40)} == {200}
    some[0].kill()
    statuses = [ask(server, get(f"/kv/k{i}")).status for i in range(40)]
    assert set(statuses) == {200, 202}
    # Nobody else takes over its keys.
    assert 5 < statuses.count(202) < 35
    some[0].start()
    for i in range(40):
        place(some[:1], f"k{i}", b"v")
    wait_for(lambda: {ask(server, get(f"/kv/k{i}")).status for i in range(40)} == {200}, "the server's return")


def late(server, one):
    """How often petrel waited for it in vain."""
    return value(metrics(server), f'petrel_memcached_late_total{{memcached="shared",server="{one.address}"}}')


@pytest.mark.threads
def test_a_stopped_server_is_waited_for_briefly(serve, servers):
    some = servers()
    server = serve(some, timeout="20ms")
    place(some, "k", b"v")
    wait_for(lambda: ask(server, get("/kv/k")).status == 200, "a hit")
    some[0].stop()
    began = time.monotonic()
    for _ in range(30):
        assert ask(server, get("/kv/k")).status == 202
    assert time.monotonic() - began < 10
    assert late(server, some[0]) <= 8
    some[0].signal(signal.SIGCONT)
    wait_for(lambda: ask(server, get("/kv/k")).status == 200, "the server's return")


@pytest.mark.parametrize("way", WAYS)
def test_a_lying_server_is_a_miss(serve, way):
    bad = Liar(WAYS[way])
    server = serve([bad], timeout="20ms")
    began = time.monotonic()
    for i in range(60):
        got = ask(server, get(f"/kv/k{i}"))
        assert got.status == 202 or way == "no page" and got.body == b"hello"
    assert time.monotonic() - began < 30
    bad.close()


# --- Looking at it. ---


def test_explained(serve, servers):
    some = servers()
    server = serve(some)
    done = subprocess.run([BINARY, "ctl", "-s", f"{server.dir}/admin.sock", "explain", "http://a/kv/abc"],
                          capture_output=True, text=True, timeout=20)
    assert done.returncode == 0, done.stderr
    text = re.sub(r"\s+", " ", done.stdout)
    assert 'asks memcached shared for the key "abc"' in text
    assert "the next route that matches" in text
    assert "/kv/a*" in text and "answers 203" in text


def test_checked(command, tmp_path):
    conf = tmp_path / "x.conf"

    def check(text):
        conf.write_text("listen 127.0.0.1:1;\n" + text)
        return command("check", "-c", conf)

    fine = check("memcached a { server 127.0.0.1:11211; server [::1]:11211 weight 3; server x.test:11211; server unix:/x; }\n"
                 "site * { route /kv/* { memcached a; } route /kv/* { respond 200; } }")
    assert fine.returncode == 0 and "never reached" not in fine.stderr + fine.stdout
    rows = {
        "memcached a { }": "server",
        "memcached a { server 127.0.0.1:1; server 127.0.0.1:1; }": "is in this pool already",
        "memcached a { server x.test; }": "port is missing",
        "memcached a { server 127.0.0.1:1; gutter a; }": "can't stand in for itself",
        "memcached a { server 127.0.0.1:1; gutter b; }": 'no memcached "b"',
        "memcached a { server 127.0.0.1:1; gutter b; } memcached b { server 127.0.0.1:2; gutter a; }": "has a gutter itself",
        "memcached a { server 127.0.0.1:1; } memcached a { server 127.0.0.1:2; }": "already",
        "memcached a { server 127.0.0.1:1 weight 0; }": "weight",
        "memcached a { server 127.0.0.1:1; hash crc; }": "ketama",
        "memcached aa { server 127.0.0.1:1; } site * { route * { memcached ab; } }": 'did you mean "aa"',
        "cache c { memcached zz; }": 'no memcached "zz"',
    }
    for text, said in rows.items():
        done = check(text)
        assert done.returncode == 1 and said in done.stdout + done.stderr, (text, done.stdout + done.stderr)


@pytest.mark.threads
def test_counted(serve, servers):
    one, = servers()
    server = serve([one])
    place([one], "k", b"v")

    def metrics():
        done = subprocess.run(["curl", "-s", "--unix-socket", f"{server.dir}/admin.sock", "http://a/metrics"],
                              capture_output=True, text=True, timeout=20)
        found = re.findall(rf'^petrel_memcached_(\w+)\{{memcached="shared",server="{one.address}"\}} (\S+)$', done.stdout, re.M)
        return {name: float(value) for name, value in found}

    before = metrics()
    for target in ("/kv/k", "/kv/k", "/kv/none"):
        ask(server, get(target))
    after = metrics()
    assert after["hits_total"] - before["hits_total"] == 2 and after["misses_total"] - before["misses_total"] == 1
    assert after["up"] == 1 and after["opened_total"] == 0
    one.kill()
    wait_for(lambda: metrics()["up"] == 0, "the server's absence")
    ask(server, get("/kv/k"))
    after = metrics()
    assert after["opened_total"] == 1 and after["skipped_total"] >= 1


CACHED = """
loops 1;
listen 127.0.0.1:{port};
memcached shared { server SERVER; timeout 2s; }
cache pages { memory 16m; }
site * {
    route /kv/*     { cache pages; memcached shared; }
    route /kv/open* { cache pages; proxy http://ADDRESS; }
    route /kv/*     { deny all; proxy http://ADDRESS; }
}
"""


@pytest.mark.threads
def test_beside_a_cache(petrel, servers, origin):
    """What the next route's gates may refuse to others is not kept for all who may use the first one."""
    one, = servers()
    asked = origin(http(lambda asked: answer("fetched", fields="Cache-Control: max-age=60\r\n")))
    server = petrel(CACHED.replace("SERVER", one.address).replace("ADDRESS", asked.address))
    for _ in range(3):
        assert ask(server, get("/kv/shut")).status == 403
    for _ in range(3):
        got = ask(server, get("/kv/open"))
        assert (got.status, got.body) == (200, b"fetched")
    one.set("stored.txt", b"stored")
    assert ask(server, get("/kv/stored.txt")).body == b"stored"
