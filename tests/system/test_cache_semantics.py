"""What RFC 9111 says about caches, as clients and origins see it. The unit tests have the rows; here each rule is seen to
work in the whole."""

import threading
import time

import pytest
from cached import FRESH, cached, count, date, fetch, is_hit, numbered, status  # noqa: F401 (a fixture)
from conftest import SLOW, wait_for
from origins import answer, field
from wire import Wire, ask, get

# --- What is kept. ---

# Rules, the answer's fields, the request's, and whether the second request is a hit.
KEPT = [
    ("", "Cache-Control: max-age=60", "", True),
    ("", "Cache-Control: s-maxage=60", "", True),
    ("", "Cache-Control: max-age=0, s-maxage=60", "", True),
    ("", "Cache-Control: max-age=60, s-maxage=0", "", False),
    ("", "Expires: {later}", "", True),
    ("", "Date: {now}\r\nExpires: {later}", "", True),
    ("", "Expires: 0", "", False),
    ("", "Cache-Control: max-age=60\r\nExpires: 0", "", True),
    ("", "Cache-Control: max-age=60\r\nAge: 59", "", True),
    ("", "Cache-Control: max-age=60\r\nAge: 60", "", False),
    ("", "Cache-Control: no-store", "", False),
    ("", "Cache-Control: max-age=60, private", "", False),
    ("", "Cache-Control: max-age=60, no-cache", "", False),
    ("", "X-Nothing: said", "", False),
    ("", "Last-Modified: {before}", "", False),
    ("heuristic on;", "Last-Modified: {before}", "", True),
    ("default_ttl 60s;", "X-Nothing: said", "", True),
    ("default_ttl 60s;", "Cache-Control: max-age=0", "", False),
    ("min_ttl 60s;", "Cache-Control: max-age=0", "", True),
    ("min_ttl 60s;", "Cache-Control: no-store", "", False),
    ("", "Cache-Control: no-store\r\nCDN-Cache-Control: max-age=60", "", True),
    ("", "Cache-Control: max-age=60\r\nCDN-Cache-Control: no-store", "", False),
    ("", "Cache-Control: max-age=60\r\nCDN-Cache-Control: no-store;;", "", True),
    ("", "Cache-Control: must-understand, no-store, max-age=60", "", True),
    ("", "Cache-Control: max-age=60\r\nSet-Cookie: a=1", "", False),
    ("drop_set_cookie on;", "Cache-Control: max-age=60\r\nSet-Cookie: a=1", "", True),
    ("", "Cache-Control: max-age=60", "Authorization: x", False),
    ("", "Cache-Control: max-age=60, public", "Authorization: x", True),
    ("", "Cache-Control: s-maxage=60", "Authorization: x", True),
    ("", "Cache-Control: max-age=60, must-revalidate", "Authorization: x", True),
    ("", "Cache-Control: max-age=60", "Cookie: a=1", True),
    ("default_ttl 60s;", "X-Nothing: said", "Cookie: a=1", False),
    ("", "Cache-Control: max-age=60", "Cache-Control: no-store", False),
    ("client_control off;", "Cache-Control: max-age=60", "Cache-Control: no-store", True),
]


def lines(text):
    text = text.format(now=date(), later=date(100), before=date(-100000)) if text else ""
    return text + "\r\n" if text else ""


@pytest.mark.parametrize("rules", sorted({row[0] for row in KEPT}))
def test_what_is_kept(cached, rules):
    rows = [row for row in KEPT if row[0] == rules]
    server = cached(lambda asked: answer("x", fields=lines(rows[int(asked.target[1:])][1])), rules)
    for i, (_, _, asks, kept) in enumerate(rows):
        first, second = (fetch(server, f"/{i}", lines(asks)) for _ in range(2))
        assert first.status == second.status == 200
        assert (is_hit(first), is_hit(second)) == (False, kept), (rows[i], second)
        assert count(server, f"/{i}") == 1 + (not kept), rows[i]


