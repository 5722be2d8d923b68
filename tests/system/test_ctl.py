"""petrel ctl: a running server seen and changed from a terminal."""

import json
import os
import pty
import re
import subprocess
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest
from conftest import BINARY, wait_for
from test_operator import Unix

CONF = """
loops 2;
listen 127.0.0.1:{port};
admin unix:{dir}/admin.sock;
access_log {dir}/access.log;
site * {{ route /api/* {{ proxy api; }} route * {{ respond 200 fine; }} }}
pool api {{ {servers} keepalive 4; }}
"""


class Backend:
    """An HTTP server that answers with its name, and counts."""

    def __init__(self, name):
        self.count = 0

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_GET(handler):
                self.count += 1
                handler.send_response(200)
                handler.send_header("Content-Length", str(len(name)))
                handler.end_headers()
                handler.wfile.write(name.encode())

            def log_message(handler, *args):
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.server.daemon_threads = True
        self.address = f"127.0.0.1:{self.server.server_port}"
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def stop(self):
        self.server.shutdown()
        self.server.server_close()


@pytest.fixture
def backends():
    both = [Backend("one"), Backend("two")]
    yield both
    for one in both:
        one.stop()


@pytest.fixture
def ctl(command):
    """ctl(server, "pool", "api"): what it printed; it has to end with this status."""
    def run(server, *words, status=0, **kwargs):
        done = command("ctl", "--socket", server.dir / "admin.sock", *words, **kwargs)
        assert done.returncode == status, (done.stdout, done.stderr)
        return done.stderr if status else done.stdout
    return run


def conf(*backends, more=""):
    return CONF.format(port="{port}", dir="{dir}", servers=" ".join(f"server {b.address};" for b in backends)) + more


def names(server, count=20):
    return {server.request("/api/x").body.decode() for _ in range(count)}


def states(ctl, server):
    pool = json.loads(ctl(server, "--json", "pool", "api"))
    return {s["server"]: s["states"][0] for s in pool["servers"]}


@pytest.mark.threads
def test_a_server_is_drained_put_down_and_ready_again(petrel, ctl, backends):
    one, two = backends
    server = petrel(conf(one, two))
    assert names(server) == {"one", "two"}
    assert ctl(server, "server", "api", one.address, "drain") == f"pool api: {one.address} drains\n"
    assert names(server) == {"two"}
    assert states(ctl, server) == {one.address: "drain", two.address: "ready"}
    ctl(server, "server", "api", two.address, "down")
    assert server.request("/api/x").status == 503
    ctl(server, "server", "api", one.address, "ready")
    assert names(server) == {"one"}
    ctl(server, "server", "api", two.address, "ready")
    assert names(server) == {"one", "two"}
    assert ctl(server, "server", "api", one.address, "weight", "5") == f"pool api: {one.address} has weight 5\n"
    assert re.search(rf"{one.address} +ready +5 ", ctl(server, "pool", "api"))


@pytest.mark.threads
def test_servers_come_and_go(petrel, ctl, backends):
    one, two = backends
    server = petrel(conf(one))
    said = ctl(server, "pool", "api", "add", two.address, "weight", "2", "connections", "9")
    assert said.split() == f"pool api: {two.address} was added with weight 2 and at most 9 connections".split()
    assert names(server) == {"one", "two"}
    assert "is in the pool api already" in ctl(server, "pool", "api", "add", two.address, status=1)
    ctl(server, "pool", "api", "remove", one.address)
    assert names(server) == {"two"}
    # As it is configured, after a reload; but what was to be kept stays.
    server.reload()
    assert names(server) == {"one"}
    assert "kept" in ctl(server, "--keep", "pool", "api", "add", two.address)
    server.reload()
    assert names(server) == {"one", "two"}


