"""What stands between a handler and the wire: compression, fields, access, error pages, the throttle; and echo."""

import gzip
import json
import re
import shutil
import socket
import subprocess
import time

import pytest
from conftest import SLOW, wait_for

TEXT = "".join(f"line {i} of a text that compresses\n" for i in range(1500)).encode()
CODINGS = ("zstd", "br", "gzip")


def decoded(answer):
    """By the coding's own program, or as it is."""
    coding = answer.getheader("Content-Encoding")
    if coding == "gzip":
        return gzip.decompress(answer.body)
    if not coding:
        return answer.body
    program = {"br": ["brotli", "-dc"], "zstd": ["zstd", "-dcq"]}[coding]
    if not shutil.which(program[0]):
        pytest.skip(f"{program[0]} is not installed")
    return subprocess.run(program, input=answer.body, stdout=subprocess.PIPE, check=True).stdout


def serve(petrel, inside, files=(), outside=""):
    """A server whose root is {dir}/www."""
    server = petrel(f"""
        listen 127.0.0.1:{{port}}; loops 2; {outside}
        site * {{ root www; {inside} }}
    """, wait=False)
    (server.dir / "www").mkdir()
    for name, content in dict(files).items():
        (server.dir / "www" / name).write_bytes(content)
    return server.wait_ready()


COMPRESSED = "route * { compress on; files; }"


# --- compress ---


@pytest.mark.threads
@pytest.mark.parametrize("coding", CODINGS)
def test_a_hot_file_is_encoded_once_and_kept(petrel, coding):
    server = serve(petrel, COMPRESSED, {"a.txt": TEXT})
    headers = {"Accept-Encoding": coding}
    first = server.request("/a.txt", headers=headers)
    assert decoded(first) == TEXT
    assert first.getheader("ETag").endswith(f'-{coding}"')

    def kept():
        answer = server.request("/a.txt", headers=headers)
        return answer if answer.getheader("Content-Length") else None

    answer = wait_for(kept, "the kept encoding")
    assert answer.getheader("Content-Encoding") == coding
    assert int(answer.getheader("Content-Length")) == len(answer.body) < len(TEXT) / 3
    assert decoded(answer) == TEXT
    # Strong where it is always the same bytes, weak where it is encoded on its way.
    assert first.getheader("ETag").removeprefix("W/") == answer.getheader("ETag")
    for etag in (first.getheader("ETag"), answer.getheader("ETag")):
        unchanged = server.request("/a.txt", headers={**headers, "If-None-Match": etag})
        assert unchanged.status == 304 and not unchanged.body
        assert unchanged.getheader("Vary") == "Accept-Encoding"
    head = server.request("/a.txt", method="HEAD", headers=headers)
    assert head.getheader("Content-Length") == answer.getheader("Content-Length")
    assert server.request("/a.txt").body == TEXT


def test_an_error_page_is_encoded_and_has_no_etag(petrel):
    server = serve(petrel, f"error_page 404 /sorry.txt; {COMPRESSED}", {"sorry.txt": TEXT})
    headers = {"Accept-Encoding": "gzip"}
    for _ in range(2):
        answer = server.request("/nowhere", headers=headers)
        assert answer.status == 404 and decoded(answer) == TEXT and not answer.getheader("ETag")
        wait_for(lambda: server.request("/nowhere", headers=headers).getheader("Content-Length"), "the kept encoding")


@pytest.mark.threads
def test_a_changed_file_gets_a_new_encoding(petrel):
    server = serve(petrel, COMPRESSED, {"a.txt": TEXT}, "hot { recheck 10ms; }")
    headers = {"Accept-Encoding": "gzip"}
    wait_for(lambda: server.request("/a.txt", headers=headers).getheader("Content-Length"), "the kept encoding")
    new = TEXT.upper()
    (server.dir / "www/a.txt").write_bytes(new)
    wait_for(lambda: decoded(server.request("/a.txt", headers=headers)) == new, "the new text")
    answer = wait_for(lambda: (a := server.request("/a.txt", headers=headers)).getheader("Content-Length") and a,
                      "the new encoding")
    assert decoded(answer) == new


@pytest.mark.parametrize("coding", CODINGS)
def test_a_large_file_is_encoded_on_its_way(petrel, coding):
    large = TEXT * 60
    server = serve(petrel, COMPRESSED, {"large.txt": large})
    for _ in range(2):
        answer = server.request("/large.txt", headers={"Accept-Encoding": coding}, timeout=60)
        assert answer.getheader("Transfer-Encoding") == "chunked"
        assert decoded(answer) == large
    ranged = server.request("/large.txt", headers={"Accept-Encoding": coding, "Range": "bytes=10-19"})
    assert ranged.status == 206 and ranged.body == large[10:20] and not ranged.getheader("Content-Encoding")


@pytest.mark.threads
def test_clients_that_leave_while_it_is_encoded(petrel):
    server = serve(petrel, COMPRESSED, {"large.txt": TEXT * 200})
    for _ in range(20):
        with server.connect() as s:
            s.sendall(b"GET /large.txt HTTP/1.1\r\nHost: a\r\nAccept-Encoding: br\r\n\r\n")
            assert s.recv(100)
    assert server.request("/large.txt", headers={"Accept-Encoding": "gzip"}, timeout=60).status == 200


