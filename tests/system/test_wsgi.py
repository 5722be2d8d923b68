"""Python and Node applications behind petrel: over HTTP, uwsgi and SCGI, run by petrel or by somebody else."""

import hashlib
import os
import shutil
import subprocess
import threading

import pytest
from conftest import alive, free_port, wait_for
from wire import Wire, ask, get

WSGI = '''
import hashlib, json, os, sys

def application(env, start):
    path = env["PATH_INFO"]
    if path == "/env":
        keys = {k: v for k, v in env.items() if isinstance(v, str)}
        start("200 OK", [("Content-Type", "application/json")])
        return [json.dumps(keys).encode()]
    if path == "/post":
        size = int(env.get("CONTENT_LENGTH") or 0)
        body = env["wsgi.input"].read(size) if size else b""
        start("200 OK", [("Content-Type", "text/plain"), ("X-Size", str(len(body)))])
        return [hashlib.md5(body).hexdigest().encode()]
    if path == "/large":
        start("200 OK", [("Content-Type", "text/plain")])
        return (bytes([65 + n % 26]) * 10000 for n in range(200))
    if path == "/log":
        print("something is odd", file=env["wsgi.errors"], flush=True)
    if path == "/status":
        start("404 Not Here", [("Content-Type", "text/plain"), ("Set-Cookie", "a=1"), ("Set-Cookie", "b=2")])
        return [b"no"]
    start("200 OK", [("Content-Type", "text/plain"), ("Content-Length", str(len(str(os.getpid()))))])
    return [str(os.getpid()).encode()]
'''

NODE = '''
const http = require("http"), crypto = require("crypto");
http.createServer((ask, answer) => {
    const hash = crypto.createHash("md5");
    let size = 0;
    ask.on("data", (piece) => { size += piece.length; hash.update(piece); });
    ask.on("end", () => {
        const path = ask.url.split("?")[0];
        if (path == "/env") {
            const env = { REQUEST_METHOD: ask.method, QUERY_STRING: ask.url.split("?")[1] || "", REMOTE_ADDR:
                ask.headers["x-forwarded-for"], HTTP_HOST: ask.headers.host, HTTP_X_ONE: ask.headers["x-one"] };
            answer.setHeader("Content-Type", "application/json");
            answer.end(JSON.stringify(env));
        } else if (path == "/post") {
            answer.setHeader("X-Size", size);
            answer.end(hash.digest("hex"));
        } else if (path == "/large") {
            for (let n = 0; n < 200; n++) answer.write(String.fromCharCode(65 + n % 26).repeat(10000));
            answer.end();
        } else if (path == "/status") {
            answer.writeHead(404, [["Set-Cookie", "a=1"], ["Set-Cookie", "b=2"]].flat());
            answer.end("no");
        } else {
            if (path == "/log") console.error("something is odd");
            answer.end(String(process.pid));
        }
    });
}).listen(process.env.PORT, "127.0.0.1");
'''

CONF = """
loops LOOPS;
listen 127.0.0.1:{port};
error_log {dir}/error.log;
user www-data;
BACKEND
site * { route * { HANDLER } }
"""


def have(*programs):
    return all(shutil.which(program) for program in programs)


def uwsgi_plugin():
    """The options that make uwsgi speak Python, or None."""
    for options in [], ["--plugin", "python3"]:
        if have("uwsgi") and subprocess.run(["uwsgi", *options, "--python-version"], capture_output=True,
                                            check=False).returncode == 0:
            return options
    return None


UWSGI = uwsgi_plugin()
needs_gunicorn = pytest.mark.skipif(not have("gunicorn"), reason="gunicorn is not installed")
needs_uwsgi = pytest.mark.skipif(UWSGI is None, reason="uwsgi is not installed")
needs_node = pytest.mark.skipif(not have("node"), reason="nodejs is not installed")

APP = 'app it { command "COMMAND"; protocol PROTOCOL; processes 1..2; folder FOLDER; start_timeout 20s; stop_timeout 1s; }'
HTTP_APP = APP.replace("PROTOCOL", "http")
GUNICORN = "gunicorn -b 127.0.0.1:$PORT --threads 4 --no-sendfile wsgi:application"


@pytest.fixture
def run(petrel, public):
    """run(backend, handler): petrel and the application, once it answers."""
    started = []

    def start(backend, handler, loops=1, external=None):
        (public / "wsgi.py").write_text(WSGI)
        (public / "app.js").write_text(NODE)
        if external:
            started.append(subprocess.Popen(external, cwd=public, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL))
        conf = CONF.replace("BACKEND", backend).replace("HANDLER", handler).replace("FOLDER", str(public))
        conf = conf.replace("LOOPS", str(loops))
        server = petrel(conf if os.geteuid() == 0 else conf.replace("user www-data;", ""))
        wait_for(lambda: ask(server, get("/")).status == 200, "the application", 20)
        return server

    yield start
    for process in started:
        process.kill()
        process.wait(10)


