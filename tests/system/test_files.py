"""Files over HTTP: what is found, what never is, listings, conditions, ranges, encodings, and files that change."""

import gzip
import html
import os
import re
import socket
import time
import urllib.parse

import pytest
from conftest import wait_for
from wire import Wire, ask, get

CONF = """
loops 1;
listen 127.0.0.1:{port};
hot { recheck 50ms; }
error_log {dir}/error.log;
site * {
    root {dir}/www;
    index index.html index.txt;
    route /list/*   { files { listing on; } }
    route /hidden/* { files { hidden on; listing on; } }
    route /try/*    { files { try $path $path.html $path/ /try/last.txt; } }
    route /loop/*   { files { try $path /loop/a/$path; } }
    route /no/*     { files { follow none; } }
    route /any/*    { files { follow any; } }
    route *.run     { respond 200 "run $path"; }
    route *         { files; }
}
"""


class Tree:
    def __init__(self, server):
        self.server = server
        self.root = server.dir / "www"
        self.root.mkdir(exist_ok=True)

    def put(self, path, data=b"", **kwargs):
        """Written beside and moved into place, as a careful person does."""
        file = self.root / path
        file.parent.mkdir(parents=True, exist_ok=True)
        data = data if isinstance(data, bytes) else data.encode()
        new = file.with_name(file.name + ".new")
        new.write_bytes(data)
        if "mtime" in kwargs:
            os.utime(new, (kwargs["mtime"], kwargs["mtime"]))
        os.rename(new, file)
        return file

    def get(self, target, fields="", method="GET"):
        return ask(self.server, get(target, fields, method))

    def until(self, target, seen, seconds=5.0):
        """Asks until the answer is as expected; each answer on the way has to be whole."""
        def look():
            self.last = self.get(target)
            return seen(self.last)
        wait_for(look, f"{target} to change; it is {target}", seconds)


@pytest.fixture
def tree(petrel):
    return Tree(petrel(CONF))


def test_found_and_not(tree):
    tree.put("a.txt", "text")
    tree.put("d/index.txt", "index")
    tree.put("d/e/index.html", "<p>html")
    tree.put("ä ö/%25 ?#.txt", "odd")
    tree.put("empty")
    for target, status, body in [
        ("/a.txt", 200, b"text"),
        ("/a.txt?x=y", 200, b"text"),
        ("//a.txt", 200, b"text"),
        ("/d/./../a.txt", 200, b"text"),
        ("/%61%2etxt", 200, b"text"),
        ("/d/", 200, b"index"),
        ("/d/e/", 200, b"<p>html"),
        ("/d/index.txt", 200, b"index"),
        ("/%C3%A4%20%C3%B6/%2525%20%3F%23.txt", 200, b"odd"),
        ("/empty", 200, b""),
        ("/", 404, None),
        ("/b.txt", 404, None),
        ("/A.TXT", 404, None),
        ("/a.txt/", 404, None),
        ("/a.txt/b", 404, None),
        ("/d/nothing/", 404, None),
        ("/" + "x" * 300, 404, None),
        ("/" + "x/" * 3000, 404, None),
    ]:
        for _ in range(3):  # from the disk, and from the hot set
            answer = tree.get(target)
            assert answer.status == status, target
            assert body is None or answer.body == body, target


def test_redirect_to_the_slash(tree):
    tree.put("d/index.html", "i")
    tree.put("sp ace/ü/index.html", "i")
    for target, location in [("/d", "/d/"), ("/d?a=b&c", "/d/?a=b&c"), ("/d?", "/d/?"), ("//d", "/d/"),
                             ("/sp%20ace/%c3%bc", "/sp%20ace/%C3%BC/")]:
        answer = tree.get(target)
        assert (answer.status, answer["location"]) == (301, location)


def test_types(tree):
    for name, kind in [("a.html", "text/html; charset=utf-8"), ("a.css", "text/css; charset=utf-8"),
                       ("a.png", "image/png"), ("a.json", "application/json"), ("a.nosuch", "application/octet-stream"),
                       ("a", "application/octet-stream"), ("a.JPG", "image/jpeg")]:
        tree.put(name, "x")
        assert tree.get("/" + name)["content-type"] == kind


# --- What never is served. ---

