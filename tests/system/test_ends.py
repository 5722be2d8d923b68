"""Who ended a request, and by which deadline: one word in the log for each way in which a request can end with an origin."""

import contextlib
import json
import re
import socket
import time

import pytest
from conftest import free_port, wait_for
from origins import answer, hang, http, once, reset
from wire import Wire, get

CONF = """
loops 1;
listen 127.0.0.1:{port};
temporary {dir};
access_log {dir}/access.log line;
log_format line "$path $status $end [$shed] $attempts";
limits { body 64m; min_rate 0; }
pool it { server SERVER; eject 0; header 4k; RULES }
site * { root {dir}; route /files/* { files; } route * { proxy it; } }
"""
LARGE = b"HTTP/1.1 200 OK\r\nContent-Length: 100000\r\n\r\n"
SMALL = b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\n12345"


def logged(server, path="/it"):
    file = server.dir / "access.log"
    line = wait_for(lambda: file.exists() and re.search(rf"^{path} (.*)$", file.read_text(), re.M), "a line")
    return line[1]


def deaf(peer):
    time.sleep(3)


@pytest.mark.parametrize("script, rules, line", [
    (http(), "retry 0;", "200 done [-] 1"),
    (hang, "retry 0; timeout answer 200ms;", "504 answer_timeout [-] 1"),
    (hang, "timeout answer 200ms; retry 1 on timeout;", "504 answer_timeout [-] 2"),
    (once(SMALL, after=hang), "retry 0; timeout read 200ms;", "504 read_timeout [-] 1"),
    (once(LARGE, b"x" * 50000, after=hang), "retry 0; timeout read 200ms;", "200 read_timeout [-] 1"),
    # Whether its begin was out by then is chance.
    (once(LARGE, b"x" * 50000), "retry 0;", "... server_broke [-] 1"),
    (once(after=reset), "retry 0;", "502 server_broke [-] 1"),
    (once(), "retry 0;", "502 server_broke [-] 1"),
    (once(b"what is this?\r\n\r\n"), "retry 0;", "502 server_bad [-] 1"),
    (once(answer(fields="X: " + 5000 * "x" + "\r\n")), "retry 0;", "502 server_bad [-] 1"),
], ids=lambda value: value if isinstance(value, str) else "")
def test_an_origin_ends_it(petrel, origin, script, rules, line):
    server = petrel(CONF.replace("SERVER", origin(script).address).replace("RULES", rules))
    with Wire(server) as w, contextlib.suppress(AssertionError):
        w.ask(get("/it"))
    assert logged(server)[3:] == line[3:] and (line[0] == "." or logged(server) == line)


def test_a_server_that_takes_nothing_in(petrel, origin):
    server = petrel(CONF.replace("SERVER", origin(deaf).address).replace("RULES", "retry 0; timeout send 300ms;"))
    assert server.request("/it", "POST", body=b"x" * 30000000).status == 504
    assert logged(server) == "504 server_send_timeout [-] 1"


def test_no_connection(petrel):
    server = petrel(CONF.replace("SERVER", f"127.0.0.1:{free_port()}").replace("RULES", "retry 0;"))
    assert server.request("/it").status == 502
    assert logged(server) == "502 connect_failed [-] 1"


def test_a_server_that_accepts_nobody(petrel):
    with socket.socket() as full, contextlib.ExitStack() as stack:
        full.bind(("127.0.0.1", 0))
        full.listen(0)
        for _ in range(3):
            waits = stack.enter_context(socket.socket())
            waits.setblocking(False)
            waits.connect_ex(full.getsockname())
        server = petrel(CONF.replace("SERVER", f"127.0.0.1:{full.getsockname()[1]}").replace("RULES", "retry 0; timeout connect 300ms;"))
        assert server.request("/it").status == 504
        assert logged(server) == "504 connect_timeout [-] 1"


@pytest.mark.parametrize("rules, line", [
    ("queue 5 timeout 200ms;", "503 queue_timeout [queue_timeout] 1"),
    ("queue 0;", "503 queue_full [queue_full] 1"),
])
def test_a_queue(petrel, origin, rules, line):
    busy = origin(hang)
    server = petrel(CONF.replace("SERVER", f"{busy.address} connections 1").replace("RULES", rules))
    with Wire(server) as first:
        first.send(get("/first"))
        busy.wait_peers()
        assert server.request("/it").status == 503
    assert logged(server) == line
    # The first one's client left.
    assert logged(server, "/first").startswith("0 client [-]")


def test_no_server(petrel):
    server = petrel(CONF.replace("SERVER", "no-such-name.invalid:80").replace("RULES", "retry 0;"))
    assert server.request("/it").status == 503
    assert logged(server) == "503 no_server [no_server] 1"


def test_the_json_log_has_it_all(petrel, origin):
    conf = CONF.replace("access.log line", "access.log json").replace("SERVER", origin(http()).address).replace("RULES", "retry 0;")
    server = petrel(conf)
    (server.dir / "files").mkdir()
    (server.dir / "files/a").write_text("a")
    for target in "/it", "/files/a", "/files/a", "/files/b":
        server.request(target)
    lines = wait_for(lambda: len(found := (server.dir / "access.log").read_text().splitlines()) == 4 and found, "4 lines")
    it, cold, warm, none = map(json.loads, lines)
    assert (it["server"], it["attempts"], it["end"], it["shed"], it["hot"]) == (origin_of(conf), 1, "done", "", "")
    assert it["request_id"] == it["id"] and it["trace_id"] == ""
    assert 0 < it["time_answer"] <= it["time_first"] <= it["time_total"]
    assert it["time_queue"] == 0 and it["time_connect"] >= 0
    assert [line["hot"] for line in (cold, warm, none)] == ["miss", "hit", "miss"]
    assert (warm["server"], warm["attempts"]) == ("", 0)


def origin_of(conf):
    return re.search(r"server (\S+);", conf)[1]