def test_what_is_wrong_is_said(petrel, ctl, backends):
    server = petrel(conf(backends[0]))
    assert ctl(server, "pool", "apj", status=1) == 'petrel ctl: there is no pool "apj"; there are: api\n'
    assert 'there is no server "127.0.0.1:1"' in ctl(server, "server", "api", "127.0.0.1:1", "drain", status=1)
    assert "there is no app \"php\"; there is none at all" in ctl(server, "app", "php", "restart", status=1)
    assert "without a scheme" in ctl(server, "pool", "api", "add", "http://a", status=1)
    assert "from 1 to 256" in ctl(server, "server", "api", backends[0].address, "weight", "1000", status=1)
    assert 'did you mean "pools"?' in ctl(server, "pols", status=2)
    assert "--keep goes with changes of servers and settings" in ctl(server, "--keep", "reload", status=2)
    assert json.loads(ctl(server, "--json", "pools"))["pools"][0]["name"] == "api"
    assert ctl(server, "changes") == "no changes\n"


def test_changes_are_listed(petrel, ctl, backends):
    one = backends[0]
    server = petrel(conf(one))
    ctl(server, "server", "api", one.address, "drain")
    ctl(server, "reload")
    changes = json.loads(ctl(server, "--json", "changes"))["changes"]
    assert [c["did"] for c in changes] == [f"pool api: {one.address} drains", "the configuration was read again"]
    assert all(c["uid"] == os.getuid() and c["pid"] > 0 for c in changes)
    assert re.match(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ  \w+ +pool api: ", ctl(server, "changes"))


def test_a_reload_by_a_signal_is_a_change(petrel, ctl, backends):
    server = petrel(conf(backends[0]))
    server.reload("nonsense;", works=False)
    assert ctl(server, "changes") == "no changes\n"
    server.reload(conf(backends[0]))
    changes = json.loads(wait_for(lambda: "SIGHUP" in ctl(server, "changes") and ctl(server, "--json", "changes"), "it"))
    assert [c["did"] for c in changes["changes"]] == ["the configuration was read again, after SIGHUP"]
    assert (changes["changes"][0]["uid"], changes["changes"][0]["pid"]) == (os.getuid(), os.getpid())


@pytest.mark.threads
def test_log_reopen(petrel, ctl, backends):
    server = petrel(conf(backends[0]))
    log = server.dir / "access.log"
    server.request("/")
    wait_for(lambda: log.exists() and log.read_text(), "a line in the log")
    log.rename(server.dir / "access.log.1")
    assert ctl(server, "log", "reopen") == "the logs are opened anew\n"
    wait_for(log.exists, "a new log")
    server.request("/")
    wait_for(log.read_text, "a line in the new log")


def test_the_server_in_a_few_lines(petrel, ctl, backends):
    server = petrel(conf(*backends))
    server.request("/api/x")
    assert re.search(r"^requests +\d+ in all, 0 unanswered, 0 shed$", ctl(server, "status"), re.M)
    assert ctl(server, "connections").startswith("connections")
    assert ctl(server, "apps") == "no apps\n"
    assert re.search(r"^api +pool +http +2 of 2 ", ctl(server, "pools"), re.M)
    for words in (["status"], ["pools"], ["pool", "api"]):
        assert all(len(line) <= 80 for line in ctl(server, *words).splitlines())


def test_reload_says_what_petrel_reload_says(petrel, ctl, backends):
    server = petrel(conf(backends[0]))
    assert ctl(server, "reload") == "reloaded\n"
    server.write_conf(conf(backends[0], more="nonsense;\n"))
    said = ctl(server, "reload", status=1)
    assert 'unknown directive "nonsense"' in said and "everything is as it was" in said


def test_ways_to_name_the_socket(petrel, command, backends, tmp_path):
    server = petrel(conf(backends[0]))
    assert command("ctl", "-c", server.conf_file, "pools").returncode == 0
    # A configuration that is wrong elsewhere still says where the server is.
    server.write_conf(conf(backends[0], more="nonsense { "))
    assert command("ctl", "-c", server.conf_file, "pools").returncode == 0
    env = {**os.environ, "PETREL_ADMIN": str(server.dir / "admin.sock")}
    assert command("ctl", "pools", env=env).returncode == 0
    assert command("ctl", "pools", env={**env, "PETREL_ADMIN": f"unix:{server.dir}/admin.sock"}).returncode == 0
    done = command("ctl", "pools", env={**env, "PETREL_ADMIN": str(tmp_path / "none")})
    assert done.returncode == 1 and "no server runs there" in done.stderr
    included = tmp_path / "outer.conf"
    included.write_text(f"include {server.conf_file};\n")
    assert command("ctl", "-c", included, "pools").returncode == 0
    included.write_text("site * { route * { respond 200; } }\n")
    assert "names no admin socket" in command("ctl", "-c", included, "pools").stderr


def test_colours_on_a_terminal_only(petrel, backends):
    server = petrel(conf(backends[0]))

    def on_terminal(**env):
        ours, theirs = pty.openpty()
        subprocess.run([BINARY, "ctl", "--socket", server.dir / "admin.sock", "pools"], stdout=theirs, check=True,
                       env={**os.environ, **env})
        os.close(theirs)
        text = b""
        try:
            while piece := os.read(ours, 4096):
                text += piece
        except OSError:  # the other end is closed
            pass
        os.close(ours)
        return text

    assert b"\033[32m1 of 1\033[0m" in on_terminal(NO_COLOR="")
    assert b"\033" not in on_terminal(NO_COLOR="1")


def test_a_body_that_is_too_large(petrel, backends):
    server = petrel(conf(backends[0]))
    connection = Unix(server.dir / "admin.sock")
    connection.request("POST", "/pools/api/servers", body=b" " * 100000)
    assert connection.getresponse().status == 413
    connection.close()
    connection = Unix(server.dir / "admin.sock")
    connection.request("POST", "/pools/api/servers", body=iter([b'{"server":"127.', b'0.0.1:9"}']), encode_chunked=True,
                       headers={"Transfer-Encoding": "chunked"})
    answer = connection.getresponse()
    assert (answer.status, json.loads(answer.read())["ok"]) == (200, True)
    connection.close()


@pytest.mark.threads
def test_clients_that_leave_before_their_answer(petrel, ctl, backends):
    server = petrel(conf(backends[0]))
    for _ in range(30):
        connection = Unix(server.dir / "admin.sock")
        connection.request("GET", "/pools")
        connection.close()
    for _ in range(30):
        connection = Unix(server.dir / "admin.sock")
        connection.putrequest("POST", "/pools/api/servers")
        connection.putheader("Content-Length", "100")
        connection.endheaders(b'{"server":')
        connection.close()
    assert names(server) == {"one"}
    assert len(json.loads(ctl(server, "--json", "pool", "api"))["servers"]) == 1


def start_app(petrel, processes):
    """A petrel with an application, which answers."""
    server = petrel("""
listen 127.0.0.1:{port};
admin unix:{dir}/admin.sock;
site * { route * { proxy web; } }
app web { command "exec python3 -m http.server --bind 127.0.0.1 $PORT"; protocol http; processes COUNT; folder {dir}; }
""".replace("COUNT", processes))
    wait_for(lambda: server.request("/").status == 200, "the application")
    return server


@pytest.mark.threads
def test_applications_are_shown_and_restarted(petrel, ctl):
    server = start_app(petrel, "1..2")
    assert re.search(r"^web +1 of 1 +1\.\.2 ", ctl(server, "apps"), re.M)
    before = json.loads(ctl(server, "--json", "app", "web"))["processes"][0]["pid"]
    assert re.search(rf"^web/\d+ +{before} +ready ", ctl(server, "app", "web"), re.M)
    assert ctl(server, "app", "web", "restart") == "app web: restarts, one process after the other\n"

    def restarted():
        assert server.request("/").status == 200
        processes = json.loads(ctl(server, "--json", "app", "web"))["processes"]
        return [p for p in processes if p["state"] == "ready" and p["pid"] != before] and len(processes) == 1
    wait_for(restarted, "another process alone")
    assert "is an app" in ctl(server, "pool", "web", "remove", "web/1", status=1)
    assert re.search(r"^web +app +http +1 of 1 ", ctl(server, "pools"), re.M)