def test_nothing_above_the_root(tree):
    (tree.server.dir / "secret").write_text("secret")
    tree.put("a/b", "fine")
    for target in ["/../secret", "/a/../../secret", "/%2e%2e/secret", "/a/%2E%2E/%2e%2e/secret", "/..%2fsecret",
                   "/%2e%2e%2fsecret", "/a/..%2F..%2Fsecret", "/a/b%00", "/..%00/secret", "/%00/../secret",
                   "/.%2e/secret"]:
        assert tree.get(target).status == 400, target
    for target in ["/..%5csecret", "/a\\..\\..\\secret", "/%252e%252e/secret", "/%252e%252e%252fsecret", "/.../secret",
                   "/..;/secret", "/%c0%ae%c0%ae/secret", "/~/secret"]:
        assert tree.get(target).status == 404, target


def test_hidden(tree):
    tree.put(".secret", "s")
    tree.put(".git/config", "s")
    tree.put("d/.x/y", "s")
    tree.put(".well-known/acme", "fine")
    tree.put(".well-known/.x", "s")
    tree.put("hidden/.x", "shown")
    for target in ["/.secret", "/.git/config", "/.git/", "/.git", "/d/.x/y", "/%2esecret", "/.well-known/.x",
                   "/d//.x/y"]:
        assert tree.get(target).status == 404, target
    assert tree.get("/.well-known/acme").body == b"fine"
    assert tree.get("/hidden/.x").body == b"shown"


def test_links(tree):
    outside = tree.server.dir / "outside"
    outside.mkdir()
    (outside / "f").write_text("outside")
    tree.put("in/f", "inside")
    for folder in "", "no/", "any/":
        (tree.root / folder).mkdir(exist_ok=True)
        (tree.root / folder / "out").symlink_to(outside)
        (tree.root / folder / "outf").symlink_to("../" * (2 if folder else 1) + "outside/f")
        (tree.root / folder / "to_in").symlink_to("../in" if folder else "in")
        (tree.root / folder / "abs").symlink_to(tree.root / "in/f")
        (tree.root / folder / "loop").symlink_to("loop")
        (tree.root / folder / "dead").symlink_to("nowhere")
        (tree.root / folder / "magic").symlink_to("/proc/self/root")
    answers = {}
    for path in "out/f", "outf", "to_in/f", "abs", "loop", "dead", "magic/etc/passwd":
        answers[path] = tuple(tree.get(f"/{folder}{path}").status for folder in ("", "no/", "any/"))
    # An absolute link leaves the root, even where it comes back to it; so do those through /proc.
    assert answers == {"out/f": (403, 403, 200), "outf": (403, 403, 200), "to_in/f": (200, 403, 200),
                       "abs": (403, 403, 200), "loop": (403, 403, 403), "dead": (404, 403, 404),
                       "magic/etc/passwd": (403, 403, 403)}
    assert tree.get("/to_in/f").body == b"inside"


def test_a_folder_replaced_by_a_link(tree):
    outside = tree.server.dir / "outside"
    outside.mkdir()
    (outside / "f").write_text("outside")
    tree.put("d/f", "inside")
    assert tree.get("/d/f").body == b"inside"
    os.rename(tree.root / "d", tree.root / "old")
    (tree.root / "d").symlink_to(outside)
    def gone(answer):
        assert b"outside" not in answer.body
        return answer.status == 403
    tree.until("/d/f", gone)
    # And while it is swapped to and fro, nothing from outside ever gets through.
    (tree.root / "d").unlink()
    os.rename(tree.root / "old", tree.root / "d")
    (tree.root / "link").symlink_to(outside)
    for i in range(200):
        os.rename(tree.root / "d", tree.root / "t")
        os.rename(tree.root / "link", tree.root / "d")
        answer = tree.get(f"/d/f?{i}")
        assert answer.status in (200, 403, 404) and b"outside" not in answer.body
        os.rename(tree.root / "d", tree.root / "link")
        os.rename(tree.root / "t", tree.root / "d")
        assert b"outside" not in tree.get("/d/f").body


def test_what_is_no_file(tree):
    """A FIFO without a writer would block whoever opens it; petrel answers, and goes on."""
    os.mkfifo(tree.root / "fifo")
    with socket.socket(socket.AF_UNIX) as s:
        s.bind(str(tree.root / "sock"))
    try:
        os.mknod(tree.root / "null", 0o20666, os.makedev(1, 3))
        os.mknod(tree.root / "tty", 0o20666, os.makedev(5, 0))
        names = ["fifo", "sock", "null", "tty"]
    except PermissionError:
        names = ["fifo", "sock"]
    tree.put("a", "fine")
    with Wire(tree.server, timeout=5) as w:
        for name in names:
            for _ in range(3):
                assert w.ask(get(f"/{name}")).status == 403, name
        assert w.ask(get("/a")).body == b"fine"