# Rules, status, fields, whether it is kept.
STATUSES = [
    ("", "200 OK", "Cache-Control: max-age=60", True),
    ("", "301 Moved", "Cache-Control: max-age=60", True),
    ("", "302 Found", "Cache-Control: max-age=60", True),
    ("", "404 Not Found", "Cache-Control: max-age=60", True),
    ("", "503 Ill", "Cache-Control: max-age=60", True),
    ("", "404 Not Found", "", False),
    ("ttl 404..410 60s;", "404 Not Found", "", True),
    ("ttl 404..410 60s;", "500 Oops", "", False),
    ("ttl 404..410 60s;", "404 Not Found", "Cache-Control: no-store", False),
    ("default_ttl 60s;", "301 Moved", "", True),
    ("default_ttl 60s;", "302 Found", "", False),
    ("default_ttl 60s;", "404 Not Found", "", False),
    ("default_ttl 60s;", "500 Oops", "", False),
]


@pytest.mark.parametrize("rules", sorted({row[0] for row in STATUSES}))
def test_which_statuses_are_kept(cached, rules):
    rows = [row for row in STATUSES if row[0] == rules]
    server = cached(lambda asked: answer("x", rows[int(asked.target[1:])][1], lines(rows[int(asked.target[1:])][2])),
                    rules)
    for i, (_, code, _, kept) in enumerate(rows):
        first, second = (fetch(server, f"/{i}") for _ in range(2))
        assert first.status == second.status == int(code[:3])
        assert is_hit(second) == kept, (rows[i], second)


def test_a_hit_is_the_answer_and_its_age(cached):
    then = date(-5)
    server = cached(numbered(f"Cache-Control: max-age=60\r\nAge: 20\r\nDate: {then}\r\nETag: \"a\"\r\nX-A: 1\r\nX-A: 2\r\n"))
    first = fetch(server)
    time.sleep(1.1)
    second = fetch(server)
    assert first.body == second.body == b"1 /"
    assert status(first)["fwd"] == "uri-miss" and "stored" in status(first)
    assert [v for k, v in second.fields if k == "x-a"] == ["1", "2"]
    assert second["etag"] == '"a"' and second["date"] == then
    assert 21 <= int(second["age"]) <= 25 and 35 <= int(status(second)["ttl"]) <= 39


def test_fields_of_the_connection_and_for_caches_are_not_kept(cached):
    server = cached(numbered("Cache-Control: max-age=60, no-cache=\"x-one\", private=\"x-two\"\r\nX-One: 1\r\nX-Two: 2\r\n"
                             "Surrogate-Key: a b\r\nCache-Tag: c\r\nConnection: X-Hop\r\nX-Hop: 1\r\nKeep-Alive: max=5\r\n"
                             "X-Other: 3\r\n"))
    fetch(server)
    hit = fetch(server)
    assert is_hit(hit) and hit["x-other"] == "3"
    assert not {"x-one", "x-two", "surrogate-key", "cache-tag", "x-hop", "keep-alive"} & {k for k, _ in hit.fields}


def test_it_expires(cached):
    server = cached(numbered("Cache-Control: max-age=1\r\n"))
    assert fetch(server).body == b"1 /"
    wait_for(lambda: fetch(server).body == b"2 /", "a second answer of the origin")


# --- HEAD, conditions, ranges: answered from what is kept. ---

def test_head_is_answered_from_a_page(cached):
    server = cached(numbered())
    head = fetch(server, method="HEAD")
    assert head.status == 200 and head["content-length"] == "3"
    assert [asked.method for asked in server.origin.asked] == ["GET"]
    assert is_hit(fetch(server)) and is_hit(fetch(server, method="HEAD"))


