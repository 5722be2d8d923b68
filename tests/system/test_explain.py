"""petrel ctl explain: which way a request takes and why, for each kind of reason; and that the request takes it."""

import json

import pytest
from conftest import wait_for
from origins import hang, http
from test_ctl import ctl  # noqa: F401 (a fixture)
from wire import Wire, get

CONF = """listen 127.0.0.1:{port};
admin unix:{dir}/admin.sock;
root {dir}/www;
pool api { server ONE connections 1; server TWO backup; queue 5 timeout 20s; }
pool odd { server ONE; server TWO; balance hash $path; }
pool stuck { server ONE; server TWO; sticky cookie STICKS; }
site example.org *.example.org {
    deny 10.0.0.0/8;
    route = /ping { respond 200 pong; }
    route ~ ^/u/(\\d+)$ { redirect 301 /user/$1; }
    route /a/*/z { respond 204; }
    route /api/* { allow 10.0.0.1 127.0.0.1; proxy api { path /v2/$1; } }
    route /odd/* { proxy odd; }
    route /stuck/* { proxy stuck; }
    route /secret/* { internal; files; }
    route *.php { fastcgi 127.0.0.1:9 { check on; } }
    include more.conf;
    route /none/* { }
    route * { files { try $path $path/ /index.php; } }
}
site * { route /only { respond 200; } }
"""


@pytest.fixture
def server(petrel, origin, tmp_path):
    one, two = origin(http()), origin(http())
    (tmp_path / "petrel0/www").mkdir(parents=True)
    (tmp_path / "petrel0/more.conf").write_text("# included\nroute /more/* { respond 200 more; }\n")
    one_ = petrel(CONF.replace("ONE", one.address).replace("TWO", two.address))
    one_.one, one_.two = one, two
    return one_


@pytest.fixture
def explain(server, ctl):  # noqa: F811
    def ask(url, *options):
        return json.loads(ctl(server, "--json", "explain", url, *options))
    return ask


def line_of(text, file=CONF):
    return 1 + next(i for i, line in enumerate(file.splitlines()) if text in line)


def test_hosts(explain):
    for host, name, fits, route in (("example.org", "example.org", "exact", "= /ping"), ("EXAMPLE.org:81", "example.org", "exact", "= /ping"),
                                    ("a.b.example.org", "*.example.org", "wildcard", "= /ping"), ("other", "*", "any", None)):
        way, = explain(f"http://{host}/ping")["ways"]
        assert (way["site"]["name"], way["site"]["fits"]) == (name, fits)
        assert way["site"]["line"] == line_of(f"site {name} " if fits == "any" else "site example.org")
        assert (way["route"] and way["route"]["pattern"]) == route
    # No route matches: all of them were tried.
    assert way["passed"] == [{"route": "= /only", "why": "the path is not /only", "file": way["passed"][0]["file"],
                              "line": line_of("/only")}]
    assert way["handler"] is None


def test_routes(explain, server):
    way, = explain("http://example.org/more/%2e%2e/more/x?y")["ways"]
    assert way["path"] == "/more/x"
    assert [(p["route"], p["why"]) for p in way["passed"]][:5] == [
        ("= /ping", "the path is not /ping"),
        ('~ "^/u/(\\\\d+)$"', "the regular expression does not match the path"),
        ("/a/*/z", "the path does not fit /a/*/z"),
        ("/api/*", "the path does not begin with /api/"),
        ("/odd/*", "the path does not begin with /odd/")]
    assert (way["route"]["captures"], way["later"]) == (["x"], 2)
    # An included file is named.
    assert (way["route"]["file"], way["route"]["line"]) == (f"{server.dir}/more.conf", 2)
    way, = explain("example.org/u/12")["ways"]
    assert way["handler"]["does"] == ["answers 301, to /user/12"]
    assert way["route"]["captures"] == ["12"]