def test_what_may_not_be_read(tree):
    tree.put("locked", "x").chmod(0)
    tree.put("shut/f", "x")
    (tree.root / "shut").chmod(0)
    try:
        assert tree.get("/locked").status == 403
        assert tree.get("/shut/f").status == 403
    finally:
        (tree.root / "shut").chmod(0o700)


# --- Listings. ---

def test_listing(tree):
    tree.put("list/b.txt", "bb")
    tree.put("list/<a>&\"'.txt", "a")
    tree.put("list/ü %2f.txt", "u")
    tree.put("list/.hidden", "h")
    tree.put("list/z/f", "f")
    os.mkfifo(tree.root / "list/fifo")
    (tree.root / "list/dead").symlink_to("nowhere")
    page = tree.get("/list/")
    assert page.status == 200 and page["content-type"] == "text/html; charset=utf-8" and page["vary"] == "Accept"
    text = page.body.decode()
    assert "<script" not in text and "hidden" not in text and "fifo" not in text and "dead" not in text
    links = [urllib.parse.unquote(html.unescape(link)) for link in re.findall(r'<a href="\./([^"]*)"', text)]
    assert links == ["z/", "<a>&\"'.txt", "b.txt", "ü %2f.txt"]
    for link in re.findall(r'<a href="\./([^"]*)"', text):
        assert tree.get("/list/" + html.unescape(link)).status == 200
    told = tree.get("/list/", "Accept: application/json\r\n")
    assert told["content-type"] == "application/json"
    assert told.json["path"] == "/list/" and told.json["complete"] is True
    assert [(e["name"], e["type"], e["size"]) for e in told.json["entries"]] == [
        ("z", "folder", 0), ("<a>&\"'.txt", "file", 1), ("b.txt", "file", 2), ("ü %2f.txt", "file", 1)]
    assert tree.get("/list", "").status == 301
    assert tree.get("/list/z/").status == 200
    assert tree.get("/list/none/").status == 404
    assert tree.get("/list/", method="HEAD")["content-type"].startswith("text/html")


def test_an_index_goes_before_the_listing(tree):
    tree.put("list/index.txt", "index")
    assert tree.get("/list/").body == b"index"


def test_hidden_listing(tree):
    tree.put("hidden/.x", "x")
    names = [e["name"] for e in tree.get("/hidden/", "Accept: application/json\r\n").json["entries"]]
    assert names == [".x"]


# --- Other ways through. ---

def test_try(tree):
    tree.put("try/a", "a")
    tree.put("try/b.html", "b")
    tree.put("try/c/index.html", "c")
    tree.put("try/last.txt", "last")
    for target, body in [("/try/a", b"a"), ("/try/b", b"b"), ("/try/c/", b"c"), ("/try/nothing", b"last"),
                         ("/try/last.txt", b"last")]:
        assert tree.get(target).body == body, target
    assert tree.get("/try/c?q")["location"] == "/try/c/?q"
    (tree.root / "try/last.txt").unlink()
    tree.until("/try/nothing", lambda a: a.status == 404)


def test_try_in_circles(tree):
    answer = tree.get("/loop/x")
    assert answer.status == 508 and b"circles" in answer.body


def test_an_index_of_another_route(petrel):
    server = petrel(CONF.replace("index index.html", "index index.run index.html"))
    tree = Tree(server)
    tree.put("d/index.run", "source")
    assert tree.get("/d/").body == b"run /d/index.run"


# --- Conditions and ranges. ---

