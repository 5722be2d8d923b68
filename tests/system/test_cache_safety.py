"""Caches under attack and before origins that are odd or broken: docs/why/cache-safety.md has the list, each item with its
test of this file."""

import json
import re
import subprocess
import threading
import time

import pytest
from cached import cached, count, date, fetch, is_hit, numbered, status  # noqa: F401 (a fixture)
from conftest import BINARY, ROOT, SLOW, wait_for
from origins import answer, field, hang, http, once
from wire import Wire, ask, get

FRESH = "Cache-Control: max-age=60\r\n"
SLICED = """
listen 127.0.0.1:{port};
limits { header 32k; }
cache pages { slice 64k; }
site * { route * { cache pages; proxy http://ADDRESS; } }
"""


def in_parallel(n, work):
    """work(0) … work(n - 1) at once; what each returned."""
    out = [None] * n

    def run(i):
        out[i] = work(i)
    threads = [threading.Thread(target=run, args=(i,)) for i in range(n)]
    for one in threads:
        one.start()
    for one in threads:
        one.join()
    return out


NOTED = """
listen 127.0.0.1:{port};
admin unix:{dir}/admin.sock;
limits { connections 0; min_rate 0; }
cache pages { memory 16m; object 16m; purge_from 127.0.0.1; }
site * { route * { cache pages; proxy http://ADDRESS; } }
"""


def marks(server):
    """How many notes of purges there are."""
    done = subprocess.run([BINARY, "ctl", "--socket", server.dir / "admin.sock", "--json", "cache"], capture_output=True,
                          text=True, timeout=30, check=True)
    return json.loads(done.stdout)["caches"][0]["purges"]["marks"]


# --- Poisoning: what is in no key must not be in an answer that others get. ---

# Fields by which frameworks are led to another host, path or method.
MISLEADING = ["X-Forwarded-Host", "X-Host", "X-Original-Host", "X-HTTP-Host-Override", "X-Forwarded-Server", "Forwarded",
              "X-Original-URL", "X-Rewrite-URL", "X-Forwarded-Prefix", "X-Forwarded-Path", "X-Forwarded-Scheme",
              "X-Forwarded-Proto", "X-Forwarded-Port", "X-HTTP-Method-Override", "X-HTTP-Method", "X-Method-Override",
              "Front-End-Https", "X-Url-Scheme", "X_Forwarded_Host", "X_Host", "X_Original_URL"]


def reflecting(asked):
    """An application that makes links and decisions of all that it was sent."""
    said = [f"{k}: {v}" for k, v in asked.fields if "evil" in v]
    return answer("; ".join(said) or "clean", fields=FRESH)


@pytest.mark.parametrize("name", MISLEADING)
def test_fields_that_mislead_frameworks_do_not_reach_a_page_for_all(cached, name):
    server = cached(reflecting)
    fetch(server, fields=f"{name}: evil.example\r\n")
    assert fetch(server).body == b"clean"


def test_an_answer_may_name_fields_that_are_not_sent(cached):
    server = cached(lambda asked: answer("x", fields=FRESH + "Vary: X-Original-URL, Accept-Language, Range\r\n"))
    for i, fields in enumerate(["X-Original-URL: evil\r\n", "Range: bytes=0-0\r\n",
                                "Connection: Accept-Language\r\nAccept-Language: de\r\n", ""]):
        fetch(server, fields=fields)
        assert len(server.origin.asked) == 1, fields


def test_names_with_an_underscore_do_not_pass_for_others(cached):
    """Applications that can't tell X_A from X-A depend on the one where they say that they depend on the other."""
    def reply(asked):
        languages = [v for k, v in asked.fields if k.lower().replace("_", "-") == "accept-language"]
        return answer(" ".join(languages) or "none", fields=FRESH + "Vary: Accept-Language\r\n")
    server = cached(reply)
    fetch(server, fields="Accept_Language: evil\r\n")
    assert fetch(server).body == b"none"


