"""What whoever runs the server relies on: reloads that say what is wrong, counters and downloads that outlive them, the
hot list, logs on a full disk, a drain that says what it cut."""

import http.client
import json
import os
import socket
import threading

import pytest
from conftest import wait_for

pytestmark = pytest.mark.threads

CONF = """
loops 2;
listen 127.0.0.1:{port};
admin unix:{dir}/admin.sock;
site * { root {dir}; route * { files; throttle 2m; } }
"""
PATTERN = os.urandom(1 << 16)


class Unix(http.client.HTTPConnection):
    def __init__(self, path):
        super().__init__("admin")
        self.path = str(path)

    def connect(self):
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.settimeout(10)
        self.sock.connect(self.path)


def admin(server, method, target):
    connection = Unix(server.dir / "admin.sock")
    try:
        connection.request(method, target)
        answer = connection.getresponse()
        return answer.status, answer.read()
    finally:
        connection.close()


def status(server):
    code, text = admin(server, "GET", "/status.json")
    assert code == 200
    return json.loads(text)


def test_reload_tells_the_caller(petrel, command):
    server = petrel(CONF)
    server.write_conf(CONF + "limits { header 20k; }\n")
    done = command("reload", "-c", server.conf_file)
    assert (done.returncode, done.stdout) == (0, "reloaded\n"), done.stderr
    assert status(server)["configuration"]["generation"] == 2
    # Nothing is asked of the server for what is wrong here already ...
    server.write_conf(CONF + "\nlimits { heder 20k; }\n")
    done = command("reload", "-c", server.conf_file)
    assert done.returncode == 1
    assert 'petrel.conf:7:10: error: unknown directive "heder"' in done.stderr and 'mean "header"' in done.stderr
    # ... and what only the server can find out, it says.
    server.write_conf(CONF + "listen 192.0.2.1:80;\n")
    done = command("reload", "-c", server.conf_file)
    assert done.returncode == 1
    assert "192.0.2.1:80 is no address of this machine" in done.stderr and "everything is as it was" in done.stderr
    assert status(server)["configuration"]["generation"] == 2


def test_reload_without_a_way_to_the_server(petrel, command, tmp_path):
    server = petrel(CONF.replace("admin unix:{dir}/admin.sock;", ""))
    done = command("reload", "-c", server.conf_file)
    assert done.returncode == 1 and "names no admin socket" in done.stderr
    (tmp_path / "petrel.conf").write_text(f"admin unix:{tmp_path}/none.sock;\nsite * {{ route * {{ respond 200; }} }}\n")
    done = command("reload", "-c", tmp_path / "petrel.conf")
    assert done.returncode == 1 and "no answer on the admin socket: No such file" in done.stderr


def test_the_admin_socket_is_the_owners(petrel):
    server = petrel(CONF)
    assert (server.dir / "admin.sock").stat().st_mode & 0o777 == 0o600
    assert admin(server, "GET", "/reload")[0] == 405
    assert admin(server, "POST", "/status.json")[0] == 405
    assert admin(server, "GET", "/petrel.conf")[0] == 404  # no site's files


def test_a_download_goes_on_over_reloads(petrel):
    server = petrel(CONF)
    (server.dir / "large").write_bytes(PATTERN * 48)
    connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=20)
    connection.request("GET", "/large")
    answer = connection.getresponse()
    got = answer.read(100000)
    for n in range(5):
        server.reload(CONF + f"limits {{ header {10 + n}k; }}\n")
        got += answer.read(100000)
    # The old configurations are kept for this one request, and no longer.
    assert status(server)["configuration"]["snapshots"] == 2
    assert got + answer.read() == PATTERN * 48
    connection.close()
    wait_for(lambda: status(server)["configuration"]["snapshots"] == 1, "the old snapshot's end")


def test_counters_and_hot_set_outlive_a_reload(petrel):
    server = petrel(CONF)
    (server.dir / "a").write_bytes(b"a")
    for _ in range(7):
        assert server.request("/a").body == b"a"
    before = status(server)
    assert before["requests"]["2xx"] >= 7 and before["hot"]["objects"] >= 1
    server.reload(CONF + "limits { header 20k; }\n")
    after = status(server)
    assert after["requests"]["2xx"] >= before["requests"]["2xx"]
    assert after["hot"]["objects"] >= before["hot"]["objects"]
    misses = after["hot"]["misses"]
    assert server.request("/a").body == b"a"
    assert status(server)["hot"]["misses"] == misses


def test_ten_thousand_sites_come_and_go(petrel):
    server = petrel(CONF)
    sites = "".join(f"site s{n}.example.org {{ root {{dir}}; route = /n {{ respond 200 \"{n}\"; }} route * {{ files; }} }}\n"
                    for n in range(10000))
    server.reload(CONF + sites)
    for n in (0, 4711, 9999):
        assert server.request("/n", headers={"Host": f"s{n}.example.org"}).body == str(n).encode()
    server.reload(CONF)
    assert server.request("/n", headers={"Host": "s1.example.org"}).status == 404
    wait_for(lambda: status(server)["configuration"]["snapshots"] == 1, "the large snapshot's end")


def test_what_was_hot_is_warmed(petrel):
    conf = CONF + "hot { list {dir}/hot.list; warm 1000; }\n"
    first = petrel(conf)
    names = [f"file-{n}" for n in range(20)]
    for name in names:
        (first.dir / name).write_text(name)
        assert first.request("/" + name).status == 200
    first.stop()
    written = (first.dir / "hot.list").read_text().splitlines()
    assert {line.split(" ", 1)[1] for line in written[1:]} == {"/" + name for name in names}
    # A list that was cut short or damaged is as good as what is left of it.
    (first.dir / "hot.list").write_text("\n".join(written + ["zzz", "0123456789abcdef /nowhere", written[1][:9]]))
    second = petrel(conf.replace("{dir}", str(first.dir)))
    wait_for(lambda: json.loads(admin(first, "GET", "/status.json")[1])["hot"]["objects"] >= len(names), "warm files")
    assert json.loads(admin(first, "GET", "/status.json")[1])["requests"]["2xx"] <= 5  # none but our own questions
    assert second.request("/file-7").body == b"file-7"


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="no /dev/full here")
def test_a_full_log_disk_stops_nothing(petrel):
    server = petrel(CONF + "access_log /dev/full;\n")
    (server.dir / "a").write_bytes(b"a")
    for _ in range(300):
        assert server.request("/a").body == b"a"
    server.wait_said("log /dev/full: No space left on device; lines are lost")
    wait_for(lambda: status(server)["log"]["write_errors"] > 0, "lost lines being counted")
    # Said now and then, not for each line.
    assert server.stderr.count("No space left") < 10


def test_a_drain_says_what_it_cut(petrel):
    server = petrel(CONF + "drain_timeout 300ms;\n")
    (server.dir / "large").write_bytes(PATTERN * 100)
    connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=20)
    connection.request("GET", "/large")
    answer = connection.getresponse()
    answer.read(1000)
    threading.Timer(0.1, server.signal, [3]).start()
    assert server.wait_end() == 0
    assert "stopped with 1 request under way, cut off by drain_timeout" in server.stderr
    with pytest.raises((http.client.IncompleteRead, ConnectionError)):
        answer.read()
