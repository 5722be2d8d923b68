"""petrel ctl trace: what is seen of requests, by each protocol; what is not; and that looking on harms nobody."""

import contextlib
import json
import os
import pty
import re
import select
import signal
import socket
import subprocess
import time
import urllib.parse

import pytest
from conftest import BINARY, wait_for
from origins import STDERR, STDOUT, answer, echo_tunnel, end, hang, http, once_fastcgi, record
from test_wsgi import WAYS, run  # noqa: F401 (a fixture)
from wire import Wire, get

CONF = """
loops LOOPS;
listen 127.0.0.1:{port};
admin unix:{dir}/admin.sock;
error_log {dir}/error.log;
root {dir}/www;
POOLS
site example.org { route = /here { respond 200 here; } route * { respond 404; } }
site * {
    ROUTES
    route /files/* { files; }
    route * { respond 200 fine; }
}
"""


@pytest.fixture
def served(petrel, tmp_path):
    def start(routes="", pools="", loops=1):
        (tmp_path / "petrel0/www/files").mkdir(parents=True, exist_ok=True)
        (tmp_path / "petrel0/www/files/a").write_text("a")
        return petrel(CONF.replace("ROUTES", routes).replace("POOLS", pools).replace("LOOPS", str(loops)))
    return start


class Trace:
    """petrel ctl trace --json, running."""

    def __init__(self, server, *options, json_=True, env=None):
        self.file = server.dir / f"trace{time.monotonic_ns()}"
        with open(self.file, "wb") as out:
            self.process = subprocess.Popen([BINARY, "ctl", "-s", server.dir / "admin.sock", *(["--json"] if json_ else []),
                                             "trace", *options], stdout=out, stderr=subprocess.PIPE, env=env)
        wait_for(lambda: self.begun(server, json_) or self.process.poll() is not None, "the trace to begin")

    def begun(self, server, json_):
        """As JSON it says so; else it is seen by what it shows."""
        if not json_:
            server.request("/-/is-it-seen")
        return (b'"tracing"' if json_ else b"/-/is-it-seen") in self.file.read_bytes()

    def lines(self, count=1, what="request"):
        def found():
            lines = [json.loads(line) for line in self.file.read_text().splitlines() if line.endswith("}")]
            lines = [line for line in lines if what in line]
            return len(lines) >= count and lines
        return wait_for(found, f"{count} lines with {what} in {self.file.read_text()[:2000]}")

    def text(self, pattern):
        return wait_for(lambda: re.search(pattern, self.file.read_text(), re.S) and self.file.read_text(), pattern)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        if self.process.poll() is None:
            self.process.terminate()
        self.process.wait(10)
        self.process.stderr.close()


def fields(flow):
    return {name.lower(): value for name, value in flow["fields"]}


SECRETS = "Cookie: session=1234abcd\r\nAuthorization: Basic 1234abcd\r\nX-Api-Key: 1234abcd\r\n"


@pytest.mark.parametrize("way", WAYS, ids=lambda way: way.__name__)
def test_each_protocol(run, way):  # noqa: F811
    server = way(lambda backend, handler, **how: run("admin unix:{dir}/admin.sock;\n" + backend, handler, **how))
    with Trace(server) as plain, Trace(server, "--secrets") as whole:
        with Wire(server) as w:
            assert w.ask(get("/env?x=1", SECRETS)).status == 200
            w.send(b"POST /post HTTP/1.1\r\nHost: a\r\nContent-Length: 14\r\n\r\nin-the-body=12")
            w.answer()
            w.ask(get("/status"))
        asked, posted, status = plain.lines(3)
        t, = asked["tries"]
        protocol = t["protocol"]
        assert protocol == {"uwsgi_app": "uwsgi", "uwsgi_pool": "uwsgi", "scgi_pool": "SCGI",
                            "fastcgi_pool": "FastCGI"}.get(way.__name__, "HTTP")
        assert t["pool"] == "it" and t["server"] and t["fault"] == ""
        assert 0 <= t["begin_us"] <= t["picked_us"] <= t["connected_us"] <= t["head_us"] <= t["over_us"] <= asked["total_us"]
        if protocol == "FastCGI":
            records = t["out"]["records"]
            assert [r["type"] for r in records] == ["BEGIN_REQUEST", "PARAMS", "PARAMS", "STDIN"]
            assert all(r["id"] == 1 for r in records)
            told = dict(records[1]["params"])
            assert {"STDOUT", "END_REQUEST"} <= {r["type"] for r in t["in"]["records"]}
        elif protocol == "HTTP":
            assert t["out"]["line"] == "GET /env?x=1 HTTP/1.1"
            assert t["in"]["line"] == "HTTP/1.1 200 OK"
            told = {"HTTP_" + name.upper().replace("-", "_"): value for name, value in t["out"]["fields"]}
        else:
            told = dict(t["out"]["params"])
            assert fields(t["in"])["content-type"] == "application/json"
        for name in "HTTP_COOKIE", "HTTP_AUTHORIZATION", "HTTP_X_API_KEY":
            assert told[name] == "***"
        assert told["HTTP_X_REQUEST_ID"] == asked["request_id"]
        # Neither anywhere else, but for who prints what it was told.
        seen = json.dumps([asked["request"], t["out"], asked["answer"]]) + json.dumps([posted, status])
        assert "1234abcd" not in seen and "in-the-body" not in seen
        assert "***" in json.dumps(status["answer"])      # its Set-Cookie
        assert (status["answer"]["status"], status["answer"]["line"][:13]) == (404, "HTTP/1.1 404 ")
        assert status["end"] == "done"
        asked, posted, status = whole.lines(3)
        assert "Basic 1234abcd" in json.dumps(asked["tries"][0]["out"])
        assert "in-the-body=12" in json.dumps(posted["tries"][0]["out"])
        assert "a=1" in json.dumps(status["answer"]["fields"])