def test_what_does_not_get_smaller_stays_as_it_is(petrel):
    noise = bytes((i * 7919 >> 3) % 251 for i in range(257))
    server = serve(petrel, "route * { compress on; compress_min 0; files; }", {"tiny.txt": b"ab", "noise.png": noise})
    headers = {"Accept-Encoding": "gzip"}
    wait_for(lambda: not server.request("/tiny.txt", headers=headers).getheader("Content-Encoding"), "no encoding")
    answer = server.request("/tiny.txt", headers=headers)
    assert answer.body == b"ab" and answer.getheader("Vary") == "Accept-Encoding"
    picture = server.request("/noise.png", headers=headers)
    assert picture.body == noise and not picture.getheader("Vary")


# --- error pages ---


def test_error_pages(petrel):
    server = serve(petrel, """
        error_page 400 404 405 413 /oops.html;
        limits { body 10; }
        route /only-reads { files; }
        route * { compress on; files; }
    """, {"oops.html": b"<h1>Oops</h1>"})
    answer = server.request("/nowhere", headers={"If-None-Match": "*", "Range": "bytes=1-2"})
    assert (answer.status, answer.body) == (404, b"<h1>Oops</h1>")
    assert not answer.getheader("ETag")
    answer = server.request("/only-reads", method="DELETE")
    assert (answer.status, answer.body) == (405, b"<h1>Oops</h1>")
    assert "GET" in answer.getheader("Allow")
    answer = server.request("/", method="POST", body=b"x" * 100)
    assert (answer.status, answer.body) == (413, b"<h1>Oops</h1>")
    with server.connect() as s:
        s.sendall(b"GET / HTTP/1.1\r\nHost: a\r\nBad Name: x\r\n\r\n")
        answer = b""
        while piece := s.recv(4096):
            answer += piece
    assert answer.startswith(b"HTTP/1.1 400 ") and answer.endswith(b"<h1>Oops</h1>")
    (server.dir / "www/oops.html").unlink()
    wait_for(lambda: b"Oops" not in server.request("/nowhere").body, "the plain page")
    assert server.request("/nowhere").status == 404


# --- access, fields ---


def test_access_and_fields(petrel):
    server = serve(petrel, """
        header X-Frame-Options DENY;
        route /here  { allow 127.0.0.0/8; respond 200 "hello"; expires 1h; header_remove Content-Type; }
        route /there { deny 127.0.0.1; respond 200 "hello"; }
    """)
    here = server.request("/here")
    assert here.body == b"hello" and here.getheader("X-Frame-Options") == "DENY"
    assert here.getheader("Cache-Control") == "max-age=3600" and not here.getheader("Content-Type")
    there = server.request("/there")
    assert there.status == 403 and not there.getheader("X-Frame-Options")


# --- throttle ---


def test_throttle(petrel):
    server = serve(petrel, """
        route /slow/* { throttle 200k; files; }
        route /late/* { throttle 10k after 400k; files; }
    """, {})
    for folder in ("slow", "late"):
        (server.dir / "www" / folder).mkdir()
        (server.dir / "www" / folder / "a").write_bytes(b"x" * 400_000)
    begin = time.monotonic()
    assert len(server.request("/late/a").body) == 400_000
    late = time.monotonic() - begin
    begin = time.monotonic()
    assert len(server.request("/slow/a").body) == 400_000
    slow = time.monotonic() - begin
    assert 1.5 < slow < 4, slow
    assert late < (5 if SLOW else 1), late


def test_a_throttled_client_is_not_a_slow_one(petrel):
    server = serve(petrel, "limits { min_rate 1m; } route * { throttle 5k; files; }", {"a": b"x" * 65_000})
    answer = server.request("/a", timeout=30)  # longer than min_rate's window
    assert len(answer.body) == 65_000


# --- echo ---


def test_echo(petrel):
    server = serve(petrel, "route * { echo; }")
    told = json.loads(server.request("/a%20b/../c?d", method="POST", body=b"x" * 200_000).body)
    assert told["method"] == "POST" and told["path"] == "/c" and told["query"] == "d"
    assert told["body"]["length"] == 200_000 and told["body"]["first"] == "x" * 65536
    with server.connect() as s:
        s.sendall(b"PUT / HTTP/1.1\r\nHost: A:8\r\nTransfer-Encoding: chunked\r\nExpect: 100-continue\r\n\r\n")
        assert s.recv(100) == b"HTTP/1.1 100 Continue\r\n\r\n"
        for byte in b"3;x=y\r\nabc\r\n2\r\nde\r\n0\r\nTrailer: x\r\n\r\n":
            s.sendall(bytes([byte]))
        answer = b""
        while b'"first"' not in answer:
            answer += s.recv(65536)
        told = json.loads(answer.partition(b"\r\n\r\n")[2])
    assert told["body"]["first"] == "abcde" and told["host"] == "a" and told["port"] == 8


def test_echo_of_a_body_that_breaks(petrel):
    server = serve(petrel, "limits { body 100; } route * { echo; }")
    for body, status in ((b"zz\r\n", b"400"), (b"65\r\n" + b"x" * 0x65 + b"\r\n0\r\n\r\n", b"413")):
        with server.connect() as s:
            s.sendall(b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n" + body)
            assert s.recv(4096).startswith(b"HTTP/1.1 " + status)
    with server.connect() as s:
        s.sendall(b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 50\r\n\r\nshort")
        s.shutdown(socket.SHUT_WR)
        assert s.recv(4096) == b""
    assert server.request("/").status == 200


def test_shed_is_configured_by_its_group(petrel, tmp_path):
    (tmp_path / "busy.gif").write_bytes(b"GIF89a")
    server = serve(petrel, "route * { respond 200; }", outside=f"shed {{ retry_after 5s; image {tmp_path}/busy.gif; }}")
    assert server.request("/").status == 200
    # The name of this test is in the paths of other warnings.
    assert '"shed"' not in server.stderr and "busy.gif" not in server.stderr