def test_what_is_believed_has_to_be_in_the_key(cached):
    server = cached(lambda asked: answer(field(asked, "x-forwarded-host"), fields=FRESH),
                    'key "$field_x_forwarded_host $host$target";', inner="forwarded append;")
    for host in ("evil", "good", "evil"):
        assert fetch(server, fields=f"X-Forwarded-Host: {host}\r\n").body == host.encode()
    assert len(server.origin.asked) == 2


def test_the_port_of_a_host_is_part_of_the_key(cached):
    server = cached(lambda asked: answer(field(asked, "host"), fields=FRESH))

    def at(host):
        return ask(server, f"GET / HTTP/1.1\r\nHost: {host}\r\n\r\n".encode()).body.decode()
    assert [at(host) for host in ("a:1", "a", "a:8080", "b", "a:1")] == ["a:1", "a", "a:8080", "b", "a:1"]
    assert len(server.origin.asked) == 4


def test_the_absolute_form_names_the_host(cached):
    server = cached(lambda asked: answer(field(asked, "host") + asked.target, fields=FRESH))
    assert ask(server, b"GET http://b/x HTTP/1.1\r\nHost: b\r\n\r\n").body == b"b/x"
    assert ask(server, get("/x")).body == b"a/x"


@pytest.mark.parametrize("method", ["X-HTTP-Method-Override", "X-HTTP-Method", "X-Method-Override"])
def test_a_method_in_disguise_is_not_obeyed(cached, method):
    done = []

    def reply(asked):
        verb = field(asked, method.lower()) or asked.method
        done.append(verb)
        return answer(verb, fields=FRESH)
    server = cached(reply)
    fetch(server, fields=f"{method}: DELETE\r\n")
    assert fetch(server).body == b"GET" and done == ["GET"]


def test_a_get_with_a_body_goes_by_the_cache(cached):
    """A fat GET: the application may read its parameters, the key has none of them."""
    server = cached(lambda asked: answer(asked.body or b"empty", fields=FRESH))
    fat = b"GET / HTTP/1.1\r\nHost: a\r\nContent-Length: 4\r\n\r\nevil"
    assert ask(server, fat).body == b"evil"
    assert fetch(server).body == b"empty"
    assert ask(server, fat).body == b"evil"
    chunked = b"GET /c HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n4\r\nevil\r\n0\r\n\r\n"
    assert ask(server, chunked).body == b"evil"
    assert fetch(server, "/c").body == b"empty"


def test_paths_that_others_read_as_the_same_are_not(cached):
    """Path confusion: the key is the target as it goes to the origin, so that nobody's page stands under another's."""
    targets = ["/a?b", "/a%3Fb", "/a", "/a?", "/a/", "/A", "//a", "/x/../a", "/%61", "/a;b", "/a%2Fb", "/a/b", "/a%00b"]
    server = cached(lambda asked: answer(asked.target, fields=FRESH))
    first = {target: fetch(server, target) for target in targets}
    for target in targets:
        got = fetch(server, target)
        assert got.status == first[target].status
        if got.status == 200:
            assert got.body.decode() == target


def test_a_private_page_under_a_static_looking_name_is_not_kept(cached):
    """Web cache deception: /account/x.css is answered with the account."""
    server = cached(lambda asked: answer(f"account of {field(asked, 'cookie')}"), "default_ttl 60s; heuristic on;")
    assert fetch(server, "/account/x.css", "Cookie: alice\r\n").body == b"account of alice"
    assert fetch(server, "/account/x.css", "Cookie: bob\r\n").body == b"account of bob"
    assert fetch(server, "/account/x.css").body == b"account of None"


