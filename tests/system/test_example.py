"""The example site, as `make run` serves it: its pages, and each of its applications."""

import asyncio
import collections
import hashlib
import html.parser
import http.client
import json
import os
import re
import subprocess
import urllib.parse

import pytest
from conftest import ROOT, SLOW, wait_for


# --- Pages ---

class Links(html.parser.HTMLParser):
    """The addresses that a page leads to or shows."""

    def __init__(self, text):
        super().__init__()
        self.found = set()
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        self.found |= {value for name, value in attrs if name in ("href", "src") and value}


@pytest.fixture(scope="module")
def site(tmp_path_factory):
    folder = tmp_path_factory.mktemp("example")
    subprocess.run(["/usr/bin/python3", ROOT / "examples/site/make", folder], check=True, timeout=120)
    return folder


@pytest.fixture
def example(petrel, site):
    """example() starts the example's configuration on a port of its own; (text, text) pairs are replaced in it."""
    def start(*pairs):
        conf = (ROOT / "examples/site/petrel.conf").read_text()
        for text, other in [("../../build/example", str(site)), ("${env.PORT:-8080}", "{port}"),
                            ("${env.TMPDIR:-/tmp}", "{dir}"), *pairs]:
            assert text in conf
            conf = conf.replace(text, other)
        return petrel(conf)

    return start


def wait_for_pools(server):
    """Until their servers are there, and were seen to be well."""
    def shares():
        answers = [server.request(f"/pool/{pool}/0") for pool in ("turns", "weighted", "keyed", "sticky") for _ in "abc"]
        return {a.status for a in answers} == {200} and len({a.body for a in answers[:3]}) == 3
    wait_for(shares, "three servers that are well", 30)


def crawl(connection, start):
    """Everything that is reached from here within the server, pages and pictures: {address: status}."""
    seen, todo = {}, [start]
    while todo:
        at = todo.pop()
        if at in seen:
            continue
        connection.request("GET", at, headers={"Accept": "text/html"})
        answer = connection.getresponse()
        body = answer.read()
        seen[at] = answer.status
        # Listings of all the icon themes of a machine are not ours to read, and a calendar never ends.
        if not answer.headers.get("Content-Type", "").startswith("text/html") or at.startswith(("/icons/", "/month/")):
            continue
        for link in Links(body.decode()).found:
            parts = urllib.parse.urlsplit(urllib.parse.urljoin(at, link))
            if parts.scheme in ("", "http") and parts.netloc == "":
                todo.append(parts.path)
    return seen


@pytest.mark.skipif(not os.path.isdir("/usr/share/icons/Tango"), reason="tango-icon-theme is not installed")
def test_every_page_and_picture_of_the_example(example):
    server = example()
    wait_for_pools(server)
    connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=20)
    seen = crawl(connection, "/")
    connection.close()
    assert {at: status for at, status in seen.items() if status != 200} == {}
    assert {"/docs/ARCHITECTURE.html", "/docs/reference/core.html", "/gallery/index.html", "/icons/"} <= set(seen)
    assert sum(at.endswith((".png", ".svg")) for at in seen) > 2000


def test_a_page_needs_nothing_from_elsewhere(site):
    for page in (site / "site").rglob("*.html"):
        text = page.read_text()
        assert "<script" not in text
        assert not re.search(r'(src|<link[^>]*href)="(https?:)?//', text), page


@pytest.mark.skipif(SLOW, reason="it is the release build that is run")
def test_run_tells_the_address_and_that_a_port_is_taken(petrel):
    server = petrel("listen 127.0.0.1:{port};\nsite * { route * { respond 200; } }\n")
    done = subprocess.run([ROOT / "examples/site/run"], capture_output=True, text=True, timeout=30,
                          env={**os.environ, "PORT": str(server.port)})
    assert done.returncode == 1
    assert f"http://127.0.0.1:{server.port}/" in done.stdout
    assert re.search(rf"127\.0\.0\.1:{server.port} is in use", done.stderr)


# --- Applications ---

def post(server, path, headers=None, **fields):
    return server.request(path, method="POST", body=urllib.parse.urlencode(fields), timeout=30,
                          headers={"Content-Type": "application/x-www-form-urlencoded", **(headers or {})})


def test_the_start_page_says_what_runs_each(example):
    page = example().request("/").body.decode()
    for address, words in [("/guestbook/", ["command   php-cgi", "fastcgi guestbook"]), ("/chat/", ["proxy chat"]),
                           ("/month/", ["cache pages;", "uwsgi month { mount /month; }"]),
                           ("/checksum/", ["gunicorn", "proxy checksum"]), ("/servers/", ["pool turns", "sticky  cookie"])]:
        card = page.split(f'<a href="{address}">', 1)[1].split("</section>")[0]
        assert [word for word in words if word not in card] == [], card


