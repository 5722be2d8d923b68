"""What petrel says of itself in numbers: the Prometheus text, /status.json, the Munin plugin, the dashboard."""

import http.client
import json
import os
import re
import socket
import subprocess
from pathlib import Path

import pytest
from conftest import BINARY, free_port, wait_for
from test_operator import admin, status

TREE = Path(__file__).parents[2]
CONF = """
loops 2;
listen 127.0.0.1:{port};
admin unix:{dir}/admin.sock;
long_turn 20ms;
pool api { server 127.0.0.1:1; }
site example.org *.example.org {
    root {dir};
    route /api/* { proxy api; }
    route "/we\\"ird\\\\ ü*" { respond 200 x; }
    route * { respond 200 "fine\\n"; }
}
"""


def metrics(server):
    code, text = admin(server, "GET", "/metrics")
    assert code == 200
    return text.decode()


def value(text, series):
    """Of one series, named as it is printed."""
    found = re.findall(rf"^{re.escape(series)} (\S+)$", text, re.M)
    assert len(found) == 1, f"{series}: {found}"
    return float(found[0])


def ask(server, target, count=1):
    """Until the answers are counted, too: a loop does that once they are sent."""
    def counted():
        return value(metrics(server), "petrel_request_duration_seconds_count")

    before = counted()
    for _ in range(count):
        server.request(target, headers={"Host": "example.org"})
    wait_for(lambda: counted() == before + count, "the requests to be counted")


def test_metrics_are_what_prometheus_reads(petrel):
    server = petrel(CONF)
    ask(server, "/", 3)
    ask(server, "/api/x")
    text = metrics(server)
    done = subprocess.run(["promtool", "check", "metrics"], input=text, capture_output=True, text=True, timeout=60)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


@pytest.mark.threads
def test_what_is_counted(petrel):
    server = petrel(CONF)
    ask(server, "/", 3)
    ask(server, "/api/x", 2)
    text = metrics(server)
    assert value(text, 'petrel_route_requests_total{site="example.org",route="*",class="2xx"}') == 3
    assert value(text, 'petrel_route_requests_total{site="example.org",route="/api/*",class="5xx"}') == 2
    assert value(text, 'petrel_requests_total{class="2xx"}') == 3
    assert value(text, 'petrel_route_duration_seconds_count{site="example.org",route="*"}') == 3
    assert value(text, 'petrel_route_duration_seconds_bucket{site="example.org",route="*",le="+Inf"}') == 3
    assert value(text, 'petrel_pool_answers_total{pool="api",class="unanswered"}') >= 2
    assert value(text, "petrel_request_duration_seconds_count") == 5
    assert value(text, "process_open_fds") > 5
    # The same counts go on after a reload, and what the operator asks is not counted.
    server.reload()
    ask(server, "/")
    text = metrics(server)
    assert value(text, 'petrel_route_requests_total{site="example.org",route="*",class="2xx"}') == 4
    assert value(text, "petrel_config_generation") == 2
    assert status(server)["requests"]["all"] == 6


def test_names_are_escaped(petrel):
    server = petrel(CONF)
    ask(server, "/we%22ird%5C%20%C3%BC")
    text = metrics(server)
    assert value(text, 'petrel_route_requests_total{site="example.org",route="/we\\"ird\\\\ ü*",class="2xx"}') == 1
    routes = status(server)["routes"]
    assert [r["2xx"] for r in routes if r["route"] == '/we"ird\\ ü*'] == [1]


def test_bounded_however_many_routes(petrel):
    """What has no number of its own is counted with the rest."""
    routes = "".join(f"route /r{i} {{ respond 200 x; }}\n" for i in range(1500))
    server = petrel(CONF.replace("    route /api", routes + "    route /api", 1))
    ask(server, "/r0")
    ask(server, "/r1499", 2)
    text = metrics(server)
    assert value(text, 'petrel_route_requests_total{site="example.org",route="/r0",class="2xx"}') == 1
    assert value(text, 'petrel_route_requests_total{site="",route="",class="2xx"}') == 2
    assert text.count("petrel_route_duration_seconds_count{") < 1025