def test_a_cookie_that_is_sent_twice_is_another_page(cached):
    server = cached(lambda asked: answer((field(asked, "cookie") or "").rpartition("language=")[2], fields=FRESH),
                    'key "$host$target $cookie_language";')
    assert fetch(server, "/", "Cookie: language=en; language=de\r\n").body == b"de"
    assert fetch(server, "/", "Cookie: language=en\r\n").body == b"en"
    assert is_hit(fetch(server, "/", "Cookie: language=en; language=de\r\n"))


def test_hop_by_hop_fields_can_not_take_others_along(cached):
    """Connection: names fields that go no further; the client can't use it to have the origin not see what is in the key."""
    server = cached(lambda asked: answer(f"{field(asked, 'host')} {field(asked, 'accept-language')}",
                                         fields=FRESH + "Vary: Accept-Language\r\n"))
    got = fetch(server, fields="Connection: Accept-Language, Host\r\nAccept-Language: de\r\n").body
    fetched = fetch(server, fields="Accept-Language: de\r\n").body
    assert fetched == b"a de", got


def test_errors_about_a_request_are_not_kept_for_others(cached):
    """Denial of service by a poisoned error: 400, 413 or 431 for one client's odd request, even with a lifetime."""
    def reply(asked):
        odd = field(asked, "x-odd")
        return answer("odd", odd, FRESH) if odd else answer("fine", fields=FRESH)
    server = cached(reply)
    for i, code in enumerate(["400 Bad", "401 Who", "408 Late", "412 No", "413 Big", "416 Range", "417 No", "421 No",
                              "429 Many", "431 Big", "511 Login"]):
        assert fetch(server, f"/{i}", f"X-Odd: {code}\r\n").body == b"odd"
        assert fetch(server, f"/{i}").body == b"fine", code
        assert is_hit(fetch(server, f"/{i}"))


def test_one_clients_request_does_not_keep_a_page_from_being_kept(cached):
    """Whoever sends Authorization, a Cookie or no-store gets an answer that is not kept; the next one's is."""
    server = cached(numbered(lambda asked: "Cache-Control: max-age=60\r\n" if not field(asked, "cookie") else ""),
                    "default_ttl 60s;")
    for i, fields in enumerate(["Authorization: x", "Cookie: a=1", "Cache-Control: no-store"]):
        first = fetch(server, f"/{i}", fields + "\r\n")
        assert "stored" not in status(first), first
        assert "stored" in status(fetch(server, f"/{i}")), fields
        assert is_hit(fetch(server, f"/{i}")), fields


def test_clients_can_not_answer_for_the_origin(cached):
    """Fields of answers in a request mean nothing."""
    server = cached(numbered("X: y\r\n"))
    for _ in range(2):
        got = fetch(server, fields="CDN-Cache-Control: max-age=60\r\nExpires: Fri, 31 Dec 9999 23:59:59 GMT\r\nVary: x\r\n"
                                   "Surrogate-Key: a\r\nSet-Cookie: a\r\nAge: 0\r\nX-Accel-Expires: 60\r\n")
        assert not is_hit(got)


# --- Keys that collide on purpose. ---

def test_every_key_has_its_own_page(cached):
    """Keys are compared whole, whatever their hashes are; their parts can't be shifted into one another."""
    server = cached(lambda asked: answer(f"{asked.target}|{field(asked, 'x-a')}|{field(asked, 'x-b')}",
                                         fields=FRESH + "Vary: X-A, X-B\r\n"))
    rows = [("/", "1", None), ("/", None, "1"), ("/", "1", "1"), ("/", "", ""), ("/", None, None), ("/", "", None),
            ("/", "x-b:1", None), ("/", "1,1", None), ("/x-a:1", None, None), ("/", "1:", ""), ("/", ":1", "")]
    for _ in range(2):
        for target, a, b in rows:
            fields = ("" if a is None else f"X-A: {a}\r\n") + ("" if b is None else f"X-B: {b}\r\n")
            assert fetch(server, target, fields).body.decode() == f"{target}|{a}|{b}"
    assert len(server.origin.asked) == len(rows)


