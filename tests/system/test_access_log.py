"""The access log: its lines, its files, and what happens to them."""

import json
import re
import signal

import pytest
from conftest import wait_for

pytestmark = pytest.mark.threads

COMBINED = re.compile(r'^127\.0\.0\.1 - - \[\d\d/\w{3}/\d{4}:\d\d:\d\d:\d\d \+0000\] "([^"]*)" (\d+) (\d+) "([^"]*)" "([^"]*)"$')


def lines_of(path, count):
    """The lines of a log once there are so many: they are written a moment after their answers."""
    def enough():
        lines = path.read_text().splitlines() if path.exists() else []
        return lines if len(lines) >= count else None
    return wait_for(enough, f"{count} lines in {path}")


def test_combined(petrel):
    server = petrel("""
        loops 1;  # else lines come in any order
            listen 127.0.0.1:{port};
        access_log {dir}/access.log;
        site * { route /quiet { access_log off; respond 200; } route * { respond 200 "hello"; } }
    """)
    server.request("/a?b", headers={"User-Agent": 'x"y\\z', "Referer": "http://r/"})
    server.request("/quiet")
    server.request("/%7e", method="HEAD")
    with server.connect() as s:
        s.sendall(b"GET /\x01 HTTP/1.1\r\nHost: a\r\n\r\n")
        s.recv(1000)
    lines = [COMBINED.match(line) for line in lines_of(server.dir / "access.log", 3)]
    assert all(lines)
    assert lines[0].groups() == ("GET /a?b HTTP/1.1", "200", "5", "http://r/", "x\\x22y\\x5Cz")
    assert lines[1].group(1, 2, 3) == ("HEAD /%7e HTTP/1.1", "200", "0")
    assert lines[2].group(2) == "400"
    assert (server.dir / "access.log").stat().st_mode & 0o777 == 0o640


def test_json_says_who_ended_it_and_why(petrel):
    server = petrel("""
        listen 127.0.0.1:{port};
        limits { header_timeout 200ms; send_timeout 300ms; }
        access_log {dir}/access.log json;
        site * { root {dir}; route * { files; } }
    """)
    (server.dir / "large").write_bytes(b"x" * 30_000_000)
    with server.connect() as late:
        late.sendall(b"GET / HTTP/1.1\r\n")
        assert late.recv(100).startswith(b"HTTP/1.1 408")
    with server.connect() as silent:
        silent.sendall(b"GET /large HTTP/1.1\r\nHost: a\r\n\r\n")
        entries = [json.loads(line) for line in lines_of(server.dir / "access.log", 2)]
    with server.connect() as gone:
        gone.sendall(b"GET /large HTTP/1.1\r\nHost: a\r\n\r\n")
        gone.recv(10)
    entries = [json.loads(line) for line in lines_of(server.dir / "access.log", 3)]
    assert [e["end"] for e in entries] == ["header_timeout", "send_timeout", "client"]
    assert [e["status"] for e in entries] == [408, 200, 200]
    assert 0 < entries[1]["body_bytes"] < 30_000_000 and entries[1]["target"] == "/large"
    assert entries[1]["time_total"] >= 0.25
    assert len({e["id"] for e in entries}) == 3


def test_own_format_and_standard_output(petrel):
    server = petrel("""
        listen 127.0.0.1:{port};
        log_format brief "$method $path $status $sent_x_y $end";
        site * { access_log stdout brief; header X-Y z; route * { respond 204; } }
    """)
    server.request("/a b".replace(" ", "%20"))
    wait_for(lambda: server.stdout == "GET /a b 204 z done\n", "its line")


def test_sites_share_a_file_and_reopen_it(petrel):
    server = petrel("""
        listen 127.0.0.1:{port};
        site one { access_log {dir}/access.log common; route * { respond 200; } }
        site two { access_log {dir}/access.log common; route * { respond 200; } }
    """)
    log = server.dir / "access.log"
    for host in ("one", "two"):
        server.request("/" + host, headers={"Host": host})
    assert len(lines_of(log, 2)) == 2
    log.rename(server.dir / "access.log.1")
    server.signal(signal.SIGUSR1)
    wait_for(log.exists, "the new file")
    server.request("/new", headers={"Host": "two"})
    assert "/new" in lines_of(log, 1)[0]
    assert len((server.dir / "access.log.1").read_text().splitlines()) == 2


def test_a_reload_changes_the_log(petrel):
    conf = """
        listen 127.0.0.1:{port};
        access_log {dir}/one.log common;
        site * { route * { respond 200; } }
    """
    server = petrel(conf)
    server.request("/a")
    lines_of(server.dir / "one.log", 1)
    for i in range(5):
        server.reload(conf.replace("one.log", f"two{i}.log"))
        server.request("/b")
        assert "/b" in lines_of(server.dir / f"two{i}.log", 1)[0]
    assert len((server.dir / "one.log").read_text().splitlines()) == 1


@pytest.mark.parametrize("line, says", [
    ("access_log {dir}/x.log bogus;", 'there is no log format "bogus"'),
    ('log_format a "$nope";', "no variable"),
    ('log_format combined "$host";', "built in"),
    ('log_format a "1"; log_format a "2";', "already"),
])
def test_what_is_refused(command, tmp_path, line, says):
    conf = tmp_path / "petrel.conf"
    conf.write_text("listen 127.0.0.1:1;\n" + line.replace("{dir}", str(tmp_path)) + "\nsite * { route * { respond 200; } }\n")
    done = command("check", "-c", conf)
    assert done.returncode == 1 and says in done.stdout + done.stderr