def test_a_guestbook_in_php(example, site):
    (site / "data/guestbook.jsonl").unlink(missing_ok=True)
    server = example()
    done = post(server, "/guestbook/", name="Jürgen <1>", text="Good & well\nsecond line")
    assert (done.status, done.headers["Location"]) == (303, "/guestbook/")
    for path in ("/guestbook/", "/guestbook/index.php/1"):
        page = server.request(path).body.decode()
        assert "Jürgen &lt;1&gt;" in page and "Good &amp; well<br" in page
    assert server.request("/guestbook/index.php/2").status == 404
    assert post(server, "/guestbook/", name="", text="x").status == 422
    assert post(server, "/guestbook/", {"Sec-Fetch-Site": "cross-site"}, name="a", text="x").status == 403
    assert server.request("/guestbook").headers["Location"].endswith("/guestbook/")


def test_checksums_under_gunicorn(example):
    server, data = example(), os.urandom(700_000)
    wanted = hashlib.sha256(data).hexdigest()
    assert wanted in server.request("/checksum/a.bin", method="PUT", body=data, timeout=30).body.decode()
    form = (b'--x\r\nContent-Disposition: form-data; name="file"; filename="<a>.bin"\r\n\r\n' + data + b"\r\n--x--\r\n")
    page = server.request("/checksum/", method="POST", body=form,
                          headers={"Content-Type": "multipart/form-data; boundary=x"})
    assert wanted in page.body.decode() and "&lt;a&gt;.bin" in page.body.decode()


def test_a_calendar_under_uwsgi(example):
    server = example()
    page = server.request("/month/2024/2", timeout=30).body.decode()
    assert "<h1>February 2024</h1>" in page and 'datetime="2024-02-29"' in page
    assert 'href="/month/2024/1"' in page and 'href="/month/2024/3"' in page
    assert "uWSGI 2" in page
    assert [server.request(f"/month/{path}").status for path in ("", "2024/13", "x")] == [200, 404, 404]


def test_a_chat_under_node(example):
    websockets = pytest.importorskip("websockets")
    server = example()
    assert b"<h1>Chat</h1>" in server.request("/chat/", timeout=30).body

    async def next_of(socket, kind):
        while True:
            said = json.loads(await asyncio.wait_for(socket.recv(), 20))
            if said["kind"] == kind:
                return said

    async def talk():
        url = f"ws://127.0.0.1:{server.port}/chat/socket"
        async with websockets.connect(url) as one, websockets.connect(url) as two:
            await one.send(json.dumps({"name": "Ann", "text": "ä" * 600}))
            for socket in (one, two):
                said = await next_of(socket, "message")
                assert (said["name"], said["text"]) == ("Ann", "ä" * 600)
        async with websockets.connect(url) as late:
            assert [said["name"] for said in (await next_of(late, "welcome"))["kept"]] == ["Ann"]
        with pytest.raises(websockets.InvalidStatusCode):
            await websockets.connect(url, origin="http://elsewhere.example")

    asyncio.run(talk())


def tiles(server, pool, count, headers=None):
    """Which of the servers answered how often."""
    answers = [server.request(f"/pool/{pool}/{n}", headers=headers, timeout=30) for n in range(count)]
    assert {answer.status for answer in answers} == {200}
    return collections.Counter(re.search(rb'weight="600">(.)', answer.body)[1].decode() for answer in answers)


@pytest.mark.threads
def test_pools_of_servers_that_can_be_stopped(example):
    server = example()
    assert b"<h1>Pools</h1>" in server.request("/servers/", timeout=30).body
    wait_for_pools(server)
    wait_for(lambda: tiles(server, "turns", 9) == {"a": 3, "b": 3, "c": 3}, "all of them well")
    wait_for(lambda: tiles(server, "weighted", 10) == {"a": 6, "b": 2, "c": 2}, "and in the other pool")
    cookie = server.request("/pool/sticky/0").headers["Set-Cookie"].split(";")[0]
    assert list(tiles(server, "sticky", 9, {"Cookie": cookie}).values()) == [9]
    assert tiles(server, "keyed", 12) == tiles(server, "keyed", 12)
    # Nobody notices that one is gone.
    assert post(server, "/servers/", stop="b").status == 303
    assert set(tiles(server, "turns", 30)) == {"a", "c"}
    assert post(server, "/servers/", start="b").status == 303
    wait_for(lambda: "b" in tiles(server, "turns", 6), "b is well again")


def test_a_program_that_is_not_installed(example):
    server = example(("php-cgi", "no-such-program"), ("timeout 10s", "timeout 300ms"))
    assert server.request("/").status == 200
    answer = server.request("/guestbook/")
    assert answer.status in (502, 503)
    assert b"Not available now" in answer.body