@pytest.mark.threads
def test_many_keys_are_not_mixed_up(cached):
    server = cached(lambda asked: answer(asked.target, fields=FRESH), loops=2)
    with Wire(server) as w:
        for turn in range(2):
            for i in range(2000):
                got = w.ask(get(f"/?{i}"))
                assert got.body == f"/?{i}".encode() and is_hit(got) == (turn == 1)


# --- Answers that break off, or are not as long as they say. ---

def head(fields):
    return f"HTTP/1.1 200 OK\r\n{FRESH}{fields}\r\n".encode()


CUT = {
    "length": [head("Content-Length: 100\r\n"), b"short"],
    "chunk": [head("Transfer-Encoding: chunked\r\n"), b"5\r\nshort\r\n", b"9\r\nx"],
    "no last chunk": [head("Transfer-Encoding: chunked\r\n"), b"5\r\nshort\r\n"],
    "bad chunk": [head("Transfer-Encoding: chunked\r\n"), b"5\r\nshort\r\nxyz\r\n\r\n"],
    "head": [b"HTTP/1.1 200 OK\r\nCache-Con"],
    "nothing": [b""],
}


@pytest.mark.parametrize("how", CUT)
def test_an_answer_that_was_cut_is_not_kept(cached, how):
    server = cached(script=once(*CUT[how]))
    for _ in range(2):
        with Wire(server) as w:
            w.send(get(fields="Connection: close\r\n"))
            got = w.rest()
        # Either an error, or an answer that can be seen to be cut short: never a whole one.
        whole = got.endswith(b"0\r\n\r\n") or (b"Content-Length: 5\r\n" in got and got.endswith(b"short"))
        assert b" 502 " in got.split(b"\r\n")[0] or not whole, got
    server.origin.script = once(head("Content-Length: 5\r\n") + b"whole")
    assert fetch(server).body == b"whole"
    assert is_hit(fetch(server))


@pytest.mark.parametrize("how", ["Content-Length: 400000", "Transfer-Encoding: chunked"])
def test_a_large_answer_that_was_cut_is_seen_to_be_cut_and_not_kept(cached, how):
    chunked = "chunked" in how
    part = b"a" * 200000
    gate = threading.Event()

    def script(peer):
        peer.ask()
        peer.send(head(how + "\r\n") + (b"%x\r\n" % len(part) + part + b"\r\n" if chunked else part))
        gate.wait(10)
    server = cached(script=script)
    with Wire(server) as first, Wire(server) as second:
        for w in (first, second):
            w.send(get())
            assert w.head().status == 200
        gate.set()
        for w in (first, second):
            got = w.rest()
            assert len(got) < 400000 and not got.endswith(b"0\r\n\r\n")
    server.origin.script = once(head("Content-Length: 5\r\n") + b"whole")
    assert fetch(server).body == b"whole"


def test_more_than_was_promised_is_nobodys_answer(cached):
    """What stands behind an answer's end, perhaps a second answer, is not taken for the next one's."""
    evil = b"HTTP/1.1 200 OK\r\nCache-Control: max-age=60\r\nContent-Length: 4\r\n\r\nevil"
    server = cached(script=once(head("Content-Length: 5\r\n") + b"right" + evil, after=hang))
    assert fetch(server, "/one").body == b"right"
    assert fetch(server, "/one").body == b"right" and is_hit(fetch(server, "/one"))
    server.origin.script = once(head("Content-Length: 4\r\n") + b"next")
    assert fetch(server, "/two").body == b"next"


def test_lengths_that_contradict_are_refused(cached):
    server = cached(script=once(head("Content-Length: 5\r\nContent-Length: 4\r\n") + b"wrong"))
    assert fetch(server).status == 502
    server.origin.script = once(head("Content-Length: 5\r\nTransfer-Encoding: chunked\r\n") + b"5\r\nwrong\r\n0\r\n\r\n")
    assert fetch(server).status == 502
    server.origin.script = once(head("Content-Length: 5\r\n") + b"right")
    assert fetch(server).body == b"right"


