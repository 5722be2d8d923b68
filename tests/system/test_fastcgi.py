"""PHP behind petrel: php-cgi that petrel runs itself, and a php-fpm that somebody else runs."""

import hashlib
import os
import re
import shutil
import subprocess
import threading

import pytest
from conftest import alive, wait_for
from wire import Wire, ask, get

FPM = next((path for path in (shutil.which(name) for name in ("php-fpm", "php-fpm8.2", "php-fpm8.4")) if path), None)
needs_cgi = pytest.mark.skipif(not shutil.which("php-cgi"), reason="php-cgi is not installed")
needs_fpm = pytest.mark.skipif(not FPM, reason="php-fpm is not installed")

PHP = {
    "vars.php": "<?php header('Content-Type: application/json'); echo json_encode($_SERVER);",
    "index.php": "<?php echo 'index';",
    "post.php": "<?php header('X-Length: ' . ($_SERVER['CONTENT_LENGTH'] ?? ''));\n"
                "echo json_encode([md5(file_get_contents('php://input')), $_POST, array_keys($_FILES)]);",
    "log.php": "<?php error_log('something is odd'); echo 'logged';",
    "status.php": "<?php http_response_code(418); header('X-A: 1', false); header('X-A: 2', false); echo 'tea';",
    "move.php": "<?php header('Location: /index.php');",
    "accel.php": "<?php header('X-Accel-Redirect: /files/one?x'); header('Content-Type: text/x-one'); setcookie('a', 'b');",
    "sendfile.php": "<?php header('X-Sendfile: ' . $_SERVER['DOCUMENT_ROOT'] . '/files/one');",
    "flush.php": "<?php for ($i = 0; $i < 3; $i++) { echo str_repeat('x', 20000); flush(); }",
    "large.php": "<?php for ($i = 0; $i < 200; $i++) echo str_repeat(chr(65 + $i % 26), 10000);",
    "sleep.php": "<?php usleep(1000 * (int)$_GET['ms']); echo getmypid();",
    "pid.php": "<?php echo getmypid();",
    "die.php": "<?php $died = __DIR__ . '/died';\n"
               "if (!file_exists($died)) { touch($died); exec('kill -9 ' . getmypid()); } echo 'alive';",
    "exit.php": "<?php echo str_repeat('x', 100000); flush(); exec('kill -9 ' . getmypid()); sleep(5);",
    "fatal.php": "<?php header('X-Before: 1'); nothing();",
}

CONF = """
loops LOOPS;
listen 127.0.0.1:{port};
error_log {dir}/error.log;
user www-data;
BACKEND
site * {
    root WWW;
    route /files/* { internal; files; }
    route *.php*   { fastcgi php INNER }
    route */       { fastcgi php; }
    route *        { files; }
}
"""
APP = """app php {{ command php-cgi; processes {processes}; env PHP_INI_SCAN_DIR /nonexistent; {more} }}"""


@pytest.fixture
def site(petrel, public):
    """site(backend): the scripts above, behind petrel."""
    def start(backend, loops=1, inner=";"):
        www = public / "www"
        (www / "files").mkdir(parents=True)
        for name, text in PHP.items():
            (www / name).write_text(text)
        (www / "files/one").write_text("the file")
        www.chmod(0o777)
        conf = CONF.replace("BACKEND", backend).replace("LOOPS", str(loops)).replace("WWW", str(www)).replace("INNER", inner)
        server = petrel(conf if os.geteuid() == 0 else conf.replace("user www-data;", ""))
        server.www = www
        return server
    return start


class Fpm:
    """A php-fpm with a configuration of its own, on a Unix socket."""

    def __init__(self, folder, children):
        self.folder, self.socket = folder, folder / "fpm.sock"
        user = "user = www-data\ngroup = www-data\nlisten.owner = www-data\n" if os.geteuid() == 0 else ""
        (folder / "fpm.conf").write_text(f"""[global]
error_log = {folder}/fpm.log
daemonize = no
[www]
{user}listen = {self.socket}
pm = static
pm.max_children = {children}
catch_workers_output = yes
php_admin_value[display_errors] = off
""")
        self.process = subprocess.Popen([FPM, "-n", "-F", "-y", str(folder / "fpm.conf")], stderr=subprocess.DEVNULL)
        wait_for(self.socket.exists, "php-fpm's socket")

    def stop(self):
        self.process.terminate()
        self.process.wait(10)


@pytest.fixture
def fpm(public):
    started = []

    def start(children=2):
        folder = public / "fpm"
        folder.mkdir()
        started.append(Fpm(folder, children))
        return started[-1]

    yield start
    for one in started:
        one.stop()