@pytest.mark.threads
def test_connections_by_state(petrel):
    server = petrel(CONF)
    idle = [http.client.HTTPConnection("127.0.0.1", server.port) for _ in range(3)]
    for c in idle:
        c.request("GET", "/", headers={"Host": "example.org"})
        c.getresponse().read()

    def is_idle():
        return value(metrics(server), 'petrel_connections{state="idle"}') == 3

    wait_for(is_idle, "three idle connections")
    for c in idle:
        c.close()
    wait_for(lambda: value(metrics(server), 'petrel_connections{state="idle"}') == 0, "their end")


@pytest.mark.threads
def test_a_request_that_holds_up_its_loop_is_named(petrel):
    """By expressions that nobody should write, each of which is given up after a millisecond or so."""
    bad = "".join(f'route ~ "^/(a|aa)+{i}$" {{ respond 404; }}\n' for i in range(200))
    server = petrel(CONF.replace("    route /api", bad + "    route /a*9 { respond 200; }\n    route /api", 1))
    assert server.request("/" + 60 * "a" + "-0123456789", headers={"Host": "example.org"}).status == 200
    said = r"one request held up loop \d for \d+ ms: GET /a+-0123456789 \(route /a\*9, request [0-9a-f]{16}\)"
    server.wait_said(said)

    def over_loops(of, name):
        text = metrics(server)
        return of(value(text, f'{name}{{loop="{i}"}}') for i in range(2))

    # The turn ends after what held it up was named.
    wait_for(lambda: over_loops(max, "petrel_loop_longest_turn_seconds") >= 0.02, "the turn's end")
    assert over_loops(sum, "petrel_loop_busy_seconds_total") >= 0.02


# Where munin-node looks for its plugins is compiled in: it is told otherwise from inside.
MUNIN = """
use Munin::Common::Defaults;
BEGIN {
    $Munin::Common::Defaults::MUNIN_CONFDIR = $Munin::Common::Defaults::MUNIN_STATEDIR
        = $Munin::Common::Defaults::MUNIN_PLUGSTATE = shift;
}
@ARGV = ("--config", "$Munin::Common::Defaults::MUNIN_CONFDIR/node.conf");
do "/usr/sbin/munin-node";
main();
"""


# A disk as it fails: what the kernel can't read of a file is an input/output error, once it tried.
FAILING = r"""
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/uio.h>
#include <unistd.h>

static int fails(int fd)
{
	char link[32], path[4096];
	snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
	ssize_t n = readlink(link, path, sizeof path - 1);
	return n > 4 && !memcmp(path + n - 4, ".bad", 4);
}

ssize_t preadv2(int fd, const struct iovec *v, int n, off_t at, int flags)
{
	ssize_t (*next)(int, const struct iovec *, int, off_t, int) = dlsym(RTLD_NEXT, "preadv2");
	if (!fails(fd))
		return next(fd, v, n, at, flags);
	errno = flags & RWF_NOWAIT ? EAGAIN : EIO;
	return -1;
}

ssize_t pread(int fd, void *p, size_t n, off_t at)
{
	ssize_t (*next)(int, void *, size_t, off_t) = dlsym(RTLD_NEXT, "pread");
	return fails(fd) ? (errno = EIO, -1) : next(fd, p, n, at);
}

ssize_t pread64(int fd, void *p, size_t n, off_t at)
{
	return pread(fd, p, n, at);
}

ssize_t preadv64v2(int fd, const struct iovec *v, int n, off_t at, int flags)
{
	return preadv2(fd, v, n, at, flags);
}
"""


@pytest.mark.skipif("asan" in str(BINARY) or "tsan" in str(BINARY), reason="the sanitizers want to be loaded first")
def test_a_disk_that_fails_is_counted_and_told_of(petrel, tmp_path):
    (tmp_path / "failing.c").write_text(FAILING)
    subprocess.run(["gcc", "-shared", "-fPIC", "-o", tmp_path / "failing.so", tmp_path / "failing.c", "-ldl"], check=True)
    server = petrel("disk { engine threads; }\n" + CONF.replace("route * { respond", "route /file* { files; } route * { respond"),
                    env={**os.environ, "LD_PRELOAD": str(tmp_path / "failing.so")})
    (server.dir / "file.good").write_text("good")
    (server.dir / "file.bad").write_text("bad")
    for name, code in ("good", 200), ("bad", 500):
        assert server.request(f"/file.{name}", headers={"Host": "example.org"}).status == code
    server.wait_said("file.bad can't be read: Input/output error")
    assert value(metrics(server), "petrel_disk_errors_total") == 1
    # Also what happens in a server's first second.
    server.wait_said("alert disk_fails begins", 15)