def test_a_part_that_was_not_asked_for_is_not_kept(cached):
    server = cached(lambda asked: answer("345", "206 Partial Content", FRESH + "Content-Range: bytes 3-5/10\r\n"))
    for _ in range(2):
        assert not is_hit(fetch(server))
    assert count(server, "/") == 2


@pytest.mark.threads
def test_who_leaves_does_not_cut_the_page_of_others(cached):
    gate = threading.Event()

    def script(peer):
        peer.ask()
        peer.send(head("Content-Length: 400000\r\n") + b"a" * 200000)
        gate.wait(10)
        peer.send(b"b" * 200000)
        peer.wait_closed()
    server = cached(script=script)
    w = Wire(server)
    w.send(get())
    assert w.head().status == 200
    w.sock.close()
    gate.set()
    wait_for(lambda: is_hit(fetch(server)), "the page that nobody waited for")
    assert fetch(server).body == b"a" * 200000 + b"b" * 200000 and len(server.origin.asked) == 1


# --- Odd heads. ---

CONTRADICTIONS = [
    "Cache-Control: max-age=60, max-age=0",
    "Cache-Control: max-age=60\r\nCache-Control: no-store",
    "Cache-Control: public, private, max-age=60",
    "Cache-Control: max-age=60, no-cache",
    "Cache-Control: max-age=60, no-store=\"x\"",
    "Cache-Control: max-age=60, x=\"y, no-store",
    "Cache-Control: max-age=60x",
    "Cache-Control: max-age=\"60",
    "Cache-Control: max-age=-60",
    "Cache-Control: max-age=60, s-maxage=0",
    "Cache-Control: private=\"set-cookie\", private, max-age=60",
    "Cache-Control: max-age=60\r\nVary: Accept\r\nVary: *",
    "Cache-Control: max-age=60\r\nVary: a b c",
    "Expires: {later}\r\nExpires: 0",
    "Cache-Control: max-age=60\r\nSet-Cookie: session=alice",
    "Cache-Control: max-age=60\r\nSet-Cookie: a=1\r\nSet-Cookie: b=2",
]


def test_contradictory_directives_are_read_strictly(cached):
    rows = [row.format(later=date(100)) for row in CONTRADICTIONS]
    server = cached(lambda asked: answer("x", fields=rows[int(asked.target[1:])] + "\r\n"))
    for i, row in enumerate(rows):
        fetch(server, f"/{i}")
        assert not is_hit(fetch(server, f"/{i}")), row


# Fields, and whether it is kept.
DATES = [
    ("Date: {future}\r\nCache-Control: max-age=60", True),
    ("Date: {future}\r\nExpires: {future}", False),
    ("Date: yesterday\r\nExpires: {later}", True),
    ("Date: {now}\r\nExpires: yesterday", False),
    ("Date: {now}\r\nExpires: 99999999999", False),
    ("Date: {now}\r\nExpires: Thu, 01 Jan 1970 00:00:00 GMT", False),
    ("Date: {now}\r\nExpires: Fri, 31 Dec 9999 23:59:59 GMT", True),
    ("Date: {now}\r\nExpires: Mon, 32 Foo 2030 25:61:61 GMT", False),
    ("Date: {past}\r\nCache-Control: max-age=60", False),
    ("Date: Mon, 01 Jan 1601 00:00:00 GMT\r\nCache-Control: max-age=60", False),
    ("Age: 99999999999999999999999\r\nCache-Control: max-age=60", False),
    ("Age: -1\r\nCache-Control: max-age=60", True),
    ("Cache-Control: max-age=99999999999999999999999", True),
    ("Date: {now}\r\nLast-Modified: {future}", False),
    ("Date: {now}\r\nLast-Modified: never", False),
]