def test_conditions(tree):
    tree.put("a.txt", "0123456789", mtime=1700000000)
    plain = tree.get("/a.txt")
    etag, date = plain["etag"], plain["last-modified"]
    assert date == "Tue, 14 Nov 2023 22:13:20 GMT" and re.fullmatch(r'"[^"]+"', etag)
    before, after = "Tue, 14 Nov 2023 22:13:19 GMT", "Tue, 14 Nov 2023 22:13:21 GMT"
    for fields, status in [
        (f"If-None-Match: {etag}\r\n", 304),
        (f"If-None-Match: W/{etag}\r\n", 304),
        (f'If-None-Match: "x", {etag}\r\n', 304),
        ("If-None-Match: *\r\n", 304),
        ('If-None-Match: "x"\r\n', 200),
        (f"If-Modified-Since: {date}\r\n", 304),
        (f"If-Modified-Since: {after}\r\n", 304),
        (f"If-Modified-Since: {before}\r\n", 200),
        ("If-Modified-Since: yesterday\r\n", 200),
        (f'If-None-Match: "x"\r\nIf-Modified-Since: {date}\r\n', 200),
        (f"If-Match: {etag}\r\n", 200),
        (f"If-Match: W/{etag}\r\n", 412),
        ('If-Match: "x"\r\n', 412),
        ("If-Match: *\r\n", 200),
        (f"If-Unmodified-Since: {date}\r\n", 200),
        (f"If-Unmodified-Since: {before}\r\n", 412),
        (f"If-Match: {etag}\r\nIf-Unmodified-Since: {before}\r\n", 200),
        (f'If-Match: "x"\r\nIf-None-Match: {etag}\r\n', 412),
        (f"If-Match: {etag}\r\nIf-None-Match: {etag}\r\n", 304),
    ]:
        with Wire(tree.server) as w:
            for method in "GET", "HEAD":
                answer = w.ask(get("/a.txt", fields, method))
                assert answer.status == status, fields
                if status == 304:
                    assert (answer["etag"], answer["last-modified"]) == (etag, date)
                    assert answer["content-type"] is None and answer["date"]
            w.assert_open()


def test_ranges(tree):
    small, large = b"0123456789", bytes(range(256)) * 2000
    tree.put("small", small)
    tree.put("large", large)
    for name, data in ("small", small), ("large", large):
        size = len(data)
        etag = tree.get(f"/{name}")["etag"]
        for spec, begin, end in [("0-0", 0, 1), ("2-5", 2, 6), ("-3", size - 3, size), ("5-", 5, size),
                                 (f"0-{size * 2}", 0, size), (f"-{size * 2}", 0, size)]:
            answer = tree.get(f"/{name}", f"Range: bytes={spec}\r\n")
            assert answer.status == 206 and answer.body == data[begin:end], spec
            assert answer["content-range"] == f"bytes {begin}-{end - 1}/{size}"
            assert answer["etag"] == etag
        for spec in f"{size}-", "-0", f"{size + 5}-{size + 7}":
            answer = tree.get(f"/{name}", f"Range: bytes={spec}\r\n")
            assert (answer.status, answer["content-range"]) == (416, f"bytes */{size}")
        for fields in "Range: lines=0-1\r\n", "Range: bytes=1-0\r\n", 'Range: bytes=0-1\r\nIf-Range: "x"\r\n', \
                      f"Range: bytes=0-1\r\nIf-Range: W/{etag}\r\n":
            answer = tree.get(f"/{name}", fields)
            assert answer.status == 200 and answer.body == data, fields
        assert tree.get(f"/{name}", f"Range: bytes=1-2\r\nIf-Range: {etag}\r\n").body == data[1:3]
        assert tree.get(f"/{name}", f"Range: bytes=1-2\r\nIf-None-Match: {etag}\r\n").status == 304
        assert tree.get(f"/{name}", "Range: bytes=1-2\r\n", "HEAD").status == 200


def test_many_ranges(tree):
    for name, data in ("small.txt", b"0123456789" * 5), ("large.txt", b"0123456789" * 50000):
        tree.put(name, data)
        size = len(data)
        answer = tree.get(f"/{name}", "Range: bytes=0-1, 20-24, -3\r\n")
        kind = answer["content-type"]
        assert answer.status == 206 and kind.startswith("multipart/byteranges; boundary=")
        boundary = kind.partition("=")[2].encode()
        parts = answer.body.split(b"--" + boundary)
        assert parts[0] in (b"", b"\r\n") and parts[-1] == b"--\r\n" and len(parts) == 5
        for part, begin, end in zip(parts[1:4], (0, 20, size - 3), (1, 24, size - 1)):
            head, _, body = part.partition(b"\r\n\r\n")
            assert b"Content-Range: bytes %d-%d/%d" % (begin, end, size) in head
            assert b"Content-Type: text/plain; charset=utf-8" in head
            assert body == data[begin:end + 1] + b"\r\n"


# --- Encodings. ---