def test_conditions_are_the_clients_affair(cached):
    modified = date(-1000)
    server = cached(numbered(f"Cache-Control: max-age=60\r\nETag: \"a\"\r\nLast-Modified: {modified}\r\n"))
    assert fetch(server, fields='If-None-Match: "a"\r\n').status == 304
    assert field(server.origin.asked[0], "if-none-match") is None
    assert fetch(server).body == b"1 /"
    for fields, code in [('If-None-Match: "a"', 304), ('If-None-Match: "b"', 200), (f"If-Modified-Since: {modified}", 304),
                         (f"If-Modified-Since: {date(-2000)}", 200), ('If-Match: "b"', 412)]:
        got = fetch(server, fields=fields + "\r\n")
        assert got.status == code, fields
    assert fetch(server, fields='If-None-Match: "a"\r\n')["etag"] == '"a"'
    assert len(server.origin.asked) == 1


def test_ranges_come_from_the_whole(cached):
    server = cached(lambda asked: answer("0123456789", fields="Cache-Control: max-age=60\r\nETag: \"a\"\r\n"))
    first = fetch(server, fields="Range: bytes=2-4\r\n")
    assert field(server.origin.asked[0], "range") is None
    for got in (first, fetch(server, fields="Range: bytes=2-4\r\n")):
        assert (got.status, got.body, got["content-range"]) == (206, b"234", "bytes 2-4/10")
    assert fetch(server, fields="Range: bytes=20-\r\n").status == 416
    assert fetch(server, fields='Range: bytes=2-4\r\nIf-Range: "b"\r\n').body == b"0123456789"
    assert fetch(server).body == b"0123456789" and len(server.origin.asked) == 1


# --- What clients ask for. ---

def test_what_clients_may_ask_for(cached):
    server = cached(numbered("Cache-Control: max-age=60\r\nAge: 10\r\n"))
    fetch(server)
    for fields, hit in [("Cache-Control: max-age=5", False), ("Cache-Control: max-age=30", True),
                        ("Cache-Control: min-fresh=55", False), ("Cache-Control: min-fresh=5", True),
                        ("Cache-Control: no-cache", False), ("Pragma: no-cache", False),
                        ("Cache-Control: max-stale", True), ("Cache-Control: only-if-cached", True)]:
        got = fetch(server, fields=fields + "\r\n")
        assert got.status == 200 and is_hit(got) == hit, fields
        assert hit or status(got)["fwd"] == "request", fields


def test_what_a_reload_fetches_is_kept(cached):
    server = cached(numbered())
    assert fetch(server).body == b"1 /"
    assert fetch(server, fields="Cache-Control: no-cache\r\n").body == b"2 /"
    assert fetch(server).body == b"2 /"


def test_clients_have_no_say_where_the_operator_says_so(cached):
    server = cached(numbered(), "client_control off;")
    fetch(server)
    assert is_hit(fetch(server, fields="Cache-Control: no-cache\r\nPragma: no-cache\r\n"))


def test_only_if_cached(cached):
    server = cached(numbered())
    assert fetch(server, fields="Cache-Control: only-if-cached\r\n").status == 504
    assert not server.origin.asked
    fetch(server)
    assert fetch(server, fields="Cache-Control: only-if-cached\r\n").status == 200


def test_max_stale(cached):
    server = cached(numbered("Cache-Control: max-age=1\r\n"))
    fetch(server)
    time.sleep(1.5)
    got = fetch(server, fields="Cache-Control: max-stale=60\r\n")
    assert got.body == b"1 /" and int(status(got)["ttl"]) <= 0


# --- Validation. ---

def validating(state):
    """An origin whose answers have this ETag, and these fields besides; 304 where the request names it."""
    def reply(asked):
        fields = f"ETag: {state['etag']}\r\n{state['fields']}"
        if field(asked, "if-none-match") == state["etag"] and not state.get("stubborn"):
            return f"HTTP/1.1 304 Not Modified\r\n{fields}\r\n".encode()
        return answer(state["body"], fields=fields + "Content-Type: text/plain\r\n")
    return reply


