"""Control groups of applications: what they are bounded to, all processes together, and what is left of them.

Only root can make groups, and only of controllers that the kernel has in its hierarchy of version 2: a machine may have
some of them in hierarchies of version 1."""

import os
import pathlib
import re
import subprocess

import pytest

from conftest import alive, wait_for
from test_apps import site  # noqa: F401 (a fixture)

CONF = """
listen 127.0.0.1:{port};
loops 1;
error_log stderr info;
APPS
site * { root {dir}; route /web* { proxy web; } route /other* { proxy other; } route * { respond 200 "no app"; } }
"""
APP = """
import http.server, os, time, signal
class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        what = self.path.rpartition("/")[2]
        done = 0
        if what == "fork":
            children = []
            try:
                for done in range(100):
                    pid = os.fork()
                    if not pid:
                        time.sleep(100)
                        os._exit(0)
                    children.append(pid)
            except OSError:
                pass
            for pid in children:
                os.kill(pid, signal.SIGKILL)
                os.waitpid(pid, 0)
        if what == "eat":
            done = len(b"x" * 300_000_000)
        if what == "burn":
            begin, end = time.process_time(), time.monotonic() + 1
            while time.monotonic() < end:
                pass
            done = time.process_time() - begin
        self.send_response(200)
        self.end_headers()
        self.wfile.write(b"%d %f" % (os.getpid(), done))
    def log_message(self, *args): pass
http.server.HTTPServer(("127.0.0.1", int(os.environ["PORT"])), Handler).serve_forever()
"""


def hierarchy():
    """Where the hierarchy of version 2 is mounted as a whole, or None."""
    for line in pathlib.Path("/proc/self/mountinfo").read_text().splitlines():
        before, _, after = line.partition(" - ")
        if after.startswith("cgroup2 ") and before.split()[3] == "/":
            return pathlib.Path(before.split()[4])
    return None


@pytest.fixture
def group():
    """group("pids"): a new group, which may divide these controllers among groups below it."""
    made = []

    def make(*controllers):
        root = hierarchy()
        if os.geteuid() or root is None:
            pytest.skip("only root can make control groups, where cgroup v2 is mounted")
        lacking = set(controllers) - set((root / "cgroup.controllers").read_text().split())
        if lacking:
            pytest.skip(f"not in the hierarchy of cgroup v2 here: {', '.join(sorted(lacking))}")
        try:
            for controller in controllers:
                (root / "cgroup.subtree_control").write_text(f"+{controller}")
            folder = root / f"petrel-test-{os.getpid()}"
            folder.mkdir()
        except OSError as error:
            pytest.skip(f"no control group can be made here: {error}")
        made.append(folder)
        return folder

    yield make
    for folder in made:
        if (folder / "petrel").exists():
            wait_for(lambda one=folder: not (one / "petrel/cgroup.procs").read_text(), "petrel's end")
            (folder / "petrel").rmdir()
        folder.rmdir()


def apps(limits):
    return "".join(f'app {name} {{ command "exec python3 app.py"; folder {{dir}}; protocol http; processes 1; {more} }}\n'
                   for name, more in (("web", f"cgroup {{ {limits} }} retry 0;"), ("other", "")))


def start(site, folder, limits):
    """As in a unit of systemd: petrel is in a group of its own when it begins to start applications."""
    one = site("", conf=CONF.replace("route /web* { proxy web; } route /other* { proxy other; }", ""))
    (one.dir / "app.py").write_text(APP)
    for pid in one.pid, one.wait_worker():
        (folder / "cgroup.procs").write_text(str(pid))
    one.reload(CONF.replace("APPS", apps(limits)))
    return one


def own(folder):
    """The groups of apps."""
    return [child for child in folder.iterdir() if child.is_dir() and child.name != "petrel"]


def pid_at(one, target):
    return int(wait_for(lambda: one.request(target).status == 200 and one.request(target), "an answer").body.split()[0])


def test_tasks(group, site):
    folder = group("pids")
    one = start(site, folder, "tasks 12;")
    pid = pid_at(one, "/web")
    [mine] = own(folder)
    assert mine.name == f"petrel-{one.pid}-web"
    assert (mine / "pids.max").read_text() == "12\n"
    assert (mine / "cgroup.procs").read_text().split() == [str(pid)]
    # Petrel itself made room, and an app without bounds has no group.
    assert {one.pid, one.worker} <= {int(p) for p in (folder / "petrel/cgroup.procs").read_text().split()}
    assert pid_at(one, "/other") not in [int(p) for p in (mine / "cgroup.procs").read_text().split()]
    assert int(float(one.request("/web/fork", timeout=60).body.split()[1])) == 11
    # What a reload says holds for what runs.
    one.reload(one.conf_file.read_text().replace("tasks 12", "tasks 21"))
    wait_for(lambda: not alive(pid), "the end of the one before", 30)
    assert (mine / "pids.max").read_text() == "21\n"
    assert int(float(one.request("/web/fork", timeout=60).body.split()[1])) == 20
    one.stop()
    assert not own(folder)


def test_memory(group, site):
    folder = group("memory")
    one = start(site, folder, "memory 100m;")
    pid = pid_at(one, "/web")
    [mine] = own(folder)
    assert (mine / "memory.max").read_text() == f"{100 << 20}\n"
    assert one.request("/web/eat", timeout=60).status == 502
    one.wait_said(rf"app web: process {pid} .* was killed by SIGKILL")
    assert one.request("/other").status == 200
    assert pid_at(one, "/web") != pid
    one.stop()
    assert not own(folder)


def test_cpu(group, site):
    folder = group("cpu")
    one = start(site, folder, "cpu 20%;")
    pid_at(one, "/web")
    [mine] = own(folder)
    assert (mine / "cpu.max").read_text() == "20000 100000\n"
    assert float(one.request("/web/burn", timeout=60).body.split()[1]) < 0.6
    assert int(re.search(r"nr_throttled (\d+)", (mine / "cpu.stat").read_text())[1]) > 0
    one.stop()
    assert not own(folder)


def test_a_group_that_others_are_in(group, site):
    """It can't be divided: that is said, and the app runs without bounds."""
    folder = group("pids")
    with subprocess.Popen(["sleep", "1000"]) as other:
        (folder / "cgroup.procs").write_text(str(other.pid))
        one = start(site, folder, "tasks 12;")
        assert pid_at(one, "/web")
        one.wait_said(r"app web runs without its control group: petrel may not divide its control group")
        assert not own(folder)
        one.stop()
        other.kill()


def test_a_group_that_can_not_be_made(site):
    """It is said, and the app runs without it."""
    root = hierarchy()
    if os.geteuid() == 0 and root and "pids" in (root / "cgroup.controllers").read_text().split():
        pytest.skip("here it can")
    one = site(apps("tasks 12;"), wait=False, conf=CONF)
    (one.dir / "app.py").write_text(APP)
    one.wait_ready()
    assert pid_at(one, "/web")
    one.wait_said(r"app web runs without its control group: ")
