"""Streams: bytes to a server of a pool and back, and the PROXY protocol on either side."""

import json
import socket

import pytest

from conftest import free_port, wait_for
from origins import echo

pytestmark = pytest.mark.threads

STREAM = """
listen 127.0.0.1:{port} stream echo;
access_log {dir}/access.log;
pool echo { server 127.0.0.1:%d; %s }
site * { route * { respond 200 "x"; } }
"""


@pytest.fixture
def echoing(origin):
    """Says back what comes, and the first of it is in .asked."""
    def script(peer):
        peer.more()
        peer.origin.asked.append(peer.left)
        echo(peer)
    return origin(script)


def connect(port):
    client = socket.create_connection(("127.0.0.1", port))
    client.settimeout(10)
    return client


def read_all(client):
    got = b""
    while data := client.recv(65536):
        got += data
    return got


def test_bytes_go_there_and_back_and_each_side_may_end_first(petrel, echoing):
    server = petrel(STREAM % (echoing.port, ""))
    with connect(server.port) as client:
        client.sendall(b"hello")
        assert client.recv(5) == b"hello"
        client.sendall(b"x" * 300000)
        client.shutdown(socket.SHUT_WR)
        got = read_all(client)
    assert got == b"x" * 300000 + b"end"
    line = wait_for(lambda: (server.dir / "access.log").read_text(), "the log's line")
    assert '"STREAM echo HTTP/1.1" 101 300008' in line


def test_the_server_learns_who_the_client_is(petrel, echoing):
    server = petrel(STREAM % (echoing.port, "send_proxy v1;"))
    with connect(server.port) as client:
        local = client.getsockname()
        client.sendall(b"hello")
        wait_for(lambda: echoing.asked, "the first bytes")
        assert echoing.asked[0].startswith(f"PROXY TCP4 127.0.0.1 127.0.0.1 {local[1]} {server.port}\r\n".encode())


def test_a_server_that_is_not_there_ends_the_connection(petrel):
    server = petrel(STREAM % (free_port(), "retry 0;"))
    with connect(server.port) as client:
        assert client.recv(100) == b""
    server.wait_said("no connection to")


def test_a_balancer_says_who_the_client_is(petrel):
    server = petrel("""
listen 127.0.0.1:{port} proxy_protocol;
site * { route * { header X-Client $client:$client_port; respond 200 x; } }
""")
    head = b"\r\n\r\n\0\r\nQUIT\n\x21\x11\0\x0c\xc0\0\2\1\xc6\x33\x64\1\x12\x34\1\xbb"
    request = b"GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n"
    with connect(server.port) as client:
        client.sendall(b"PROXY TCP4 192.0.2.7 198.51.100.1 56324 443\r\n" + request)
        assert b"X-Client: 192.0.2.7:56324\r\n" in read_all(client)
    with connect(server.port) as client:
        for byte in head:
            client.sendall(bytes([byte]))
        client.sendall(request)
        assert b"X-Client: 192.0.2.1:4660\r\n" in read_all(client)


def test_whoever_does_not_say_it_is_closed(petrel):
    server = petrel("""
listen 127.0.0.1:{port} proxy_protocol;
limits { header_timeout 300ms; }
site * { route * { respond 200 "x"; } }
""")
    with connect(server.port) as client:
        client.sendall(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n")
        assert client.recv(100) == b""
    server.wait_said("does not begin with a PROXY protocol head")
    with connect(server.port) as client:
        assert client.recv(100) == b""


def test_a_stream_without_its_pool_is_an_error(command, tmp_path):
    conf = tmp_path / "petrel.conf"
    conf.write_text("listen 127.0.0.1:8080 stream databases;\nsite * { route * { respond 200 x; } }\n")
    result = command("check", "-c", conf)
    assert result.returncode == 1
    assert "there is no pool or app of this name" in result.stderr
    assert "pool databases { server" in result.stderr