@pytest.fixture
def munin_node(tmp_path):
    """A munin-node with the plugin alone: start(admin socket) -> its port."""
    started = []

    def start(admin_socket):
        port, folder = free_port(), tmp_path / "munin"
        (folder / "plugins").mkdir(parents=True)
        (folder / "plugin-conf.d").mkdir()
        os.symlink(TREE / "packaging/munin/petrel", folder / "plugins/petrel")
        (folder / "plugin-conf.d/petrel").write_text(f"[petrel]\nuser root\nenv.socket {admin_socket}\n")
        (folder / "node.conf").write_text(
            f"log_file {folder}/log\npid_file {folder}/pid\nbackground 0\nsetsid 0\nuser root\ngroup root\n"
            f"allow ^127\\.0\\.0\\.1$\nhost 127.0.0.1\nport {port}\nhost_name here\n")
        started.append(subprocess.Popen(["perl", "-e", MUNIN, folder], stdout=subprocess.DEVNULL,
                                        stderr=subprocess.DEVNULL))

        def listens():
            with socket.socket() as s:
                return s.connect_ex(("127.0.0.1", port)) == 0

        wait_for(listens, "munin-node", 30)
        return port

    yield start
    for process in started:
        process.terminate()
        process.wait(10)


def munin_ask(port, *commands):
    with socket.create_connection(("127.0.0.1", port), 30) as s:
        f = s.makefile("rw")
        assert f.readline().startswith("# munin node")
        answers = []
        for command in commands:
            f.write(command + "\n")
            f.flush()
            lines = []
            for line in f:
                if command.startswith(("config", "fetch")) and line == ".\n":
                    break
                lines.append(line.rstrip("\n"))
                if not command.startswith(("config", "fetch")):
                    break
            answers.append(lines)
        return answers


@pytest.mark.skipif(os.getuid() != 0, reason="munin-node starts as root only")
def test_munin(petrel, munin_node):
    server = petrel(CONF)
    ask(server, "/", 3)
    port = munin_node(server.dir / "admin.sock")
    capabilities, plugins, config, values = munin_ask(port, "cap multigraph", "list", "config petrel", "fetch petrel")
    assert "multigraph" in capabilities[0]
    assert "petrel" in plugins[0].split()
    graphs = [line.split()[1] for line in config if line.startswith("multigraph ")]
    assert len(graphs) == len(set(graphs)) >= 8
    assert "_2xx.value 3" in values
    assert "api.value 1" in values or "api.value 0" in values
    # Each field that has a value is described, and the other way round.
    described = {line.split(".label")[0] for line in config if ".label " in line}
    valued = {line.split(".value")[0] for line in values if ".value " in line}
    assert described == valued


def test_the_plugin_says_what_is_missing(tmp_path):
    done = subprocess.run([TREE / "packaging/munin/petrel"], env={"socket": str(tmp_path / "none")}, capture_output=True,
                          text=True, timeout=20)
    assert done.returncode == 1 and "set env.socket" in done.stderr


def test_the_dashboard_asks_for_what_there_is(petrel, tmp_path):
    server = petrel(CONF)
    names = set(re.findall(r"^# TYPE (\S+) ", metrics(server), re.M))
    board = json.loads((TREE / "examples/grafana/petrel.json").read_text())
    rules = []
    for panel in board["panels"]:
        for target in panel["targets"]:
            expr = target["expr"].replace("$__rate_interval", "1m").replace("$instance", ".*")
            asked = {re.sub(r"_(bucket|sum|count)$", "", n) if re.sub(r"_(bucket|sum|count)$", "", n) in names else n
                     for n in re.findall(r"\b(?:petrel|process)_\w+", expr)}
            assert asked and asked <= names, f"{panel['title']}: {asked - names}"
            rules.append({"record": f"r:{len(rules)}", "expr": expr})
    (tmp_path / "rules.yml").write_text(json.dumps({"groups": [{"name": "panels", "rules": rules}]}))
    done = subprocess.run(["promtool", "check", "rules", tmp_path / "rules.yml"], capture_output=True, text=True,
                          timeout=60)
    assert done.returncode == 0, done.stdout + done.stderr