def test_a_304_renews_what_is_kept(cached):
    state = {"etag": '"a"', "fields": "Cache-Control: max-age=1\r\nX-A: 1\r\n", "body": "hello"}
    server = cached(validating(state))
    first = fetch(server)
    state["fields"] = "Cache-Control: max-age=60\r\nX-A: 2\r\nContent-Type: text/wrong\r\n"
    time.sleep(1.2)
    second = fetch(server)
    assert field(server.origin.asked[1], "if-none-match") == '"a"'
    assert second.status == 200 and second.body == b"hello" and second["x-a"] == "2"
    assert second["content-type"] == first["content-type"] == "text/plain"
    assert status(second)["fwd-status"] == "304" and status(second)["fwd"] == "stale"
    third = fetch(server)
    assert is_hit(third) and third.body == b"hello" and third["x-a"] == "2" and int(third["age"]) <= 1
    assert int(status(third)["ttl"]) > 50


def test_a_200_takes_the_place_of_what_is_kept(cached):
    state = {"etag": '"a"', "fields": "Cache-Control: max-age=1\r\n", "body": "hello"}
    server = cached(validating(state))
    fetch(server)
    state.update(etag='"b"', fields="Cache-Control: max-age=60\r\n", body="other")
    time.sleep(1.2)
    assert fetch(server).body == b"other"
    assert is_hit(fetch(server)) and fetch(server)["etag"] == '"b"'


def test_no_cache_is_validated_each_time(cached):
    state = {"etag": '"a"', "fields": "Cache-Control: no-cache\r\n", "body": "hello"}
    server = cached(validating(state))
    for i in range(1, 4):
        got = fetch(server)
        assert got.status == 200 and got.body == b"hello" and len(server.origin.asked) == i
    assert [field(asked, "if-none-match") for asked in server.origin.asked] == [None, '"a"', '"a"']


def test_last_modified_validates_too(cached):
    modified = date(-1000)

    def reply(asked):
        if field(asked, "if-modified-since") == modified:
            return b"HTTP/1.1 304 Not Modified\r\n\r\n"
        return answer("hello", fields=f"Cache-Control: no-cache\r\nLast-Modified: {modified}\r\n")
    server = cached(reply)
    assert [fetch(server).body for _ in range(3)] == [b"hello"] * 3
    assert field(server.origin.asked[2], "if-modified-since") == modified


def test_a_304_that_depends_on_more(cached):
    """It would have to be kept under another key: it is fetched anew, and is."""
    asked_for = []

    def reply(asked):
        asked_for.append(field(asked, "if-none-match"))
        vary = "Vary: Accept-Language\r\n" if len(asked_for) > 1 else ""
        fields = 'ETag: "1"\r\nCache-Control: max-age=1\r\n' + vary
        if field(asked, "if-none-match"):
            return answer(b"", "304 Not Modified", fields)
        return answer(field(asked, "accept-language") or "none", fields=fields)
    server = cached(reply)
    assert fetch(server).body == b"none"
    time.sleep(1.2)
    assert fetch(server, fields="Accept-Language: de\r\n").body == b"de"
    assert fetch(server).body == b"none"
    assert asked_for[:3] == [None, '"1"', None]


def test_a_304_may_end_the_keeping(cached):
    state = {"etag": '"a"', "fields": "Cache-Control: max-age=1\r\n", "body": "hello"}
    server = cached(validating(state))
    fetch(server)
    state["fields"] = "Cache-Control: no-store\r\n"
    time.sleep(1.2)
    assert fetch(server).body == b"hello"
    assert fetch(server).body == b"hello"
    assert field(server.origin.asked[2], "if-none-match") is None


# --- Stale. ---

def test_stale_while_revalidate(cached):
    server = cached(numbered("Cache-Control: max-age=1, stale-while-revalidate=60\r\n"))
    assert fetch(server).body == b"1 /"
    time.sleep(1.5)
    got = fetch(server)
    assert got.body == b"1 /" and is_hit(got) and int(status(got)["ttl"]) <= 0
    wait_for(lambda: fetch(server).body == b"2 /", "the page that was fetched in the background")


