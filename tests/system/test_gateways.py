"""Applications behind petrel, real ones over every protocol, and origins whose answers must not be passed on."""

import asyncio
import contextlib
import hashlib
import os
import re
import signal
import socket
import struct
import subprocess
import sys
import threading
import time

import pytest

from conftest import free_port, wait_for


@contextlib.contextmanager
def running(command, port, folder, **env):
    """A program that listens on this port, and its children."""
    with open(folder / "application.log", "ab") as log:
        process = subprocess.Popen(command, cwd=folder, stdout=log, stderr=log, start_new_session=True,
                                   env={**os.environ, **env})

    def listens():
        assert process.poll() is None, (folder / "application.log").read_text()
        with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port)):
            return True
        return False

    try:
        wait_for(listens, f"{command[0]} on port {port}")
        yield port
    finally:
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()


# --- PHP. ---

PHP = """<?php
switch ($_GET['do'] ?? '') {
case 'accel':
    header('X-Accel-Redirect: /protected/f%20g.txt?x');
    header('Content-Type: text/x-own');
    header('Content-Disposition: attachment');
    setcookie('a', 'b');
    setcookie('c', 'd');
    break;
case 'send': header('X-Sendfile: ' . $_GET['file']); break;
case 'redirect': header('Location: /elsewhere'); break;
case 'missing': http_response_code(404); echo 'not here'; break;
case 'complain': error_log('something went wrong'); echo 'fine'; break;
case 'large': for ($i = 0; $i < 3000; $i++) echo str_repeat('x', 1000); break;
case 'body': echo md5(file_get_contents('php://input')); break;
default: foreach ($_SERVER as $k => $v) if (is_string($v)) echo "$k=$v\\n";
}
"""
PHP_CONF = """
listen 127.0.0.1:{port};
site * {
    root {dir}/www;
    route /protected/* { internal; files; }
    route *.php*       { fastcgi 127.0.0.1:PHP { param OWN "x $path"; } }
    route *            { files { try $path $path/ /index.php; } }
}
"""


@pytest.fixture
def php(petrel, tmp_path):
    www = tmp_path / "petrel0/www"
    (www / "protected").mkdir(parents=True)
    (www / "index.php").write_text(PHP)
    (www / "protected/f g.txt").write_text("0123456789")
    port = free_port()
    with running(["php-cgi", "-b", f"127.0.0.1:{port}"], port, tmp_path, PHP_FCGI_CHILDREN="2"):
        yield petrel(PHP_CONF.replace("PHP", str(port), 1))


def variables(answer):
    return dict(line.split("=", 1) for line in answer.body.decode().splitlines() if "=" in line)


def test_php_gets_the_variables(php):
    answer = php.request("/index.php/x%20y?a=b", headers={"X-A": "1", "X_A": "evil", "Proxy": "evil", "Host": "h:81"})
    got = variables(answer)
    assert answer.status == 200
    wanted = {"SCRIPT_NAME": "/index.php", "PATH_INFO": "/x y", "QUERY_STRING": "a=b", "REQUEST_METHOD": "GET",
              "REQUEST_URI": "/index.php/x%20y?a=b", "SCRIPT_FILENAME": f"{php.dir}/www/index.php", "SERVER_NAME": "h",
              "SERVER_PORT": "81", "REMOTE_ADDR": "127.0.0.1", "HTTP_X_A": "1", "OWN": "x /index.php/x y",
              "PATH_TRANSLATED": f"{php.dir}/www/x y", "DOCUMENT_ROOT": f"{php.dir}/www"}
    assert {k: got.get(k) for k in wanted} == wanted
    assert "HTTP_PROXY" not in got


def test_php_is_what_answers_where_no_file_does(php):
    got = variables(php.request("/some/page?a=b"))
    assert (got["SCRIPT_NAME"], got["REQUEST_URI"], got["QUERY_STRING"]) == ("/index.php", "/some/page?a=b", "a=b")