def test_dates_in_the_future_or_unreadable(cached):
    rows = [row[0].format(now=date(), future=date(10 ** 6), past=date(-1000), later=date(100)) for row in DATES]
    server = cached(lambda asked: answer("x", fields=rows[int(asked.target[1:])] + "\r\n"), "heuristic on;")
    for i, (row, (_, kept)) in enumerate(zip(rows, DATES)):
        fetch(server, f"/{i}")
        hit = fetch(server, f"/{i}")
        assert hit.status == 200 and is_hit(hit) == kept, row
        if kept:
            assert int(status(hit)["ttl"]) <= 2 ** 31, row


def test_an_answer_without_validators_is_fetched_anew(cached):
    server = cached(numbered("Cache-Control: max-age=1\r\n"))
    fetch(server)
    time.sleep(1.2)
    assert fetch(server).body == b"2 /"
    assert field(server.origin.asked[1], "if-none-match") is field(server.origin.asked[1], "if-modified-since") is None


def test_a_304_about_something_else_is_asked_over(cached):
    """An origin that confirms a version that nobody named."""
    def reply(asked):
        if field(asked, "if-none-match"):
            return b'HTTP/1.1 304 Not Modified\r\nETag: "other"\r\n\r\n'
        return answer("whole", fields='Cache-Control: max-age=1\r\nETag: "a"\r\n')
    server = cached(reply)
    fetch(server)
    time.sleep(1.2)
    got = fetch(server)
    assert (got.status, got.body) == (200, b"whole")
    assert count(server, "/") == 3


def test_a_304_that_nobody_asked_for(cached):
    server = cached(lambda asked: b'HTTP/1.1 304 Not Modified\r\nCache-Control: max-age=60\r\n\r\n')
    for _ in range(2):
        assert not is_hit(fetch(server))
    server.origin.script = once(head("Content-Length: 5\r\n") + b"whole", after=hang)
    for peer in server.origin.peers:
        peer.reset()
    assert fetch(server).body == b"whole"


def test_vary_star_is_asked_for_each_time(cached):
    server = cached(numbered(FRESH + "Vary: *\r\n"))
    assert [fetch(server).body for _ in range(3)] == [b"1 /", b"2 /", b"3 /"]


def test_hundreds_of_variants_stay_bounded(cached):
    server = cached(lambda asked: answer(field(asked, "x-a") or "none", fields=FRESH + "Vary: X-A\r\n"), "variants 20;")
    for i in range(300):
        assert fetch(server, fields=f"X-A: {i}\r\n").body == str(i).encode()
    hits = sum(is_hit(fetch(server, fields=f"X-A: {i}\r\n")) for i in range(300))
    assert 10 <= hits <= 21, hits
    # Other pages are not concerned, nor those variants that were there first.
    assert is_hit(fetch(server, fields="X-A: 1\r\n"))
    fetch(server, "/other")
    assert is_hit(fetch(server, "/other"))


def test_a_vary_of_hundreds_of_fields(cached):
    names = ", ".join(f"X-{i}" for i in range(500))
    server = cached(numbered(FRESH + f"Vary: {names}\r\n"))
    for i in range(3):
        assert fetch(server).body == f"{i + 1} /".encode()


def test_a_huge_field_that_an_answer_depends_on(cached):
    server = cached(numbered(FRESH + "Vary: X-A\r\n"))
    fetch(server, fields="X-A: 1\r\n")
    huge = "X-A: " + "y" * 9000 + "\r\n"
    assert not is_hit(fetch(server, fields=huge))
    assert not is_hit(fetch(server, fields=huge))
    assert is_hit(fetch(server, fields="X-A: 1\r\n"))


# Answers to requests that some frameworks' CORS sends with each of them.
CORS = "Vary: Origin, Access-Control-Request-Method, Access-Control-Request-Headers\r\n"