def test_cgi(served, tmp_path):
    server = served("route /cgi/* { cgi; }")
    program = server.dir / "www/cgi/env"
    program.parent.mkdir()
    program.write_text("#!/bin/sh\nprintf 'Content-Type: text/plain\\nSet-Cookie: a=1234abcd\\n\\nthere'\n")
    program.chmod(0o755)
    with Trace(server) as trace:
        server.request("/cgi/env?a", headers={"Cookie": "1234abcd"})
        line, = trace.lines()
        t, = line["tries"]
        told = dict(t["out"]["params"])
        assert (told["SCRIPT_NAME"], told["QUERY_STRING"], told["HTTP_COOKIE"]) == ("/cgi/env", "a", "***")
        assert fields(t["in"]) == {"content-type": "text/plain", "set-cookie": "***"}
        assert t["in"]["text"] == "there" and "1234abcd" not in json.dumps(line)


def test_records_in_pieces(served, origin):
    head = b"Content-Type: text/plain\r\nX-A: 1\r\nSet-Coo"
    script = once_fastcgi(record(STDERR, b"a complaint\n"), record(STDOUT, head, padding=3),
                          record(STDOUT, b"kie: a=1234abcd; Path=/\r\nX-B: 2\r\n\r\nbody " + b"x" * 2000),
                          record(STDOUT, b"y" * 60000), record(STDOUT), end(0, 7))
    server = served("route /f/* { fastcgi f { mount /f; } }", f"pool f {{ server {origin(script).address}; }}")
    with Trace(server) as trace:
        assert len(server.request("/f/x").body) == 62005
        line, = trace.lines()
        records = line["tries"][0]["in"]["records"]
        assert [(r["type"], r["length"]) for r in records] == [
            ("STDERR", 12), ("STDOUT", 41), ("STDOUT", 2040), ("STDOUT", 60000), ("STDOUT", 0), ("END_REQUEST", 8)]
        assert records[0]["text"] == "a complaint\n"
        assert records[2]["text"].startswith("kie: ***\nX-B: 2\r\n\r\nbody xxx")
        assert len(records[3]["text"]) <= 512
        assert records[5]["application_status"] == 7
        assert "1234abcd" not in json.dumps(line)


def test_what_is_left_out(served, origin):
    server = served("route /slow { proxy s; }\nroute /bad { proxy 127.0.0.1:1; }",
                    f"pool s {{ server {origin(hang).address}; timeout answer 300ms; retry 0; }}")
    options = {"route": ["--route", "= /slow"], "host": ["--host", "Example.ORG"], "path": ["--path", "/files/*"],
               "status": ["--status", "5xx"], "one": ["--status", "404"], "slow": ["--slow", "200"],
               "client": ["--client", "10.0.0.0/8"]}
    asked = ["/", "/files/a", "/files/none", "/slow", "/bad"]
    with contextlib.ExitStack() as stack:
        traces = {name: stack.enter_context(Trace(server, *words)) for name, words in options.items()}
        for target in asked:
            server.request(target)
        server.request("/here", headers={"Host": "example.org"})
        wanted = {"route": ["/slow"], "host": ["/here"], "path": ["/files/a", "/files/none"], "status": ["/slow", "/bad"],
                  "one": ["/files/none"], "slow": ["/slow", "/bad"]}
        for name, targets in wanted.items():
            assert [line["request"]["target"] for line in traces[name].lines(len(targets))] == targets, name
        time.sleep(0.2)
        assert len(traces["client"].file.read_text().splitlines()) == 1
        slow, = traces["route"].lines()
        assert (slow["end"], slow["tries"][0]["fault"], slow["answer"]["status"]) == ("answer_timeout", "answer_timeout", 504)
        assert 250000 < slow["total_us"] < 5000000


