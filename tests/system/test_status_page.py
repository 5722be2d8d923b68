"""The status page: what a person with a browser sees of a running server, and what the buttons do."""

import html.parser
import json
import re
import socket
import time
import urllib.parse

import pytest
from chromium import Browser
from conftest import SLOW, wait_for

CONF = """
loops 2;
listen 127.0.0.1:{port};
admin unix:{dir}/admin.sock;
pool api { server 127.0.0.1:1; server unix:{dir}/nobody.sock backup;
           health GET / every 100ms timeout 100ms rise 1 fall 1; queue 10; }
app loud { command "sh -c 'echo \\"<script>document.title=1</script> <b>bye</b>\\"; printf \\"\\\\033[31mred\\\\033]0;owned\\\\007\\\\n\\"; exit 3'";
           protocol http; processes 1; }
site * {
    route = /-/status  { allow 127.0.0.0/8; status; }
    route = /-/admin   { allow 127.0.0.0/8; status { buttons on; } }
    route = /-/closed  { deny 127.0.0.0/8; status { buttons on; } }
    route /-/see*      { status; }
    route /api/*       { proxy api; }
    route "/<script>document.title=2</script>\\"&*" { respond 200 x; }
    route *            { respond 200 fine; }
}
"""
FORM = {"Content-Type": "application/x-www-form-urlencoded"}


class Page(html.parser.HTMLParser):
    """The texts of sections, by their ids, and the names of all elements."""

    def __init__(self, text):
        super().__init__()
        self.sections, self.elements, self.outside, self.here = {}, [], [], None
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        self.elements.append(tag)
        if tag == "section":
            self.here = dict(attrs)["id"]
            self.sections[self.here] = ""
        self.outside += [value for name, value in attrs if name in ("src", "href") and re.match(r"(\w+:)?//", value or "")]

    def handle_endtag(self, tag):
        self.here = None if tag == "section" else self.here

    def handle_data(self, data):
        if self.here:
            self.sections[self.here] += data + " "


@pytest.fixture
def server(petrel):
    return petrel(CONF)


@pytest.fixture(scope="module")
def chromium(tmp_path_factory):
    one = Browser(tmp_path_factory.mktemp("chromium"))
    yield one
    one.close()


@pytest.fixture
def browser(chromium):
    """After the server in a test's arguments: its page is closed before the server is stopped."""
    chromium.errors.clear()
    yield chromium
    chromium.leave()


def press(server, form, headers=None, path="/-/admin"):
    origin = {"Origin": f"http://127.0.0.1:{server.port}"} if headers is None else headers
    return server.request(path, "POST", {**FORM, **origin}, urllib.parse.urlencode(form))


def server_states(server):
    """Of the pool's servers, in their order, as the page says."""
    pools = server.request("/-/admin").body.decode().partition('<section id="pools">')[2].partition("</section>")[0]
    return re.findall(r'class="badge \w+">(\w+)<', pools)


def is_untouched(server):
    return server_states(server)[0] in ("ready", "sick", "ejected")


def read_events(sock, until, seconds=10):
    """What comes on a stream until it holds this."""
    data, deadline = b"", time.monotonic() + seconds
    while until not in data:
        assert time.monotonic() < deadline, data[-300:]
        got = sock.recv(65536)
        assert got, data[-300:]
        data += got
    return data


def open_stream(server, target="/-/status?events", **fields):
    sock = server.connect()
    lines = "".join(f"{name.replace('_', '-')}: {value}\r\n" for name, value in fields.items())
    sock.sendall(f"GET {target} HTTP/1.1\r\nHost: x\r\n{lines}\r\n".encode())
    return sock


# --- The page ---

def test_the_page_says_what_goes_on(server):
    for _ in range(20):
        server.request("/x")
    assert server.request("/api/x").status in (502, 503, 504)
    wait_for(lambda: b"<bdi>/api/*</bdi>" in server.request("/-/status").body, "a sample that has it")
    wait_for(lambda: b">sick<" in server.request("/-/status").body, "a server that is known to be sick")
    answer = server.request("/-/status")
    page = Page(answer.body.decode())
    assert answer.status == 200 and answer.headers["Content-Type"] == "text/html; charset=utf-8"
    assert set(page.sections) >= {"head", "tiles", "charts", "routes", "pools", "apps", "inside", "changes"}
    assert "in all" in page.sections["tiles"]
    assert re.search(r"/api/\* +[\d.]+ ", page.sections["routes"])
    assert re.search(r"127\.0\.0\.1:1 .*sick", page.sections["pools"])
    assert "loud/1" in page.sections["apps"]
    assert "io_uring" in page.sections["inside"] or "threads" in page.sections["inside"]
    assert "button" not in page.elements and "form" not in page.elements
    assert "button" in Page(server.request("/-/admin").body.decode()).elements


