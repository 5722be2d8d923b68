"""Caches seen and purged: petrel ctl cache, the admin API, metrics, the status page, top, logs, explain and trace."""

import itertools
import json
import os
import re
import resource
import signal
import subprocess

import pytest
from conftest import BINARY, wait_for
from memcacheds import Memcached
from origins import answer, http
from test_ctl import ctl  # noqa: F401 (a fixture)
from test_metrics import metrics
from test_operator import Unix, status
from test_trace import Trace
from wire import Wire, get

pytestmark = pytest.mark.threads

CONF = """
listen 127.0.0.1:{port};
loops 1;
admin unix:{dir}/admin.sock;
log_format brief "$path $cache";
access_log {dir}/access.log brief;
pool api { server ORIGIN; }
cache pages { memory 32m; stale revalidate 60s; purge_from 127.0.0.1; }
cache other { memory 16m; key "$host $path"; bypass $query_string; no_store $field_x_private; uses 3; }
site * {
    route /o/* { cache other; proxy api; }
    route = /-/status { status; }
    route /no/* { proxy api; }
    route * { cache pages; proxy api; }
}
"""


numbers = itertools.count()


def page(asked):
    """Cached for a minute, tagged with its folder; /private is not."""
    folder = asked.target.split("/")[1]
    if folder == "private":
        return answer(b"private", fields="Cache-Control: private\r\n")
    if folder == "vary":
        return answer(b"vary", fields="Cache-Control: max-age=60\r\nVary: Accept-Language\r\n")
    return answer(f"{asked.target} {next(numbers)}", fields=f"Cache-Control: max-age=60\r\nCache-Tag: {folder}, all\r\n")


@pytest.fixture
def server(petrel, origin):
    one = origin(http(page))
    s = petrel(CONF.replace("ORIGIN", one.address))
    s.origin = one
    return s


def got(server, target, **kwargs):
    """The body, and what became of it: hit, or what it was forwarded for."""
    reply = server.request(target, **kwargs)
    assert reply.status == 200, reply.body
    status = reply.headers["Cache-Status"]
    return reply.body.decode(), re.sub(r"^petrel; (hit|fwd=[a-z-]+|[a-z-]+).*", r"\1", status)


def fill(server, *targets):
    for target in targets:
        got(server, target)
        assert got(server, target)[1] == "hit", target


def caches(ctl, server):  # noqa: F811
    return {c["name"]: c for c in json.loads(ctl(server, "--json", "cache"))["caches"]}


# --- Seen. ---


def test_caches_are_listed(server, ctl):  # noqa: F811
    assert re.search(r"pages +0 +0 B of 32.0 MB +- +- +0 +0 +0", ctl(server, "cache"))
    fill(server, "/a/1", "/a/2")
    got(server, "/private/1")
    pages = caches(ctl, server)["pages"]
    assert pages["memory"]["objects"] >= 2 and pages["memory"]["bound"] == 32 << 20 and pages["disk"] is None
    assert pages["got"]["hit"] == 2 and pages["stored"] == 2 and pages["fills"]["all"] == 3
    assert pages["hits"] == 2 and pages["asked"] == 5
    assert re.search(r"pages +\d+ +\d+ B of 32.0 MB +- +40\.0 % +5 ", ctl(server, "cache"))
    one = ctl(server, "cache", "pages")
    assert "2 hits" in one and "40.0 %" in one and "32.0 MB" in one
    assert 'there is no cache "pagse"; there are: ' in ctl(server, "cache", "pagse", status=1)
    assert {"pages", "other"} == {c["name"] for c in status(server)["caches"]}


def test_metrics_have_them(server):
    fill(server, "/a/1")
    text = metrics(server)
    assert 'petrel_cache_requests_total{cache="pages",result="hit"} 1\n' in text
    assert 'petrel_cache_objects{cache="pages"} 1\n' in text
    assert 'petrel_cache_limit_bytes{cache="other"} 16777216\n' in text
    assert "petrel_cache_disk_off{" not in text