@pytest.mark.threads
def test_a_retry(served, origin):
    server = served("route /x { proxy two; }", f"pool two {{ server 127.0.0.1:1; server {origin(http()).address}; "
                                               "retry 1 on connect; eject 0; }")
    with Trace(server) as trace:
        for _ in range(2):
            assert server.request("/x").status == 200
        line = next(line for line in trace.lines(2) if line["attempts"] == 2)
        first, second = line["tries"]
        assert (first["server"], first["fault"], second["fault"]) == ("127.0.0.1:1", "connect_failed", "")
        assert (line["end"], second["in"]["text"]) == ("done", "hello")


def test_ways_and_files(served):
    server = served("route /try/* { files { try $path /files/a; } }")
    with Trace(server) as trace:
        for _ in range(2):
            server.request("/try/x")
        first, second = trace.lines(2)
        assert [way["path"] for way in first["ways"]] == ["/try/x", "/files/a"]
        assert [way["route"] for way in first["ways"]] == ["/try/*", "/files/*"]
        assert first["ways"][1]["line"] == 1 + [n for n, line in enumerate((server.dir / "petrel.conf").read_text().splitlines())
                                                if "/files/*" in line][0]
        assert (first["hot"], second["hot"], first["tries"]) == ("miss", "hit", [])


def test_a_websocket(served, origin):
    server = served("route /ws { proxy w; }", f"pool w {{ server {origin(echo_tunnel).address}; }}")
    with Trace(server) as trace, Wire(server) as w:
        w.send(get("/ws", "Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Key: x\r\n"))
        assert w.head().status == 101
        line, = trace.lines()
        assert line["tunnel"] and line["answer"]["status"] == 101
        w.send(b"still")


HOSTILE = 'a"><script>alert(1)</script>\x9b2J\xc2\x9b\xff{"b":1}\\'


def test_hostile_values(served, origin):
    server = served("route /x { proxy o; }", f"pool o {{ server {origin(http(lambda asked: answer(chr(27) + '[2Jx'))).address}; }}")
    with Trace(server, json_=False) as shown, Trace(server) as trace:
        with Wire(server) as w:
            w.send(b"GET /x?" + b"%1b<b>" + b" HTTP/1.1\r\nHost: a\r\nX-Evil: " + HOSTILE.encode("latin-1") + b"\r\n\r\n")
            assert w.answer().status == 200
        line, = trace.lines()
        assert fields(line["request"])["x-evil"].startswith('a"><script>')
        text = shown.text(r"<script>.*- done")
        assert not re.search("[\x00-\x09\x0b-\x1f\x7f-\x9f]", text)
        raw = shown.file.read_bytes()
        assert b"\x1b" not in raw and b"\x9b2J" not in raw.replace(b"\xef\xbf\xbd", b"")


def test_colours_on_a_terminal_only(served):
    server = served()
    for env, coloured in (({}, True), ({"NO_COLOR": "1"}, False)):
        pid, fd = pty.fork()
        if pid == 0:
            environ = {k: v for k, v in os.environ.items() if k != "NO_COLOR"} | env
            os.execve(BINARY, [str(BINARY), "ctl", "-s", str(server.dir / "admin.sock"), "trace"], environ)
        out = b""
        while b"- done" not in out:
            server.request("/")
            if select.select([fd], [], [], 0.1)[0]:
                out += os.read(fd, 65536)
        assert (b"\x1b[" in out) == coloured
        os.kill(pid, signal.SIGKILL)
        os.waitpid(pid, 0)
        os.close(fd)


@pytest.mark.threads
def test_at_most_so_many_a_second(served):
    server = served()
    with Trace(server, "--max-rate", "3") as trace:
        begun = time.monotonic()
        with Wire(server) as w:
            for _ in range(100):
                w.ask(get("/"))
        seconds = time.monotonic() - begun

        def all_told():
            left = sum(line["left_out"] for line in trace.lines(1, "left_out"))
            return left + len(trace.lines()) == 100
        wait_for(all_told, "each request to be shown, or to be told of as left out")
        assert 3 <= len(trace.lines()) <= 3 * (seconds + 2)