def test_gates(explain):
    asked = {client: explain("http://example.org/api/x", "--client", client)["ways"][0]
             for client in ("10.0.0.1", "10.0.0.2", "192.0.2.1", "127.0.0.1")}
    assert [w["gates"][0]["says"] for w in asked.values()] == ["passes", "answers", "answers", "passes"]
    gate = asked["10.0.0.2"]["gates"][0]
    assert (gate["module"], gate["status"]) == ("access", 403)
    assert gate["values"] == ["allow 10.0.0.1 127.0.0.1;", "deny  10.0.0.0/8;"]
    assert [(f["directive"], f["line"]) for f in gate["from"]] == [("allow", line_of("allow")), ("deny", line_of("deny"))]
    # What comes behind a gate that answers is not reached.
    assert "handler" not in asked["10.0.0.2"]
    way, = explain("http://example.org/secret/x")["ways"]
    assert [(g["module"], g["says"]) for g in way["gates"]] == [("internal", "answers")]


def test_files_and_what_comes_after_them(explain, server):
    first, then = explain("http://example.org/blog/x")["ways"]
    www = f"{server.dir}/www"
    assert first["handler"]["does"] == [f"serves {www}/blog/x, where it is there", f"serves {www}/blog/x/, where it is there"]
    assert (then["path"], then["route"]["pattern"]) == ("/index.php", "*.php")
    assert f'SCRIPT_FILENAME is "{www}/index.php"' in then["handler"]["does"]
    assert "answers 404 where there is no such file" in then["handler"]["does"]
    assert then["pool"]["servers"][0]["server"] == "127.0.0.1:9"


def test_pools(explain, server, ctl):  # noqa: F811
    def why():
        pool = explain("http://example.org/api/x?y")["ways"][0]["pool"]
        return pool["outcome"], [(s["picked"], s["why"]) for s in pool["servers"]]
    way, = explain("http://example.org/api/x?y")["ways"]
    assert way["handler"]["does"] == ["asks the server for GET /v2/x?y"]
    assert way["pool"]["line"] == line_of("pool api")
    assert why() == ("picked", [(True, "picked"), (False, "a backup, and others can be asked")])
    # Looking on takes nothing.
    assert json.loads(ctl(server, "--json", "pool", "api"))["requests"] == 0
    server.one.script = hang
    with Wire(server) as w:
        w.send(b"GET /api/x HTTP/1.1\r\nHost: example.org\r\n\r\n")
        server.one.wait_peers()
        assert why() == ("waits", [(False, "full: 1 of 1 connections are busy"), (False, "a backup, and others can be asked")])
    wait_for(lambda: why()[0] == "picked", "the slot again")
    ctl(server, "server", "api", server.one.address, "down")
    assert why() == ("picked", [(False, "down"), (True, "picked")])
    ctl(server, "server", "api", server.two.address, "drain")
    assert why() == ("none", [(False, "down"), (False, "drain")])
    assert "no server: 503" in ctl(server, "explain", "http://example.org/api/x")


def test_the_same_server_is_picked(explain, server):
    def foretold(target, *options):
        pool = explain(f"http://example.org{target}", *options)["ways"][0]["pool"]
        return [s["picked"] for s in pool["servers"]]

    def asked(target, fields=""):
        before = len(server.one.asked), len(server.two.asked)
        with Wire(server) as w:
            answer = w.ask(get(target, fields).replace(b"Host: a", b"Host: example.org"))
        return [len(server.one.asked) > before[0], len(server.two.asked) > before[1]], answer["set-cookie"]
    for n in range(20):
        assert foretold(f"/odd/{n}") == asked(f"/odd/{n}")[0]
        assert foretold(f"/stuck/{n}") == asked(f"/stuck/{n}")[0]
    which, cookie = asked("/stuck/x")
    for _ in range(5):
        assert foretold("/stuck/x", "--header", f"Cookie: {cookie.split(';')[0]}") == which
        asked("/stuck/x")


def test_what_is_no_request(explain, server, ctl):  # noqa: F811
    assert "answered 400: the Host field is malformed" in ctl(server, "explain", "http://a b/", status=1)
    assert "no client's address" in ctl(server, "explain", "/", "--client", "10.0.0.0/8", status=1)
    assert "answered 4" in ctl(server, "explain", "/", "--header", "a b: c", status=1)
    assert "--client does not go with" in ctl(server, "pools", "--client", "::1", status=2)
    # Nothing of it talks to the terminal.
    text = ctl(server, "explain", "http://example.org/%c2%9b2J", "--method", "X-Y")
    assert "\x9b" not in text and "X-Y example.org" in text
    assert "answered 400" in ctl(server, "explain", "http://example.org/%1b%5b2J", status=1)