@pytest.mark.parametrize("size", [0, 1, 70000, 3000000])
@pytest.mark.parametrize("chunked", [False, True])
def test_php_reads_bodies(php, size, chunked):
    body = os.urandom(size)
    headers = {"Content-Type": "application/octet-stream"}
    answer = php.request("/index.php?do=body", "POST", headers, iter([body[:size // 2], body[size // 2:]]) if chunked else body)
    assert answer.body.decode() == hashlib.md5(body).hexdigest()


def test_php_answers(php):
    assert len(php.request("/index.php?do=large").body) == 3000000
    answer = php.request("/index.php?do=missing")
    assert (answer.status, answer.body) == (404, b"not here")
    answer = php.request("/index.php?do=redirect")
    assert (answer.status, answer.getheader("Location")) == (302, "/elsewhere")
    answer = php.request("/index.php", "HEAD")
    assert (answer.status, answer.body) == (200, b"")
    assert [v for k, v in answer.getheaders() if k in ("Date", "Server")].count("petrel") == 1


def test_php_complains_into_the_log(php):
    assert php.request("/index.php?do=complain").body == b"fine"
    php.wait_said(r"something went wrong.*request [0-9a-f]{16}")


def test_php_leaves_files_to_petrel(php):
    for headers, status, body in (({}, 200, b"0123456789"), ({"Range": "bytes=2-4"}, 206, b"234")):
        answer = php.request("/index.php?do=accel", headers=headers)
        assert (answer.status, answer.body) == (status, body)
        assert answer.getheader("Content-Type").startswith("text/x-own")
        assert answer.getheader("Content-Disposition") == "attachment"
        assert sorted(v for k, v in answer.getheaders() if k == "Set-Cookie") == ["a=b", "c=d"]
        assert not answer.getheader("X-Accel-Redirect")
    assert php.request("/protected/f%20g.txt").status == 404
    assert php.request(f"/index.php?do=send&file={php.dir}/www/protected/f%20g.txt").body == b"0123456789"
    # After a request with a body the connection goes on.
    answer = php.request("/index.php?do=accel", "POST", body=b"hello")
    assert (answer.status, answer.body) == (200, b"0123456789")


@pytest.mark.parametrize("file", ["/etc/passwd", "{dir}/wwwx", "{dir}/www/../petrel.conf", "{dir}/www/a/../../x"])
def test_php_can_not_send_what_is_not_below_the_root(php, file):
    answer = php.request(f"/index.php?do=send&file={file.format(dir=php.dir)}")
    assert answer.status == 502 and b"root:" not in answer.body
    php.wait_said("the application asks for")


# --- Python. ---

WSGI = """
def application(env, start):
    body = env['wsgi.input'].read(int(env.get('CONTENT_LENGTH') or 0))
    if env['PATH_INFO'].endswith('/away'):
        start('302 Found', [('Location', 'http://%s/there' % env['HTTP_HOST'])])
        return [b'']
    out = ''.join('%s=%s\\n' % (k, v) for k, v in env.items() if isinstance(v, str)) + 'LENGTH=%d\\n' % len(body)
    start('200 OK', [('Content-Type', 'text/plain')])
    return [out.encode()]
"""


@pytest.mark.parametrize("protocol", ["uwsgi", "scgi"])
def test_a_wsgi_application_under_uwsgi(petrel, tmp_path, protocol):
    (tmp_path / "app.py").write_text(WSGI)
    port = free_port()
    with running(["uwsgi", "--plugin", "python3", f"--{protocol}-socket", f"127.0.0.1:{port}", "--wsgi-file", "app.py"],
                 port, tmp_path):
        one = petrel("listen 127.0.0.1:{port};\n"
                     f"site * {{ route /app/* {{ {protocol} 127.0.0.1:{port} {{ mount /app; }} }} }}")
        got = variables(one.request("/app/x?y", "POST", body=b"hello"))
        assert (got["SCRIPT_NAME"], got["PATH_INFO"], got["QUERY_STRING"], got["LENGTH"]) == ("/app", "/x", "y", "5")
        assert variables(one.request("/app/", "POST", body=iter([b"hel", b"lo"])))["LENGTH"] == "5"
        assert one.request("/app/", "HEAD").status == 200


def test_a_wsgi_application_under_gunicorn(petrel, tmp_path):
    (tmp_path / "app.py").write_text(WSGI)
    port = free_port()
    with running(["/usr/bin/gunicorn", "-b", f"127.0.0.1:{port}", "app:application"], port, tmp_path):
        one = petrel("listen 127.0.0.1:{port};\n"
                     f"site * {{ route /v1/* {{ proxy 127.0.0.1:{port} {{ path /v2/$1; host server; }} }}\n"
                     f"          route * {{ proxy http://127.0.0.1:{port}; }} }}")
        got = variables(one.request("/x?y", "POST", {"X-Forwarded-For": "evil", "Host": "h"}, b"hello"))
        assert (got["PATH_INFO"], got["LENGTH"], got["HTTP_X_FORWARDED_FOR"]) == ("/x", "5", "127.0.0.1")
        assert got["HTTP_FORWARDED"] == 'for=127.0.0.1;host="h";proto=http'
        got = variables(one.request("/v1/a?b", headers={"Host": "h"}))
        assert (got["PATH_INFO"], got["QUERY_STRING"], got["HTTP_HOST"]) == ("/v2/a", "b", f"127.0.0.1:{port}")
        # It redirects to the name that it was asked under.
        assert one.request("/v1/away", headers={"Host": "h"}).getheader("Location") == "http://h/there"


ECHO = """
import asyncio, sys, websockets
async def echo(ws, path=None):
    async for message in ws:
        await ws.send(message[::-1])
async def main():
    async with websockets.serve(echo, '127.0.0.1', int(sys.argv[1])):
        await asyncio.Future()
asyncio.run(main())
"""


def test_a_websocket(petrel, tmp_path):
    websockets = pytest.importorskip("websockets")
    (tmp_path / "echo.py").write_text(ECHO)
    port = free_port()

    async def talk(url):
        async with websockets.connect(url) as ws:
            await ws.send("hello")
            return await asyncio.wait_for(ws.recv(), 10)

    with running([sys.executable, "echo.py", str(port)], port, tmp_path):
        one = petrel("listen 127.0.0.1:{port};\n" f"site * {{ route * {{ proxy 127.0.0.1:{port}; }} }}")
        assert asyncio.run(talk(f"ws://127.0.0.1:{one.port}/")) == "olleh"


# --- Answers that must not be passed on. ---

class Origin:
    """Answers whatever it is asked with these bytes, and closes, perhaps some time later."""

    def __init__(self, answer, hold=0):
        self.answer = answer
        self.hold = hold
        self.socket = socket.create_server(("127.0.0.1", 0))
        self.port = self.socket.getsockname()[1]
        threading.Thread(target=self.run, daemon=True).start()

    def run(self):
        with contextlib.suppress(OSError):
            while True:
                connection, _ = self.socket.accept()
                with connection:
                    connection.recv(65536)
                    connection.sendall(self.answer)
                    time.sleep(self.hold)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.socket.shutdown(socket.SHUT_RDWR)
        self.socket.close()


def record(kind, content, number=1, version=1, padding=0):
    return struct.pack(">BBHHBB", version, kind, number, len(content), padding, 0) + content + bytes(padding)


OK = b"HTTP/1.1 200 OK\r\n"
END = record(3, bytes(8))
CGI = b"Content-Type: text/plain\r\n\r\n"
REFUSED = [
    ("proxy", b"hello\r\n\r\n", "does not begin with HTTP/1.1"),
    ("proxy", b"", "without an answer"),
    ("proxy", OK[:9], "in the middle of its answer's head"),
    ("proxy", OK + b"Content-Length: 5\r\nContent-Length: 6\r\n\r\nhello!", "more than one Content-Length"),
    ("proxy", OK + b"Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", "both Content-Length"),
    ("proxy", OK + b"Transfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n", "other than chunked"),
    ("proxy", OK + b"A: b\n\r\n", "LF without CR"),
    ("proxy", OK + b"A : b\r\n\r\n", "before a field's colon"),
    ("proxy", OK + b"A: b\r\n c\r\n\r\n", "folding"),
    ("proxy", b"HTTP/1.1 099 x\r\n\r\n", "range"),
    ("proxy", b"HTTP/1.1 101 x\r\nUpgrade: h2c\r\nConnection: Upgrade\r\n\r\n", "not asked for"),
    ("proxy", OK + b"A: " + b"x" * 200000, "too large"),
    ("fastcgi", b"HTTP/1.1 200 OK\r\n\r\n", "version"),
    ("fastcgi", record(6, CGI, number=2) + END, "another request"),
    ("fastcgi", record(6, CGI, version=2) + END, "version"),
    ("fastcgi", record(5, CGI) + END, "type"),
    ("fastcgi", record(3, bytes(7)), "wrong length"),
    ("fastcgi", END, "did not answer"),
    ("fastcgi", record(7, b"x" * 65535) * 4 + END, "did not answer"),
    ("fastcgi", record(6, CGI[:9]), "without an answer"),
    ("fastcgi", record(6, b"hello\n\n") + END, "name holds"),
    ("fastcgi", record(6, OK + CGI) + END, "NPH"),
    ("fastcgi", record(6, b"A: " + b"x" * 60000) * 4 + END, "too large"),
    ("scgi", b"hello\r\n\r\n", "name holds"),
    ("scgi", b"HTTP/1.1 100 Continue\r\n\r\n", "below 200"),
    ("uwsgi", OK + b"Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n", "Transfer-Encoding"),
]


@pytest.mark.parametrize("handler,answer,why", REFUSED, ids=map(str, range(len(REFUSED))))
def test_refused_answers(petrel, handler, answer, why):
    with Origin(answer) as origin:
        one = petrel("listen 127.0.0.1:{port};\n" f"site * {{ route * {{ {handler} 127.0.0.1:{origin.port}; }} }}")
        got = one.request("/")
        assert got.status == 502
        one.wait_said(re.escape(why))


CUT = [
    ("proxy", OK + b"Content-Length: 100000\r\n\r\nhello"),
    ("proxy", OK + b"Transfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n"),
    ("proxy", OK + b"Transfer-Encoding: chunked\r\n\r\n5\r\nhello\r\nx\r\n"),
    ("fastcgi", record(6, CGI + b"hello")),
    ("fastcgi", record(6, b"Content-Length: 100000\n\nhello") + END),
    ("uwsgi", OK + b"Content-Length: 100000\r\n\r\nhello"),
]


@pytest.mark.parametrize("handler,answer", CUT, ids=map(str, range(len(CUT))))
@pytest.mark.parametrize("hold", [0, 0.3])
def test_answers_that_are_cut_short_are_seen_to_be(petrel, handler, answer, hold):
    with Origin(answer, hold) as origin:
        one = petrel("listen 127.0.0.1:{port};\n" f"site * {{ route * {{ {handler} 127.0.0.1:{origin.port}; }} }}")
        with one.connect() as client:
            client.sendall(b"GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n")
            got = b"".join(iter(lambda: client.recv(65536), b""))
        head, _, body = got.partition(b"\r\n\r\n")
        assert head.startswith(b"HTTP/1.1 ")
        if b" 502 " not in head:
            whole = b"chunked" in head and body.endswith(b"0\r\n\r\n")
            length = re.search(rb"Content-Length: (\d+)", head)
            assert not whole and (not length or int(length[1]) > len(body)), got


@pytest.mark.parametrize("handler,answer,body", [
    ("proxy", OK + b"\r\nhello", b"hello"),
    ("proxy", b"HTTP/1.1 103 Early Hints\r\nLink: a\r\n\r\n" + OK + b"Content-Length: 5\r\n\r\nhello", b"hello"),
    ("proxy", OK + b"Content-Length: 0\r\n\r\n", b""),
    ("proxy", b"HTTP/1.1 204 x\r\n\r\n", b""),
    ("fastcgi", record(7, b"aside", padding=3) + record(6, CGI + b"hel", padding=5) + record(6, b"lo") + record(6, b"") + END,
     b"hello"),
    ("fastcgi", record(11, bytes(8), number=0) + record(6, CGI) + END, b""),
    ("scgi", b"Content-Length: 5\n\nhello and more", b"hello"),
    ("uwsgi", OK + CGI + b"hello", b"hello"),
], ids=map(str, range(8)))
def test_answers_of_every_shape(petrel, handler, answer, body):
    with Origin(answer) as origin:
        one = petrel("listen 127.0.0.1:{port};\n" f"site * {{ route * {{ {handler} 127.0.0.1:{origin.port}; }} }}")
        got = one.request("/", timeout=3)
        assert got.status in (200, 204) and got.body == body