def test_nothing_is_loaded_from_elsewhere(server):
    answer = server.request("/-/status")
    policy = answer.headers["Content-Security-Policy"]
    assert "default-src 'none'" in policy and "frame-ancestors 'none'" in policy and "unsafe" not in policy
    assert answer.headers["Cache-Control"] == "no-store"
    assert answer.headers["X-Content-Type-Options"] == "nosniff"
    assert not Page(answer.body.decode()).outside
    nonces = {re.search(r"nonce-(\w{32})", server.request("/-/status").headers["Content-Security-Policy"])[1]
              for _ in range(5)}
    assert len(nonces) == 5


def test_names_are_text(server):
    server.request("/%3Cscript%3Edocument.title=2%3C/script%3E%22&x")
    server.wait_said("exited with status 3")
    wait_for(lambda: b"document.title=2" in server.request("/-/status").body, "a sample that has it")
    page = Page(server.request("/-/admin").body.decode())
    assert page.elements.count("script") == 1
    assert "<script>document.title=2</script>\"&*" in page.sections["routes"]
    assert "<script>document.title=1</script> <b>bye</b>" in page.sections["apps"]
    assert "\x1b" not in page.sections["apps"] and "\x07" not in page.sections["apps"]


def test_who_may_see_it(server):
    assert server.request("/-/closed").status == 403
    assert server.request("/-/closed?json").status == 403
    assert press(server, {"do": "drain", "pool": "api", "server": "127.0.0.1:1"}, path="/-/closed").status == 403
    assert is_untouched(server)


def test_other_forms_of_the_same(server):
    answer = server.request("/-/status?json")
    assert answer.headers["Content-Type"] == "application/json" and "connections" in json.loads(answer.body)
    assert "connections" in server.get_json("/-/see/status.json")
    for target in ("/-/status?metrics", "/-/see/metrics"):
        answer = server.request(target)
        assert answer.headers["Content-Type"].startswith("text/plain; version=0.0.4")
        assert b"# TYPE petrel_" in answer.body
    assert "connections" in server.get_json("/-/status", headers={"Accept": "application/json"})
    assert server.request("/-/see").body.startswith(b"<!doctype html>")
    head = server.request("/-/status", "HEAD")
    assert head.status == 200 and not head.body
    assert server.request("/-/status", "PUT").status == 405
    assert server.request("/-/see/x", headers={"Accept": "text/html"}).body.startswith(b"<!doctype html>")


# --- The stream ---

@pytest.mark.threads
@pytest.mark.parametrize("target, accept", [("/-/status?events", "*/*"), ("/-/see/events", "*/*"),
                                            ("/-/status", "text/event-stream")])
def test_the_stream_brings_what_changed(server, target, accept):
    with open_stream(server, target, Accept=accept) as sock:
        first = read_events(sock, b"data: changes")
        assert b"Content-Type: text/event-stream" in first
        for name in ("head", "tiles", "charts", "routes", "pools", "apps", "inside"):
            assert f"event: section\ndata: {name}\ndata: <".encode() in first
        later = read_events(sock, b"data: head")
        assert b"data: changes" not in later


@pytest.mark.threads
def test_a_viewer_that_does_not_read_holds_up_nobody(server):
    slow = [open_stream(server) for _ in range(5)]
    for sock in slow:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    with open_stream(server) as sock:
        for _ in range(4):
            read_events(sock, b"data: head")
    for sock in slow:
        sock.close()
    assert server.request("/x").status == 200


@pytest.mark.threads
def test_viewers_come_and_go(server):
    for _ in range(30):
        with open_stream(server) as sock:
            read_events(sock, b"data: head")
    many = [open_stream(server) for _ in range(20)]
    for sock in many:
        read_events(sock, b"data: head")
    for sock in many:
        sock.close()
    assert server.request("/-/status").status == 200


@pytest.mark.threads
def test_there_is_a_bound_of_viewers(server):
    many = [open_stream(server) for _ in range(256)]
    for sock in many:
        read_events(sock, b"data: head", 60)
    assert server.request("/-/status?events").status == 503
    for sock in many:
        sock.close()
    wait_for(lambda: b"200 OK" in open_stream(server).recv(100), "room for another", 30)


@pytest.mark.threads
def test_a_stream_ends_when_the_server_does(server):
    with open_stream(server) as sock:
        read_events(sock, b"data: head")
        server.signal(3)
        while sock.recv(65536):
            pass
    assert server.wait_end() == 0