def uwsgi_command(protocol, *more):
    return ["uwsgi", *UWSGI, f"--{protocol}-socket", *more, "--wsgi-file", "wsgi.py", "--processes", "1", "--threads", "2"]


def gunicorn(run):
    return run(HTTP_APP.replace("COMMAND", GUNICORN), "proxy it;")


def node(run):
    return run(HTTP_APP.replace("COMMAND", "node app.js"), "proxy it;")


def uwsgi_app(run):
    options = "--protocol uwsgi --socket fd://0 --wsgi-file wsgi.py --processes 1 --die-on-term"
    command = " ".join(["uwsgi", *UWSGI, options])
    return run(APP.replace("COMMAND", command).replace("PROTOCOL", "uwsgi"), "uwsgi it { mount /; }")


def uwsgi_pool(run):
    port = free_port()
    return run(f"pool it {{ server 127.0.0.1:{port}; eject 0; }}", "uwsgi it { mount /; }",
               external=uwsgi_command("uwsgi", f"127.0.0.1:{port}"))


def scgi_pool(run):
    port = free_port()
    return run(f"pool it {{ server 127.0.0.1:{port}; eject 0; }}", "scgi it { mount /; }",
               external=uwsgi_command("scgi", f"127.0.0.1:{port}"))


def http_pool(run):
    port = free_port()
    return run(f"pool it {{ server 127.0.0.1:{port}; eject 0; }}", "proxy it;",
               external=uwsgi_command("http", f"127.0.0.1:{port}"))


def fastcgi_pool(run):
    port = free_port()
    return run(f"pool it {{ server 127.0.0.1:{port}; eject 0; }}", "fastcgi it { mount /; }",
               external=uwsgi_command("fastcgi", f"127.0.0.1:{port}"))


WAYS = [
    pytest.param(gunicorn, marks=needs_gunicorn), pytest.param(node, marks=needs_node),
    *[pytest.param(way, marks=needs_uwsgi) for way in (uwsgi_app, uwsgi_pool, scgi_pool, http_pool, fastcgi_pool)],
]


@pytest.mark.parametrize("way", WAYS, ids=lambda way: way.__name__)
def test_an_application(run, way):
    server = way(run)
    with Wire(server) as w:
        env = w.ask(get("/env?x=1&y=%20", "X-One: 1\r\n")).json
        expected = {"REQUEST_METHOD": "GET", "QUERY_STRING": "x=1&y=%20", "HTTP_HOST": "a", "HTTP_X_ONE": "1"}
        assert {name: env.get(name) for name in expected} == expected
        if way not in (gunicorn, http_pool):
            assert env["REMOTE_ADDR"] == "127.0.0.1"
        for size in 0, 10, 300000:
            body = os.urandom(size)
            w.send(b"POST /post HTTP/1.1\r\nHost: a\r\nContent-Length: %d\r\n\r\n" % size + body)
            a = w.answer()
            assert (a.body.decode(), a["x-size"]) == (hashlib.md5(body).hexdigest(), str(size))
        body = os.urandom(300000)
        w.send(b"POST /post HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n" +
               b"%x\r\n%s\r\n0\r\n\r\n" % (len(body), body))
        assert w.answer().body.decode() == hashlib.md5(body).hexdigest()
        assert w.ask(get("/large")).body == b"".join(bytes([65 + n % 26]) * 10000 for n in range(200))
        a = w.ask(get("/status"))
        assert (a.status, a.body) == (404, b"no")
        assert [value for name, value in a.fields if name == "set-cookie"] == ["a=1", "b=2"]
        assert w.ask(get("/", method="HEAD"), method="HEAD").status == 200
        assert w.ask(get("/")).status == 200


@pytest.mark.parametrize("way", [WAYS[0], WAYS[1], WAYS[2]], ids=lambda way: way.__name__)
def test_what_an_application_says(run, way):
    server = way(run)
    assert ask(server, get("/log")).status == 200
    log = server.dir / "error.log"
    wait_for(lambda: "something is odd" in log.read_text(errors="replace"), "its error output in the log")


@pytest.mark.threads
@pytest.mark.parametrize("way", [WAYS[0], WAYS[1], WAYS[2]], ids=lambda way: way.__name__)
def test_an_application_that_is_killed(run, way):
    """Another process takes its place, and nobody is told."""
    server = way(run)
    pid = int(ask(server, get("/")).body)
    os.kill(pid, 9)
    wait_for(lambda: not alive(pid), "its end")
    wait_for(lambda: int(ask(server, get("/")).body or 0) not in (0, pid), "another process", 20)


@pytest.mark.threads
@needs_node
def test_many_at_once(run):
    """Two loops, a process that takes many requests at a time."""
    server = run(HTTP_APP.replace("COMMAND", "node app.js"), "proxy it;", loops=2)
    bad = []

    def load():
        with Wire(server) as w:
            for _ in range(50):
                if w.ask(get("/")).status != 200:
                    bad.append(1)
    threads = [threading.Thread(target=load) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not bad