@pytest.fixture(params=[pytest.param("app", marks=needs_cgi), pytest.param("pool", marks=needs_fpm)])
def php(request, site, fpm):
    """The same of both."""
    if request.param == "app":
        return site(APP.format(processes="2..4", more=""))
    return site(f"pool php {{ server unix:{fpm().socket}; }}")


def log_of(server):
    log = server.dir / "error.log"
    return log.read_text(errors="replace") if log.exists() else ""


def said(server, words):
    return wait_for(lambda: [line for line in log_of(server).splitlines() if words in line],
                    f"{words!r} in\n{log_of(server)}")


def variables(server, request):
    return ask(server, request).json


def test_variables(php):
    v = variables(php, get("/vars.php/a%20b/c?x=1&y=%32",
                           "Host2: b\r\nCookie: a=b\r\nCookie: c=d\r\nX-Two: 1\r\nX-Two: 2\r\nProxy: evil\r\nX_Under: evil\r\nAuthorization: Basic eDp5\r\n"))
    root = str(php.www)
    expected = {
        "SCRIPT_NAME": "/vars.php", "SCRIPT_FILENAME": root + "/vars.php", "PATH_INFO": "/a b/c",
        "PATH_TRANSLATED": root + "/a b/c", "QUERY_STRING": "x=1&y=%32", "REQUEST_URI": "/vars.php/a%20b/c?x=1&y=%32",
        "REQUEST_METHOD": "GET", "DOCUMENT_ROOT": root, "SERVER_PROTOCOL": "HTTP/1.1", "GATEWAY_INTERFACE": "CGI/1.1",
        "SERVER_NAME": "a", "REMOTE_ADDR": "127.0.0.1", "HTTP_HOST": "a", "HTTP_COOKIE": "a=b; c=d", "HTTP_X_TWO": "1, 2",
        "HTTP_HOST2": "b", "REQUEST_SCHEME": "http", "PHP_SELF": "/vars.php/a b/c", "PHP_AUTH_USER": "x",
    }
    assert {name: v.get(name) for name in expected} == expected
    assert "HTTP_PROXY" not in v and "HTTP_X_UNDER" not in v and v["SERVER_SOFTWARE"].startswith("petrel/")


def test_many_variables(php):
    fields = "".join(f"X-{n}: {'v' * n}\r\n" for n in range(100, 180))
    v = variables(php, get("/vars.php", fields))
    assert all(v[f"HTTP_X_{n}"] == "v" * n for n in range(100, 180))


def test_paths(php):
    assert ask(php, get("/")).body == b"index"
    assert ask(php, get("/index.php")).body == b"index"
    assert ask(php, get("/nothing.php")).status == 404
    a = ask(php, get("/move.php"))
    assert (a.status, a["location"]) == (302, "/index.php")


def test_only_scripts_are_run(php):
    """A path that leads past a file does not have PHP run that file, whatever a visitor put there."""
    (php.www / "picture.jpg").write_text("<?php echo 6 * 7;")
    for path in "/picture.jpg/x.php", "/picture.jpg/x.php/more", "/picture.jpg/vars.php", "/picture.jpg/":
        a = ask(php, get(path))
        assert a.status in (403, 404) and a.body != b"42", (path, a)
    assert ask(php, get("/none.php")).status == 404
    # One that comes later is found.
    (php.www / "none.php").write_text("<?php echo 'here';")
    wait_for(lambda: ask(php, get("/none.php")).body == b"here", "the new script")


@needs_cgi
def test_scripts_that_are_not_checked(site):
    """What `check` keeps from happening: should PHP ever do better by itself, it has no use any more."""
    server = site(APP.format(processes="1", more=""), inner="{ check off; }")
    (server.www / "picture.jpg").write_text("<?php echo 6 * 7;")
    assert ask(server, get("/picture.jpg/x.php")).body == b"42"


def test_status_and_fields(php):
    a = ask(php, get("/status.php"))
    assert (a.status, a.body) == (418, b"tea")
    assert [value for name, value in a.fields if name == "x-a"] == ["1", "2"]


@pytest.mark.parametrize("size", [0, 10, 300000, 3 << 20])
@pytest.mark.parametrize("coding", ["length", "chunked"])
def test_post(php, size, coding):
    body = os.urandom(size)
    head = b"POST /post.php HTTP/1.1\r\nHost: a\r\nContent-Type: application/octet-stream\r\n"
    if coding == "length":
        data = head + b"Content-Length: %d\r\n\r\n" % size + body
    else:
        chunk = b"%x\r\n%s\r\n" % (size, body) if size else b""
        data = head + b"Transfer-Encoding: chunked\r\n\r\n" + chunk + b"0\r\n\r\n"
    a = ask(php, data)
    # RFC 3875, 4.1.2: set if and only if there is a body.
    assert a.json[0] == hashlib.md5(body).hexdigest() and a["x-length"] == (str(size) if size or coding == "length" else "")