@pytest.mark.threads
def test_a_reload_keeps_the_stream(server):
    with open_stream(server) as sock:
        read_events(sock, b"configuration 1")
        server.reload(CONF.replace("/api/*", "/new/*"))
        read_events(sock, b"configuration 2")


# --- Buttons ---

@pytest.mark.threads
def test_a_server_is_drained_and_ready_again(server):
    one = {"pool": "api", "server": "127.0.0.1:1"}
    answer = press(server, {"do": "drain", **one})
    assert answer.status == 303 and answer.headers["Location"] == "/-/admin#pools"
    assert server_states(server)[0] == "drain"
    assert press(server, {"do": "down", **one}).status == 303
    assert server_states(server)[0] == "down"
    assert press(server, {"do": "ready", **one}).status == 303
    assert is_untouched(server)
    assert press(server, {"do": "restart", "app": "loud"}).headers["Location"] == "/-/admin#apps"
    changes = Page(server.request("/-/admin").body.decode()).sections["changes"]
    assert "pool api: 127.0.0.1:1 drains" in changes.replace("  ", " ") and "by 127.0.0.1" in changes


def test_changes_say_who_pressed(server, command):
    press(server, {"do": "drain", "pool": "api", "server": f"unix:{server.dir}/nobody.sock"})
    done = command("ctl", "--socket", server.dir / "admin.sock", "--json", "changes")
    change = json.loads(done.stdout)["changes"][0]
    assert change["address"] == "127.0.0.1" and "pid" not in change
    assert "nobody.sock drains" in change["did"]
    assert "127.0.0.1" in command("ctl", "--socket", server.dir / "admin.sock", "changes").stdout


@pytest.mark.parametrize("headers", [
    {}, {"Origin": "http://evil.example"}, {"Origin": "null"}, {"Origin": "http://127.0.0.1"}, {"Origin": ""},
    {"Origin": "ftp://127.0.0.1:{port}"}, {"Sec-Fetch-Site": "cross-site"}, {"Sec-Fetch-Site": "same-site"},
    {"Sec-Fetch-Site": "none"}, {"Sec-Fetch-Site": "cross-site", "Origin": "http://127.0.0.1:{port}"},
    {"Sec-Fetch-Site": "same-origin", "Origin": "http://evil.example"},
    {"Origin": "http://127.0.0.1:{port}.evil.example"}, {"Origin": "http://evil.example?127.0.0.1:{port}"}])
def test_a_form_from_elsewhere_does_nothing(server, headers):
    given = {name: server.fill(value) for name, value in headers.items()}
    assert press(server, {"do": "drain", "pool": "api", "server": "127.0.0.1:1"}, given).status == 403
    assert is_untouched(server)


def test_whoever_says_that_it_is_the_same_origin_is_believed(server):
    form = {"do": "drain", "pool": "api", "server": "127.0.0.1:1"}
    assert press(server, form, {"Sec-Fetch-Site": "same-origin"}).status == 303
    assert press(server, form, {"Origin": f"https://127.0.0.1:{server.port}"}).status == 303


@pytest.mark.parametrize("form, status", [
    ({}, 422), ({"do": "explode"}, 422), ({"do": "drain"}, 422), ({"do": "drain", "pool": "api"}, 422),
    ({"do": "drain", "pool": "apj", "server": "x"}, 404), ({"do": "drain", "pool": "api", "server": "<script>"}, 404),
    ({"do": "drain", "pool": "loud", "server": "loud/1"}, 409), ({"do": "restart", "app": "api"}, 404),
    ({"do": "restart", "app": ""}, 422), ({"do": "drain", "pool": "api", "server": "x" * 5000}, 413)])
def test_a_button_that_can_not_be(server, form, status):
    answer = press(server, form)
    assert answer.status == status
    assert b"<script>" not in answer.body and b"\nServer" not in answer.body


def test_no_buttons_no_changes(server):
    form = {"do": "drain", "pool": "api", "server": "127.0.0.1:1"}
    assert press(server, form, path="/-/status").status == 405
    assert press(server, form, path="/-/see").status == 405
    same = {"Origin": f"http://127.0.0.1:{server.port}", "Content-Type": "application/json"}
    assert server.request("/-/admin", "POST", same, json.dumps(form)).status == 415
    assert server.request("/-/admin?do=drain&pool=api&server=127.0.0.1:1").status == 200
    assert is_untouched(server)


