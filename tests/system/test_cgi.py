"""CGI programs: what they are told, what becomes of what they say, and that they end."""

import os
import time

import pytest

from conftest import alive, wait_for
from test_apps import Load, children, no_failure, site, zombies  # noqa: F401 (a fixture)

CONF = """
listen 127.0.0.1:{port};
loops 2;
cgi_processes 4;
error_log stderr info;
direct { queue 100 timeout 20s; }
site * { root {dir}; route /cgi/* { cgi { timeout 2s; param COLOUR "light blue"; APPS } } route * { files; } }
"""
PROGRAMS = {
    "env": "echo 'Content-Type: text/plain'; echo; env; pwd; cat",
    "status": "printf 'Status: 404 Gone fishing\\r\\nX-Own: yes\\r\\nContent-Type: text/plain\\r\\n\\r\\nnothing'",
    "local": "printf 'Location: /cgi/env?moved=1\\n\\n'",
    "away": "printf 'Location: http://example.org/\\n\\n'",
    "nph-own": "printf 'HTTP/1.1 200 OK\\r\\nContent-Type: text/plain\\r\\n\\r\\nx'",
    "dies": "kill -9 $$",
    "silent": "exit 0",
    "complains": "echo 'no such table' >&2; printf 'Content-Type: text/plain\\n\\nfine\\n'",
    "slow": "printf 'Content-Type: text/plain\\n\\n'; sleep 0.3; echo $$",
    "forever": "trap '' TERM; while :; do sleep 1; done",
    "ignores": "exec <&-; printf 'Content-Type: text/plain\\n\\nunread\\n'",
    "leaves": "sleep 100 & printf 'Content-Type: text/plain\\n\\nleft\\n'",
    "endless": "printf 'Content-Type: text/plain\\n\\n'; exec yes",
}


@pytest.fixture
def cgi(site):
    def start(more=""):
        one = site(more, wait=False, conf=CONF)
        folder = one.dir / "cgi"
        folder.mkdir()
        for name, text in PROGRAMS.items():
            (folder / name).write_text(f"#!/bin/sh\n{text}\n")
            (folder / name).chmod(0o755)
        (folder / "data.txt").write_text("not executable\n")
        (folder / "outside").symlink_to("/bin/ls")
        (folder / "orphan").write_text("#!/no/such/interpreter\n")
        (folder / "orphan").chmod(0o755)
        return one.wait_ready()
    return start


def variables(answer):
    return dict(line.split("=", 1) for line in answer.body.decode().splitlines() if "=" in line)


def test_what_a_program_is_told(cgi):
    one = cgi()
    answer = one.request("/cgi/env/more%20path?a=1&b", method="POST", body=b"body=here",
                         headers={"Content-Type": "text/x", "X-Some-Field": "v", "Proxy": "evil"})
    told = variables(answer)
    expected = {"REQUEST_METHOD": "POST", "SCRIPT_NAME": "/cgi/env", "PATH_INFO": "/more path",
                "PATH_TRANSLATED": f"{one.dir}/more path", "QUERY_STRING": "a=1&b", "CONTENT_LENGTH": "9",
                "CONTENT_TYPE": "text/x", "HTTP_X_SOME_FIELD": "v", "GATEWAY_INTERFACE": "CGI/1.1",
                "SCRIPT_FILENAME": f"{one.dir}/cgi/env", "COLOUR": "light blue", "REMOTE_ADDR": "127.0.0.1", "body": "here"}
    assert {name: told.get(name) for name in expected} == expected
    assert "HTTP_PROXY" not in told and "NOTIFY_SOCKET" not in told
    assert f"{one.dir}/cgi" in answer.body.decode().splitlines()


def test_a_body_of_unknown_length(cgi):
    one = cgi()
    with one.connect() as client:
        client.sendall(b"POST /cgi/env HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\nConnection: close\r\n\r\n"
                       b"3\r\nabc\r\n0\r\n\r\n")
        got = b"".join(iter(lambda: client.recv(65536), b""))
    assert b"CONTENT_LENGTH=3\n" in got and b"abc" in got


@pytest.mark.parametrize("target, status, text", [
    ("status", 404, b"nothing"),
    ("local", 200, b"QUERY_STRING=moved=1"),
    ("away", 302, b""),
    ("nph-own", 502, b""),
    ("dies", 502, b""),
    ("silent", 502, b""),
    ("complains", 200, b"fine"),
    ("ignores", 200, b"unread"),
    ("leaves", 200, b"left"),
    ("data.txt", 403, b""),
    ("outside", 404, b""),
    ("missing", 404, b""),
    ("", 404, b""),
    ("forever", 502, b""),
])
def test_answers(cgi, target, status, text):
    one = cgi()
    answer = one.request(f"/cgi/{target}", method="POST" if target == "ignores" else "GET",
                         body=b"x" * 300000 if target == "ignores" else None)
    assert answer.status == status and text in answer.body
    wait_for(lambda: not children(one.spawner), "the program's end")
    assert not zombies(one.pid)


def test_its_standard_error_is_in_the_log(cgi):
    one = cgi()
    one.request("/cgi/complains")
    one.wait_said(r"cgi /cgi/complains\[\d+\]: no such table")


def test_one_that_can_not_be_run(cgi):
    """It is there: its operator is told what it lacks."""
    one = cgi()
    assert one.request("/cgi/orphan").status == 500
    one.wait_said(r"cgi: /cgi/orphan could not be started: can't run .*/cgi/orphan \(No such file or directory\)")
    assert one.request("/cgi/status").status == 404


def test_a_timeout_is_said(cgi):
    one = cgi()
    one.request("/cgi/forever")
    one.wait_said(r"cgi: /cgi/forever \(process \d+\) ran for 2000 ms, longer than its timeout")


@pytest.mark.threads
def test_so_many_at_a_time(cgi):
    one = cgi()
    most = 0
    with Load(one, "/cgi/slow", clients=12) as load:
        end = time.monotonic() + 2
        while time.monotonic() < end:
            most = max(most, len(children(one.spawner)))
            time.sleep(0.02)
        no_failure(load, 12)
    # A program that has answered may still be ending while the next one begins.
    assert 4 <= most <= 8


@pytest.mark.threads
def test_a_client_that_leaves_ends_its_program(cgi):
    one = cgi()
    with one.connect() as client:
        client.sendall(b"GET /cgi/endless HTTP/1.1\r\nHost: a\r\n\r\n")
        client.recv(1000)
        running = wait_for(lambda: children(one.spawner), "the program")
    wait_for(lambda: not any(map(alive, running)), "its end")


@pytest.mark.threads
def test_a_stop_ends_programs(cgi):
    one = cgi()
    client = one.connect()
    client.sendall(b"GET /cgi/forever HTTP/1.1\r\nHost: a\r\n\r\n")
    running = wait_for(lambda: children(one.spawner), "the program")
    one.stop()
    assert not any(map(alive, running))
    client.close()


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can start processes as someone else")
def test_user_and_limits(cgi):
    one = cgi("user nobody; descriptors 33;")
    assert variables(one.request("/cgi/env"))["USER"] == "nobody"
    (one.dir / "cgi/limits").write_text("#!/bin/sh\necho 'Content-Type: text/plain'; echo; ulimit -n; id -u\n")
    (one.dir / "cgi/limits").chmod(0o755)
    assert one.request("/cgi/limits").body == b"33\n65534\n"