def test_a_key_that_becomes_too_long(cached):
    """A URL that is just short enough for a key, and an answer that makes it longer."""
    server = cached(numbered(FRESH + CORS))
    for length in (16200, 16300, 16340):
        target = "/" + "x" * length
        first, second = fetch(server, target), fetch(server, target)
        assert first.status == second.status == 200
        assert is_hit(second) or first.body != second.body
    worker = server.worker
    assert fetch(server).status == 200 and server.worker == worker


def test_a_key_that_becomes_too_long_for_slices(petrel, origin):
    one = origin(http(numbered(FRESH)))
    server = petrel(SLICED.replace("ADDRESS", one.address))
    for length in (16330, 16360, 16380, 16390):
        target = "/" + "x" * length
        for _ in range(2):
            assert fetch(server, target).status == 200
    assert fetch(server).status == 200


def test_gigantic_heads(cached):
    """Past the proxy's bound: 502; within it and too large to be kept: passed on, not kept; and the next page is fine."""
    sizes = {"/100": 100, "/10000": 10_000, "/1000000": 1_000_000}
    server = cached(lambda asked: answer("x", fields=FRESH + f"X-A: {'y' * sizes.get(asked.target, 0)}\r\n"))
    for target, size in sizes.items():
        for _ in range(2):
            got = fetch(server, target)
            assert got.status == 502 or len(got["x-a"]) == size
        assert got.status == 502 or is_hit(got)
    assert fetch(server, "/1000000").status == 502
    fetch(server, "/")
    assert is_hit(fetch(server, "/"))


def test_hundreds_of_tags(cached):
    few, many = (" ".join(f"t{i}" for i in range(n)) for n in (200, 2000))
    server = cached(lambda asked: answer("x", fields=FRESH + f"xkey: {few if asked.target == '/few' else many}\r\n"))
    for target in ("/few", "/many"):
        first = fetch(server, target)
        if first.status == 200:
            assert first["xkey"] is None, "tags are for caches alone"
            assert is_hit(fetch(server, target)) == (target == "/few")


# --- Those who ask at the same time. ---

@pytest.mark.threads
def test_answers_that_are_for_one_go_to_that_one(cached):
    """Twenty ask at once for a page that turns out to be personal: each gets his own, none another's cookie."""
    def reply(asked):
        time.sleep(0.2)
        who = field(asked, "x-who")
        return answer(f"page of {who}", fields=FRESH + f"Set-Cookie: session={who}\r\n")
    server = cached(reply, loops=2)

    def one(i):
        return fetch(server, fields=f"X-Who: {i}\r\n")
    for i, got in enumerate(in_parallel(20, one)):
        assert got.body == f"page of {i}".encode() and got["set-cookie"] == f"session={i}"


@pytest.mark.threads
def test_private_answers_are_not_shared_by_those_who_wait(cached):
    def reply(asked):
        time.sleep(0.1)
        return answer(f"{field(asked, 'authorization')}", fields=FRESH)
    server = cached(reply)
    for i, got in enumerate(in_parallel(10, lambda i: fetch(server, fields=f"Authorization: {i}\r\n"))):
        assert got.body == str(i).encode()
    assert fetch(server).body == b"None"


def test_cookies_of_an_answer_never_come_from_the_cache(cached):
    server = cached(numbered(FRESH + "Set-Cookie: session=alice\r\n"), "drop_set_cookie on;")
    fetch(server)
    hit = fetch(server)
    assert is_hit(hit) and hit["set-cookie"] is None


def test_names_of_fields_can_not_bring_lines_into_an_answer(cached):
    """A carriage return or a null byte in an answer's head is the origin's mistake, and ends there."""
    for evil in (b"X-A: a\rSet-Cookie: x\r\n", b"X-A: a\0b\r\n", b"X A: b\r\n", b": b\r\n"):
        server = cached(script=once(b"HTTP/1.1 200 OK\r\nCache-Control: max-age=60\r\n" + evil + b"Content-Length: 1\r\n\r\nx"))
        for _ in range(2):
            assert fetch(server).status == 502