def test_the_status_page_and_top_show_them(server):
    fill(server, "/a/1")
    html = wait_for(lambda: re.search(r'<section id="caches">(.*?)</section>', server.request("/-/status").body.decode(), re.S),
                    "the section").group(1)
    assert "pages" in html and "other" in html
    done = subprocess.run([BINARY, "top", "--socket", server.dir / "admin.sock", "--every", "1s"], capture_output=True, text=True,
                          timeout=30)
    assert re.search(r"^pages +ready +50\.0 % ", done.stdout, re.M), done.stdout + done.stderr


def test_logs_say_what_requests_got(server):
    fill(server, "/a/1")
    server.request("/no/1")
    server.request("/a/1", method="POST", body=b"x")
    server.request("/private/1")
    lines = wait_for(lambda: len((server.dir / "access.log").read_text().splitlines()) == 5 and
                     (server.dir / "access.log").read_text().splitlines(), "the log")
    assert lines[:2] == ["/a/1 miss", "/a/1 hit"] and lines[2] == "/no/1 -" and lines[3] == "/a/1 bypass"
    assert lines[4] == "/private/1 pass"


# --- Purged. ---


def test_a_url_is_purged(server, ctl):  # noqa: F811
    fill(server, "/a/1", "/a/2")
    url = f"http://127.0.0.1:{server.port}/a/1"
    # Hosts are told apart without their ports.
    said = ctl(server, "cache", "purge", url)
    assert said.startswith(f"cache pages: {url} was purged") and "cache other: its keys can't be told from a URL" in said.replace("\n", " ")
    assert got(server, "/a/1")[1] == "fwd=uri-miss" and got(server, "/a/2")[1] == "hit"
    assert [url in c["did"] for c in json.loads(ctl(server, "--json", "changes"))["changes"]] == [True]


def test_a_tag_is_purged(server, ctl):  # noqa: F811
    fill(server, "/a/1", "/a/2", "/b/1")
    assert ctl(server, "cache", "purge", "--tag", "a", "--cache", "pages") == "cache pages: tag a was purged\n"
    assert [got(server, t)[1] for t in ("/a/1", "/a/2", "/b/1")] == ["fwd=uri-miss", "fwd=uri-miss", "hit"]
    ctl(server, "cache", "purge", "--tag", "all")
    assert got(server, "/b/1")[1] == "fwd=uri-miss"


def test_a_pattern_is_purged(server, ctl):  # noqa: F811
    fill(server, "/a/1", "/a/2", "/b/1")
    assert ctl(server, "cache", "purge", "--match", "/a/*", "--cache", "pages") == "cache pages: all like /a/* was purged\n"
    assert [got(server, t)[1] for t in ("/a/1", "/a/2", "/b/1")] == ["fwd=uri-miss", "fwd=uri-miss", "hit"]
    ctl(server, "cache", "purge", "--match", "http://127.0.0.1*/b/*")
    assert got(server, "/b/1")[1] == "fwd=uri-miss"


def test_everything_is_purged(server, ctl):  # noqa: F811
    fill(server, "/a/1", "/b/1")
    assert ctl(server, "cache", "purge", "--all", "--cache", "pages") == "cache pages: everything was purged\n"
    assert [got(server, t)[1] for t in ("/a/1", "/b/1")] == ["fwd=uri-miss", "fwd=uri-miss"]
    assert caches(ctl, server)["pages"]["purges"]["all"] == 1


def test_a_soft_purge_makes_stale(server, ctl):  # noqa: F811
    fill(server, "/a/1")
    before = got(server, "/a/1")[0]
    assert ctl(server, "cache", "purge", "--tag", "a", "--soft", "--cache", "pages") == "cache pages: tag a is stale\n"
    assert got(server, "/a/1")[0] == before
    wait_for(lambda: got(server, "/a/1")[0] != before, "the new one")


def test_what_is_wrong_is_said(server, ctl):  # noqa: F811
    assert "One of url, tag, match and all has to be given" in ctl(server, "cache", "purge", status=1)
    assert "One of url" in ctl(server, "cache", "purge", "--tag", "a", "--all", status=1)
    assert 'there is no cache "x"' in ctl(server, "cache", "purge", "--all", "--cache", "x", status=1)
    assert "--tag does not go with" in ctl(server, "cache", "--tag", "a", status=2)
    assert "4096 bytes" in ctl(server, "cache", "purge", "--match", "x" * 5000, status=1)
    assert "control characters" in ctl(server, "cache", "purge", "--match", "x\ny", status=1)
    said = ctl(server, "cache", "purge", "http://127.0.0.1/a/1", "--cache", "other", status=1)
    assert "keys can't be told from a URL" in said
    assert ctl(server, "changes") == "no changes\n"