def test_an_origin_that_is_ill_does_not_end_what_may_be_stale(cached):
    """Nobody is told what it answers in the background: what there is stays."""
    ill = []

    def reply(asked):
        return answer("ill", "500 Oops") if ill else answer("well", fields="Cache-Control: max-age=1, stale-while-revalidate=60\r\n")
    server = cached(reply)
    assert fetch(server).body == b"well"
    ill.append(1)
    time.sleep(1.2)
    for i in range(5):
        assert fetch(server).body == b"well"
        wait_for(lambda: count(server, "/") >= i + 2, "the next try")
        time.sleep(0.1)


def test_a_page_that_was_purged_while_it_came_does_not_take_the_place_of_its_successor(cached):
    begun, go_on = threading.Event(), threading.Event()

    def reply(asked):
        if begun.is_set():
            return answer("new", fields=FRESH)
        begun.set()
        assert go_on.wait(20)
        return answer("old", fields=FRESH)
    server = cached(reply, "purge_from 127.0.0.1;")
    with Wire(server) as first:
        first.send(get("/"))
        assert begun.wait(20)
        assert fetch(server, method="PURGE").status == 200
        assert fetch(server).body == b"new"
        go_on.set()
        assert first.answer().body == b"old"
    got = fetch(server)
    assert got.body == b"new" and is_hit(got)


@pytest.mark.parametrize("fields, rules, stale", [
    ("max-age=1, stale-if-error=60", "", True),
    ("max-age=1", "", False),
    ("max-age=1", "stale error 60s;", True),
    ("max-age=1, must-revalidate", "stale error 60s;", False),
    ("max-age=1, proxy-revalidate, stale-if-error=60", "", False),
    ("s-maxage=1, stale-if-error=60", "", False),
])
@pytest.mark.parametrize("how", ["500", "gone"])
def test_stale_if_error(cached, fields, rules, stale, how):
    ill = []

    def reply(asked):
        if ill:
            return answer("ill", "500 Oops")
        return answer("well", fields=f"Cache-Control: {fields}\r\n")
    server = cached(reply, rules)
    assert fetch(server).body == b"well"
    ill.append(1)
    if how == "gone":
        server.origin.close()
    time.sleep(1.2)
    got = fetch(server)
    if stale:
        assert got.status == 200 and got.body == b"well" and is_hit(got)
    else:
        assert got.status in (500, 502)


# --- Vary. ---

def test_variants(cached):
    server = cached(lambda asked: answer(f"{field(asked, 'accept-language')}", fields="Cache-Control: max-age=60\r\n"
                                         "Vary: Accept-Language\r\n"))
    for language in ("en", "de", "en", "de"):
        assert fetch(server, fields=f"Accept-Language: {language}\r\n").body == language.encode()
    assert fetch(server).body == b"None"
    assert len(server.origin.asked) == 3
    miss = fetch(server, fields="Accept-Language: fr\r\n")
    assert status(miss)["fwd"] == "vary-miss"
    # Lines, blanks and order of lines make no difference.
    assert fetch(server, fields="Accept-Language: a , b\r\n").body == b"a , b"
    assert is_hit(fetch(server, fields="Accept-Language: a\r\nAccept-Language: b\r\n"))


def test_accept_encoding_is_made_plain(cached):
    server = cached(lambda asked: answer(field(asked, "accept-encoding") or "none", fields="Cache-Control: max-age=60\r\n"
                                         "Vary: Accept-Encoding\r\n"))
    assert fetch(server, fields="Accept-Encoding: gzip, deflate, br;q=0.9\r\n").body == b"br,gzip"
    assert fetch(server, fields="Accept-Encoding: br, x-gzip\r\n").body == b"br,gzip"
    # What petrel does not know is never asked for, as it could go to who does not know it.
    assert fetch(server, fields="Accept-Encoding: deflate\r\n").body == b"none"
    assert fetch(server, fields="Accept-Encoding: identity\r\n").body == b"none"
    assert fetch(server).body == b"none"
    assert len(server.origin.asked) == 2