def test_precompressed(tree):
    tree.put("a.css", "plain", mtime=1700000000)
    tree.put("a.css.gz", gzip.compress(b"plain"), mtime=1700000000)
    tree.put("a.css.br", "br", mtime=1700000001)
    tree.put("a.css.zst", "zst", mtime=1699999999)  # older than the file itself
    tree.put("b.png", "plain")
    tree.put("b.png.gz", "gz")
    tags = set()
    for accept, encoding, body in [
        (None, None, b"plain"),
        ("gzip", "gzip", None),
        ("gzip, br, zstd", "br", b"br"),
        ("zstd", None, b"plain"),
        ("br;q=0.5, gzip", "gzip", None),
        ("br;q=0, *", "gzip", None),
        ("*", "br", b"br"),
        ("identity", None, b"plain"),
        ("gzip;q=0", None, b"plain"),
    ]:
        answer = tree.get("/a.css", f"Accept-Encoding: {accept}\r\n" if accept else "")
        assert answer.status == 200 and answer["content-encoding"] == encoding, accept
        assert answer.body == body or (encoding == "gzip" and gzip.decompress(answer.body) == b"plain")
        assert answer["content-type"] == "text/css; charset=utf-8" and answer["vary"] == "Accept-Encoding"
        tags.add((encoding, answer["etag"]))
    assert len(tags) == len({tag for _, tag in tags}) == 3
    # An encoding's own tag makes its own 304.
    for encoding, tag in tags:
        accept = f"Accept-Encoding: {encoding or 'identity'}\r\n"
        answer = tree.get("/a.css", accept + f"If-None-Match: {tag}\r\n")
        assert answer.status == 304 and answer["vary"] == "Accept-Encoding"
    answer = tree.get("/b.png", "Accept-Encoding: gzip\r\n")
    assert answer["content-encoding"] is None and answer["vary"] is None


# --- Change. ---

@pytest.mark.threads
def test_changes_are_noticed(tree):
    tree.put("f", "one")
    assert tree.get("/f").body == b"one"
    tree.put("f", "two")
    tree.until("/f", lambda a: a.body == b"two")
    # The same length and the same second, in place.
    with open(tree.root / "f", "r+b") as f:
        f.write(b"3rd")
    tree.until("/f", lambda a: a.body == b"3rd")
    (tree.root / "f").unlink()
    tree.until("/f", lambda a: a.status == 404)
    tree.put("f", "four")
    tree.until("/f", lambda a: a.body == b"four")
    (tree.root / "f").unlink()
    (tree.root / "f").mkdir()
    tree.until("/f", lambda a: a.status == 301)
    (tree.root / "f").rmdir()
    tree.put("f", b"x" * 200000)
    tree.until("/f", lambda a: a.body == b"x" * 200000)
    tree.put("f", b"y" * 200001)
    tree.until("/f", lambda a: a.body == b"y" * 200001)


def test_a_stale_file_is_not_served_after_a_long_time(tree):
    """Where the kernel can tell at once, the first request after `recheck` sees the change already."""
    tree.put("f", "one")
    assert tree.get("/f").body == b"one"
    tree.put("f", "two")
    time.sleep(0.1)
    assert tree.get("/f").body == b"two"


def test_within_recheck_nothing_is_asked(petrel):
    tree = Tree(petrel(CONF.replace("recheck 50ms", "recheck 1h")))
    tree.put("f", "one")
    assert tree.get("/f").body == b"one" and tree.get("/g").status == 404
    tree.put("f", "two")
    tree.put("g", "new")
    for _ in range(20):
        assert tree.get("/f").body == b"one" and tree.get("/g").status == 404


def test_old_and_future_times(tree):
    for name, mtime in ("old", -86400.0), ("future", 4102444800.0):
        tree.put(name, "x", mtime=mtime)
        answer = tree.get("/" + name)
        assert answer.status == 200
        date = answer["last-modified"]
        # A server must not say that something changes after now (RFC 9110, 8.8.2.1).
        assert date is None or time.strptime(date, "%a, %d %b %Y %H:%M:%S GMT") <= time.gmtime(time.time() + 2)


def test_no_root(petrel):
    server = petrel(CONF)
    with Wire(server) as w:
        assert w.ask(get("/a")).status in (404, 500)
        (server.dir / "www").mkdir()
        (server.dir / "www/a").write_text("there now")
    tree = Tree(server)
    tree.until("/a", lambda a: a.body == b"there now")


@pytest.mark.threads
def test_a_file_that_outgrows_the_hot_set(petrel):
    """What replaces a hot file may be more than the hot set can hold: it is still there until the last byte is sent."""
    server = petrel(CONF.replace("recheck 50ms;", "recheck 0ms; memory 32k; file 16k;"))
    tree = Tree(server)
    large = os.urandom(1 << 20) * 16
    for _ in range(3):
        tree.put("grows", "small")
        tree.until("/grows", lambda a: a.body == b"small")
        tree.put("grows", large)
        with Wire(server, receive_buffer=4096) as w:
            w.send(get("/grows"))
            time.sleep(0.1)
            w.hurry()
            assert w.answer().body == large