@pytest.mark.threads
def test_a_viewer_that_does_not_read(served):
    server = served()
    with socket.socket(socket.AF_UNIX) as s:
        s.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        s.connect(str(server.dir / "admin.sock"))
        s.sendall(b"GET /trace?max-rate=1000 HTTP/1.0\r\n\r\n")
        with Wire(server) as w:
            for n in range(3000):
                assert w.ask(get(f"/{n}", "X-Long: " + 6000 * "x" + "\r\n")).status == 200
        # What it does not take is dropped, and it is told.
        data = b""
        s.settimeout(20)
        while b'{"dropped":' not in data and b'{"left_out":' not in data:
            got = s.recv(1 << 20)
            assert got
            data += got
    # It is gone, and so is the tap.
    assert server.request("/").status == 200


@pytest.mark.threads
def test_a_trace_goes_on_over_a_reload(served):
    server = served()
    with Trace(server) as trace:
        server.request("/")
        server.reload()
        server.request("/files/a")
        assert [line["request"]["target"] for line in trace.lines(2)] == ["/", "/files/a"]


@pytest.mark.threads
def test_the_end(served):
    """Eight at a time, and those that left make room."""
    server = served()
    with contextlib.ExitStack() as stack:
        traces = [stack.enter_context(Trace(server)) for _ in range(8)]
        done = subprocess.run([BINARY, "ctl", "-s", server.dir / "admin.sock", "trace"], capture_output=True, text=True,
                              timeout=20, check=False)
        assert done.returncode == 1 and "8 traces already" in done.stderr
        server.request("/")
        for trace in traces:
            trace.lines()

    def another():
        trace = Trace(server)
        if trace.begun(server, True):
            return trace
        trace.__exit__()
        return None
    with wait_for(another, "room for another") as trace:
        server.request("/")
        trace.lines()
        # A drain ends it.
        server.signal(signal.SIGQUIT)
        assert trace.process.wait(10) == 0
    server.wait_end()


@pytest.mark.parametrize("options, said", [
    (["--status", "9xx"], 'can\'t be "9xx"'), (["--client", "x"], 'can\'t be "x"'), (["--path", "x"], 'can\'t be "x"'),
    (["--slow", "-1"], "slow"), (["--max-rate", "100000"], "max-rate"),
    (["--save", "/nonexistent/x.har"], "can't be written: No such file"),
])
def test_what_can_not_be_meant(served, command, options, said):
    done = command("ctl", "-s", served().dir / "admin.sock", "trace", *options)
    assert done.returncode == 1 and said in done.stderr


def test_har(served, origin, tmp_path):
    """As the format wants it: http://www.softwareishard.com/blog/har-12-spec/, and as browsers check it."""
    server = served("route /x { proxy o; }", f"pool o {{ server {origin(http()).address}; }}")
    file = tmp_path / "out.har"
    with Trace(server, "--save", str(file)) as trace:
        server.request("/x?a=1&b=%20c", "POST", headers={"Content-Type": "text/x", "Cookie": "1234abcd"}, body=b"12345")
        server.request("/none")
        server.request("/files/none")
        trace.lines(3)
        # It is whole while it grows, and nobody else's.
        log = wait_for(lambda: len(json.loads(file.read_text())["log"]["entries"]) == 3 and json.loads(file.read_text()), "3")["log"]
    assert file.stat().st_mode & 0o777 == 0o600
    assert log["version"] == "1.2" and log["creator"]["name"] == "petrel" and log["creator"]["version"]
    for entry in log["entries"]:
        assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z", entry["startedDateTime"])
        request, response, timings = entry["request"], entry["response"], entry["timings"]
        assert {"method", "url", "httpVersion", "cookies", "headers", "queryString", "headersSize", "bodySize"} <= set(request)
        assert {"status", "statusText", "httpVersion", "cookies", "headers", "content", "redirectURL", "headersSize",
                "bodySize"} <= set(response)
        assert {"size", "mimeType"} <= set(response["content"]) and entry["cache"] == {}
        assert urllib.parse.urlsplit(request["url"]).netloc == f"127.0.0.1:{server.port}"
        for lists in request["headers"], request["queryString"], response["headers"]:
            assert all(set(pair) == {"name", "value"} and all(isinstance(v, str) for v in pair.values()) for pair in lists)
        spent = sum(timings[name] for name in ("blocked", "connect", "send", "wait", "receive"))
        assert abs(spent - entry["time"]) < 0.01 and timings["dns"] == timings["ssl"] == -1
        assert set(entry) - {"startedDateTime", "time", "request", "response", "cache", "timings"} == {"_petrel"}
    first = log["entries"][0]
    assert first["request"]["queryString"] == [{"name": "a", "value": "1"}, {"name": "b", "value": "%20c"}]
    assert (first["request"]["method"], first["request"]["bodySize"], first["response"]["bodySize"]) == ("POST", 5, 5)
    assert (first["response"]["status"], first["response"]["statusText"]) == (200, "OK")
    assert "1234abcd" not in file.read_text()