def test_what_answers_depend_on_may_change(cached):
    vary = ["Accept-Language"]
    server = cached(lambda asked: answer(f"{vary[0]} {field(asked, vary[0].lower())}",
                                         fields=f"Cache-Control: max-age=1\r\nVary: {vary[0]}\r\n"))
    assert fetch(server, fields="Accept-Language: en\r\nAccept: en\r\n").body == b"Accept-Language en"
    vary[0] = "Accept"
    time.sleep(1.2)
    assert fetch(server, fields="Accept-Language: en\r\nAccept: x\r\n").body == b"Accept x"
    assert fetch(server, fields="Accept-Language: de\r\nAccept: y\r\n").body == b"Accept y"


# --- Methods that change things. ---

@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "PATCH", "FROB"])
def test_unsafe_methods_invalidate(cached, method):
    server = cached(numbered())
    fetch(server, "/a?b")
    assert is_hit(fetch(server, "/a?b"))
    done = fetch(server, "/a?b", "Content-Length: 0\r\n", method)
    assert status(done)["fwd"] == "method"
    assert not is_hit(fetch(server, "/a?b"))


def test_what_failed_or_is_safe_does_not_invalidate(cached):
    server = cached(lambda asked: answer("x", "200 OK" if asked.method in ("GET", "OPTIONS") else "500 Oops",
                                         "Cache-Control: max-age=60\r\n"))
    fetch(server)
    assert fetch(server, fields="Content-Length: 0\r\n", method="POST").status == 500
    assert fetch(server, method="OPTIONS").status in (200, 204)
    assert is_hit(fetch(server))


@pytest.mark.parametrize("name", ["Location", "Content-Location"])
def test_what_an_answer_says_it_changed_is_invalidated_on_the_same_host(cached, name):
    places = {"/one": "/list", "/two": "http://a/list", "/three": "http://b/list"}

    def reply(asked):
        where = f"{name}: {places[asked.target]}\r\n" if asked.target in places else ""
        return answer("x", "201 Created" if where else "200 OK", where or "Cache-Control: max-age=60\r\n")
    server = cached(reply)
    for target, gone in [("/one", True), ("/two", True), ("/three", False)]:
        fetch(server, "/list")
        assert is_hit(fetch(server, "/list"))
        fetch(server, target, "Content-Length: 0\r\n", "POST")
        assert is_hit(fetch(server, "/list")) != gone, target


def test_answers_to_other_methods_are_not_kept(cached):
    server = cached(numbered())
    assert fetch(server, fields="Content-Length: 0\r\n", method="POST").body == b"1 /"
    assert fetch(server).body == b"2 /"


# --- What Cache-Status says. ---

@pytest.mark.parametrize("fields, detail", [
    ("Cache-Control: no-store", "no-store"), ("Cache-Control: private", "private"), ("X: y", "not-fresh"),
    ("Cache-Control: max-age=9\r\nSet-Cookie: a=1", "set-cookie"), ("Cache-Control: max-age=9\r\nVary: *", "vary"),
])
def test_the_reason_is_told(cached, fields, detail):
    server = cached(lambda asked: answer("x", fields=fields + "\r\n"))
    got = status(fetch(server))
    assert got["detail"] == detail and "stored" not in got


def test_connections_are_kept_alive_over_hits_and_misses(cached):
    server = cached(numbered())
    with Wire(server) as w:
        assert [w.ask(get(f"/{i % 3}")).status for i in range(9)] == [200] * 9
        assert w.ask(get("/0", method="HEAD")).status == 200
        w.assert_open()


@pytest.mark.skipif(SLOW, reason="of the release build")
def test_an_answer_of_http_1_0_clients(cached):
    server = cached(lambda asked: b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nCache-Control: max-age=60\r\n\r\n"
                                  b"5\r\nhello\r\n0\r\n\r\n")
    for _ in range(2):
        assert ask(server, get(version="1.0")).body == b"hello"
    assert fetch(server)["content-length"] == "5"