def test_forms(php):
    body = b"a=1&b%5B%5D=2"
    a = ask(php, b"POST /post.php HTTP/1.1\r\nHost: a\r\nContent-Type: application/x-www-form-urlencoded\r\n"
            b"Content-Length: %d\r\n\r\n" % len(body) + body)
    assert a.json[1] == {"a": "1", "b": ["2"]}


def test_answers(php):
    with Wire(php) as w:
        for _ in range(2):
            assert w.ask(get("/flush.php")).body == b"x" * 60000
            assert w.ask(get("/large.php")).body == b"".join(bytes([65 + n % 26]) * 10000 for n in range(200))
            assert w.ask(get("/large.php", method="HEAD"), method="HEAD").status == 200
            assert w.ask(get("/pid.php")).status == 200


def test_answers_in_place_of_the_application(php):
    a = ask(php, get("/accel.php"))
    assert (a.status, a.body, a["content-type"]) == (200, b"the file", "text/x-one;charset=UTF-8")
    assert a["set-cookie"].startswith("a=b") and a["x-accel-redirect"] is None
    a = ask(php, get("/sendfile.php"))
    assert (a.status, a.body, a["x-sendfile"]) == (200, b"the file", None)
    assert ask(php, get("/files/one")).status == 404


def test_error_output(php):
    assert ask(php, get("/log.php")).body == b"logged"
    assert re.search(r"something is odd.*\(request [0-9a-f]{16}, ", said(php, "something is odd")[0])
    assert ask(php, get("/fatal.php")).status == 500


@needs_cgi
def test_error_output_has_the_requests_id(site):
    server = site(APP.format(processes="1", more=""))
    v = variables(server, get("/vars.php"))
    assert re.fullmatch("[0-9a-f]{16}", v["REQUEST_ID"])
    ask(server, get("/log.php"))
    line = said(server, "something is odd")[0]
    assert int(re.search("request ([0-9a-f]{16})", line)[1], 16) == int(v["REQUEST_ID"], 16) + 1


@pytest.mark.threads
@needs_cgi
def test_a_process_that_dies(site):
    """In the middle of a request that can be repeated: nobody notices."""
    server = site(APP.format(processes="2", more=""))
    assert ask(server, get("/die.php")).body == b"alive"
    said(server, "killed by SIGKILL")
    with Wire(server) as w:
        w.send(get("/exit.php"))
        a = w.head()
        assert a.status == 200 and not w.rest().endswith(b"0\r\n\r\n")
    wait_for(lambda: ask(server, get("/pid.php")).status == 200, "a process again")


@pytest.mark.threads
@needs_cgi
@pytest.mark.parametrize("loops, processes", [(2, 1), (2, 2), (3, 2)])
def test_more_loops_than_processes(site, loops, processes):
    """One loop's idle connection keeps no other from its application."""
    server = site(APP.format(processes=processes, more=""), loops=loops)
    wires = [Wire(server) for _ in range(12)]
    for _ in range(5):
        for w in wires:
            assert w.ask(get("/pid.php")).status == 200
    pids = {w.ask(get("/pid.php")).body for w in wires}
    assert len(pids) <= processes
    for w in wires:
        w.send(get("/sleep.php?ms=5"))
    for w in wires:
        assert w.answer().status == 200
        w.sock.close()


@pytest.mark.threads
@needs_fpm
def test_more_loops_than_children(site, fpm):
    one = fpm(children=1)
    server = site(f"pool php {{ server unix:{one.socket}; }}", loops=2)
    wires = [Wire(server) for _ in range(8)]
    for _ in range(5):
        for w in wires:
            assert w.ask(get("/pid.php")).status == 200
    for w in wires:
        w.sock.close()


@pytest.mark.threads
@needs_fpm
def test_kept_connections_to_fpm(site, fpm):
    """As many as it has children: all of them are used again."""
    one = fpm(children=2)
    server = site(f"pool php {{ server unix:{one.socket} connections 2; keepalive 2; }}", loops=2)
    for _ in range(20):
        wires = [Wire(server) for _ in range(8)]
        for _ in range(10):
            for w in wires:
                w.send(get("/pid.php"))
            assert len({w.answer().body for w in wires}) <= 2
        for w in wires:
            w.sock.close()


@pytest.mark.threads
@needs_cgi
def test_nothing_is_left(site):
    """No process outlives petrel."""
    server = site(APP.format(processes="3", more=""))
    pids = set()

    def sleep():
        pids.add(int(ask(server, get("/sleep.php?ms=100")).body))
    threads = [threading.Thread(target=sleep) for _ in range(9)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(pids) == 3 and all(alive(pid) for pid in pids)
    server.stop()
    wait_for(lambda: not any(alive(pid) for pid in pids), "their end")