def test_a_form_that_comes_in_pieces(server):
    body = urllib.parse.urlencode({"do": "drain", "pool": "api", "server": "127.0.0.1:1"}).encode()
    head = (f"POST /-/admin HTTP/1.1\r\nHost: x\r\nOrigin: http://x\r\nContent-Type: {FORM['Content-Type']}\r\n"
            f"Content-Length: {len(body)}\r\n\r\n").encode()
    with server.connect() as sock:
        for piece in (head, body[:5], body[5:-1]):
            sock.sendall(piece)
            time.sleep(0.05)
        assert is_untouched(server)
        sock.sendall(body[-1:])
        assert b" 303 " in sock.recv(1000)
    with server.connect() as sock:
        sock.sendall(head + body[:5])
    assert server_states(server)[0] == "drain"


# --- In a browser ---

def url(server, path="/-/admin"):
    return f"http://127.0.0.1:{server.port}{path}"


@pytest.mark.parametrize("dark", [False, True])
@pytest.mark.parametrize("width", [360, 820, 1280])
def test_in_both_themes_and_at_any_width(server, browser, tmp_path, dark, width):
    server.wait_said("exited with status 3")
    browser.look(width, 740, dark)
    browser.open(url(server))
    wait_for(lambda: browser.js("document.getElementById('live').textContent") == "live", "the stream")
    assert browser.js("document.documentElement.scrollWidth") <= width
    # Whatever is wider than its card scrolls in it; on a phone nothing is.
    wide = browser.js("[...document.querySelectorAll('.scroll')].filter(e => e.scrollWidth > e.clientWidth).map("
                      "e => e.innerText)")
    assert width > 400 or not wide
    red, green, blue = map(int, re.findall(r"\d+", browser.js("getComputedStyle(document.body).backgroundColor")))
    assert (max(red, green, blue) < 60) if dark else (min(red, green, blue) > 220)
    assert re.fullmatch(r"(\(\d+\) )?petrel", browser.js("document.title"))
    browser.picture(tmp_path / "page.png")
    assert (tmp_path / "page.png").stat().st_size > 10000
    assert not browser.errors


def test_it_is_drawn_live(server, browser):
    browser.look(1280, 900)
    browser.open(url(server, "/-/status"))
    browser.js("window.same = document.querySelector('#tiles b'); 0")
    count = "parseInt(document.querySelector('#tiles small').textContent)"
    before = browser.js(count)
    for _ in range(50):
        server.request("/x")
    wait_for(lambda: browser.js(count) >= before + 50, "the new count", 30)
    assert re.fullmatch(r"(\(\d+\) )?petrel", browser.js("document.title"))
    assert browser.js("window.same.isConnected")
    assert not browser.errors


def test_what_is_wrong_stands_first(server, browser):
    browser.look(360, 740)
    browser.open(url(server))
    wait_for(lambda: "no_server" in browser.js("document.getElementById('alerts').textContent"), "an alert", 30)
    assert browser.js("document.title").startswith("(")
    assert browser.js("document.getElementById('alerts').getBoundingClientRect().bottom") < 740


def test_buttons_in_a_browser(server, browser):
    browser.look(1280, 900)
    browser.open(url(server))
    browser.click("#pools button[value=drain]")
    badge = "document.querySelector('#pools .badge')?.textContent"
    wait_for(lambda: browser.js(badge) == "drain", "the new state", 30)
    wait_for(lambda: browser.js("location.hash") == "#pools", "the page again")
    assert "127.0.0.1:1 drains" in browser.js("document.getElementById('changes').textContent")
    # Pressed live, it is not drawn anew under the finger.
    browser.js("window.held = document.querySelector('#pools button'); held.focus(); 0")
    time.sleep(2.5)
    assert browser.js("window.held.isConnected && document.activeElement === window.held")
    assert not browser.errors


def test_without_scripts(server, browser):
    browser.look(360, 740, scripts=False)
    try:
        browser.open(url(server))
        text = browser.call("DOM.getOuterHTML", nodeId=browser.call("DOM.getDocument")["root"]["nodeId"])["outerHTML"]
        assert '<meta http-equiv="refresh" content="5">' in text
        assert Page(text).sections["routes"]
    finally:
        browser.look(1280, 900)


def test_it_says_when_the_server_is_gone_and_comes_back(petrel, browser):
    server = petrel(CONF)
    browser.look(1280, 900)
    browser.open(url(server))
    live = "document.getElementById('live').textContent"
    wait_for(lambda: browser.js(live) == "live", "the stream")
    server.stop()
    wait_for(lambda: "No connection" in browser.js(live), "word of it", 15)
    again = petrel(CONF.replace("{port}", str(server.port)))
    wait_for(lambda: browser.js(live) == "live", "the stream again", 30 if not SLOW else 60)
    again.stop()