def post(server, body):
    connection = Unix(server.dir / "admin.sock")
    connection.request("POST", "/caches/purge", body=json.dumps(body))
    reply = connection.getresponse()
    return reply.status, json.loads(reply.read())


def test_the_api_purges(server):
    fill(server, "/a/1")
    assert post(server, {"tag": "a", "cache": "pages"}) == (200, {"ok": True, "did": "cache pages: tag a was purged"})
    assert got(server, "/a/1")[1] == "fwd=uri-miss"
    assert post(server, {"tag": 1})[0] == 422


def test_variants_are_purged_together(server, ctl):  # noqa: F811
    for language in ("de", "en"):
        for _ in range(2):
            last = got(server, "/vary/1", headers={"Accept-Language": language})
        assert last[1] == "hit"
    ctl(server, "cache", "purge", f"http://127.0.0.1:{server.port}/vary/1")
    for language in ("de", "en"):
        assert got(server, "/vary/1", headers={"Accept-Language": language})[1] != "hit"


# --- Explained and traced. ---


def explain(ctl, server, *words):  # noqa: F811
    way, = json.loads(ctl(server, "--json", "explain", *words))["ways"]
    gate, = [g for g in way["gates"] if g["module"] == "cache"]
    return " | ".join(gate["does"])


def test_explain_says_what_the_cache_would_do(server, ctl):  # noqa: F811
    url = f"127.0.0.1:{server.port}/a/1"
    asked = len(server.origin.asked)
    said = explain(ctl, server, url)
    assert said.startswith("cache pages, key ") and "/a/1 | nothing is in memory: its origin is asked" in said
    fill(server, "/a/1")
    assert re.search(r"a page is in memory: \d s old, fresh for \d+ s more \| it is the answer: a hit", explain(ctl, server, url))
    assert "its origin is asked" in explain(ctl, server, url, "--header", "Cache-Control: no-cache")
    assert "goes by it: " in explain(ctl, server, url, "--method", "POST")
    assert "out of date" in explain(ctl, server, url, "--method", "POST")
    ctl(server, "cache", "purge", "--tag", "a", "--soft")
    assert "purged softly" in explain(ctl, server, url)
    ctl(server, "cache", "purge", "--tag", "a")
    assert "was purged | nothing is in memory" in explain(ctl, server, url)
    got(server, "/private/1")
    assert "could not be kept" in explain(ctl, server, f"127.0.0.1:{server.port}/private/1")
    got(server, "/vary/1")
    assert "depend on accept-language | " in explain(ctl, server, f"127.0.0.1:{server.port}/vary/1").lower()
    other = f"127.0.0.1:{server.port}/o/1"
    assert "it was asked for about 3 times" in explain(ctl, server, other)
    assert "would not be kept: no_store" in explain(ctl, server, other, "--header", "X-Private: 1")
    assert "goes by it" in explain(ctl, server, other + "?x")
    assert "it is purged" in explain(ctl, server, url, "--method", "PURGE")
    assert "not taken" in explain(ctl, server, url, "--method", "PURGE", "--client", "10.0.0.1")
    assert len(server.origin.asked) == asked + 3
    assert "a hit" not in ctl(server, "explain", url) and "cache pages, key" in ctl(server, "explain", url)


def test_trace_shows_what_became_of_it(server):
    with Trace(server, json_=False) as text, Trace(server) as lines, Wire(server) as w:
        for target in ("/a/1", "/a/1", "/private/1", "/no/1"):
            w.ask(get(target))
        first, second, private, none = [line["cache"] for line in lines.lines(4)]
        assert first["name"] == "pages" and first["got"] == "miss" and first["stored"] and first["key"].endswith("/a/1")
        assert second["got"] == "hit" and second["status"].startswith("petrel; hit")
        assert private["got"] == "pass" and "private" in private["why"].lower() and none is None
        assert "- cache pages: hit, key " in text.text("cache pages: pass")