# --- Many. ---

def test_changes_of_what_nobody_has_leave_no_notes(petrel, origin):
    """Else clients could have all notes, and with these all pages, forgotten by posting to any number of URLs."""
    one = origin(http(lambda asked: answer("x", fields=FRESH)))
    server = petrel(NOTED.replace("ADDRESS", one.address))
    fetch(server, "/a")
    with Wire(server) as wire:
        for i in range(100):
            assert wire.ask(get(f"/{i}", method="POST")).status == 200
        assert marks(server) == 0
        assert is_hit(wire.ask(get("/a")))
        wire.ask(get("/a", method="POST"))
        assert marks(server) == 1
        assert not is_hit(wire.ask(get("/a")))


@pytest.mark.parametrize("parted", [False, True])
def test_a_change_of_what_is_being_fetched_leaves_a_note(petrel, origin, parted):
    """Also where a purge of something else has parted it from who comes now."""
    asked_twice, go_on = threading.Event(), threading.Event()

    def reply(asked):
        if asked.method == "GET" and not asked_twice.is_set():
            asked_twice.set()
            assert go_on.wait(20)
            return answer("old", fields=FRESH)
        return answer("new", fields=FRESH)
    one = origin(http(reply))
    server = petrel(NOTED.replace("ADDRESS", one.address))
    with Wire(server) as first:
        first.send(get("/a"))
        assert asked_twice.wait(20)
        if parted:
            assert fetch(server, "/b", "Surrogate-Key: b\r\n", method="PURGE").status == 200
        fetch(server, "/a", method="POST")
        go_on.set()
        assert first.answer().body == b"old"
    assert fetch(server, "/a").body == b"new"
    assert is_hit(fetch(server, "/a"))


def test_a_change_of_one_page_does_not_part_others(petrel, origin):
    go_on = threading.Event()

    def reply(asked):
        assert asked.method != "GET" or go_on.wait(20)
        return answer("x", fields=FRESH)
    one = origin(http(reply))
    server = petrel(NOTED.replace("ADDRESS", one.address))
    with Wire(server) as first, Wire(server) as second:
        first.send(get("/a/b"))
        one.wait_asked()
        for target in ("/", "/a", "/a/"):
            fetch(server, target, method="POST")
        second.send(get("/a/b"))
        time.sleep(0.2)
        go_on.set()
        assert [wire.answer().status for wire in (first, second)] == [200, 200]
    assert sum(asked.method == "GET" for asked in one.asked) == 1


def test_slow_readers_of_large_pages_do_not_fill_memory(petrel, origin):
    """Each of another page, which is evicted while they read it."""
    large = b"x" * (15 << 20)
    one = origin(http(lambda asked: answer(large, fields=FRESH)))
    server = petrel(NOTED.replace("ADDRESS", one.address))
    wires = []
    for i in range(30):
        wires.append(Wire(server, receive_buffer=4096).send(get(f"/{i}")))
        assert wires[-1].head().status == 200
    time.sleep(1)
    resident = int(re.search(r"VmRSS:\s+(\d+)", open(f"/proc/{server.worker}/status").read())[1]) << 10
    assert resident < 300 << 20 or SLOW, "a sanitizer's memory is beside it"
    assert fetch(server, "/0").status == 200
    for wire in wires[:3]:
        assert wire.take(len(large)) == large
    for wire in wires:
        wire.sock.close()


def test_the_list_is_complete():
    listed = set(re.findall(r"`(test_\w+)`(?! \(semantics)", (ROOT / "docs/why/cache-safety.md").read_text()))
    assert listed == {name for name in globals() if name.startswith("test_")} - {"test_the_list_is_complete"}