def test_a_failing_disk_is_seen(petrel, origin, ctl):  # noqa: F811
    one = origin(http(page))
    server = petrel(CONF.replace("ORIGIN", one.address).replace("memory 32m;", "memory 32m; disk {dir}/pages 64m;"))
    fill(server, "/a/1")
    wait_for(lambda: caches(ctl, server)["pages"]["disk"]["written"], "it to be written")
    assert not caches(ctl, server)["pages"]["disk"]["off"]
    resource.prlimit(server.worker, resource.RLIMIT_FSIZE, (1, 1))
    fill(server, "/a/2")
    wait_for(lambda: caches(ctl, server)["pages"]["disk"]["off"], "it to be off")
    assert "pages: nothing is written to its disk tier: File too large" in ctl(server, "cache")
    assert 'petrel_cache_disk_off{cache="pages"} 1\n' in metrics(server)
    assert "nothing is written" in server.request("/-/status").body.decode()
    wait_for(lambda: re.search(r"cache_disk_off cache=pages +(firing|pending)", ctl(server, "alerts")), "the alert")
    assert got(server, "/a/1")[1] == got(server, "/a/2")[1] == "hit"


def test_a_purge_outlives_the_server(petrel, origin, ctl):  # noqa: F811
    one = origin(http(page))
    conf = CONF.replace("ORIGIN", one.address).replace("memory 32m;", "memory 32m; disk {dir}/pages 64m;")
    server = petrel(conf)
    fill(server, "/a/1", "/b/1")
    wait_for(lambda: caches(ctl, server)["pages"]["disk"]["written"] == 2, "both to be written")
    assert ctl(server, "cache", "purge", "--tag", "a", "--cache", "pages") == "cache pages: tag a was purged\n"
    before = server.worker
    os.kill(before, signal.SIGKILL)
    server.wait_worker(before)
    wait_for(lambda: server.request("/no/1").status == 200, "it to serve again")
    assert [got(server, t)[1] for t in ("/a/1", "/b/1")] == ["fwd=uri-miss", "hit"]


def test_a_journal_that_fails_is_told(petrel, origin, ctl):  # noqa: F811
    one = origin(http(page))
    server = petrel(CONF.replace("ORIGIN", one.address).replace("memory 32m;", "memory 32m; disk {dir}/pages 64m;"))
    fill(server, "/a/1")
    resource.prlimit(server.worker, resource.RLIMIT_FSIZE, (1, 1))
    said = ctl(server, "cache", "purge", "--tag", "a", "--cache", "pages").replace("\n", " ")
    assert said.startswith("cache pages: tag a was purged; it may come back after a restart") and "File too large" in said
    assert got(server, "/a/1")[1] == "fwd=uri-miss"


def test_memcached_servers_are_seen(petrel, origin, ctl):  # noqa: F811
    one, shared = origin(http(page)), Memcached()
    try:
        conf = CONF.replace("ORIGIN", one.address).replace("memory 32m;", "memory 32m; memcached shared;")
        server = petrel(f"memcached shared {{ server {shared.address}; }}\n{conf}")
        asked = lambda: json.loads(ctl(server, "--json", "memcached"))["memcached"][0]  # noqa: E731
        wait_for(lambda: asked()["servers"][0]["state"] == "ready", "it to be asked")
        wait_for(lambda: got(server, "/a/1") and asked()["servers"][0]["sets"] >= 1, "a page to be there")
        assert asked()["name"] == "shared" and caches(ctl, server)["pages"]["memcached"]
        assert re.search(rf"shared +{shared.address} +ready +\d+ ", ctl(server, "memcached"))
        assert f'petrel_memcached_up{{memcached="shared",server="{shared.address}"}} 1\n' in metrics(server)
        shared.kill()
        wait_for(lambda: got(server, f"/a/{next(numbers)}") and asked()["servers"][0]["state"] == "away", "it to be away")
        assert re.search(rf"shared +{shared.address} +away .*{shared.address}: \w+", ctl(server, "memcached"), re.S)
        assert f'petrel_memcached_up{{memcached="shared",server="{shared.address}"}} 0\n' in metrics(server)
        wait_for(lambda: re.search(rf"memcached_away server={shared.address} +(firing|pending)", ctl(server, "alerts")),
                 "the alert")
    finally:
        shared.end()
