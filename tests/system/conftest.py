"""A petrel of its own for each test: its folder, its port, its configuration; stopped at the end, and it has to end cleanly.

The binary is $PETREL (build/petrel), so that the same tests run on the sanitizers' builds.
"""

import http.client
import json
import os
import pathlib
import random
import re
import shutil
import signal
import socket
import subprocess
import tempfile
import time

import pytest

ROOT = pathlib.Path(__file__).resolve().parents[2]
BINARY = pathlib.Path(os.environ.get("PETREL", ROOT / "build/petrel")).resolve()
# Sanitizers slow everything down; deadlines that are a promise are kept on the release build only.
SLOW = BINARY.parent.name in ("asan", "tsan")
SANITIZER = re.compile(r"ERROR: \w+Sanitizer|WARNING: ThreadSanitizer|runtime error:|LeakSanitizer")


def pytest_configure(config):
    """What the run with ThreadSanitizer is for: tests in which threads meet. That is, all in which loops share something
    under load (pools and their queues, caches, the hot set, memcached, logs, counters), the disk engine, whatever goes from
    the control thread to the loops and back (reloads, settings, purges, traces, the status page), and every way to end.
    What one loop does alone is run on the other builds."""
    config.addinivalue_line("markers", "threads: threads meet in it: run with ThreadSanitizer, too")


def wait_for(condition, what, seconds=10.0):
    """Returns the first true answer of condition()."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        answer = condition()
        if answer:
            return answer
        time.sleep(0.01)
    raise AssertionError(f"not within {seconds} s: {what}")


def claim(first, count, each):
    """A range of ports that no other run on this machine has now, in this checkout or another: whoever has the abstract
    name that goes with it. The name goes with the process."""
    for at in range(0, count, each):
        name = socket.socket(socket.AF_UNIX)
        try:
            name.bind(f"\0petrel-test-ports-{first + at}")
        except OSError:
            name.close()
            continue
        return name, first + at
    raise AssertionError("too many test runs at once: all ranges of ports are taken")


def ports():
    """Free ports, none twice in a row: below those that the kernel gives to who connects and those that petrel gives to
    applications."""
    first, count, each = 10000, 10000, 500
    name, mine = claim(first, count, each)
    at = random.randrange(each)
    while name:
        at += 1
        with socket.socket() as s:
            try:
                s.bind(("127.0.0.1", mine + at % each))
            except OSError:
                continue
        yield mine + at % each


PORTS = ports()


def free_port():
    return next(PORTS)


def alive(pid):
    """Whether any of its threads runs: a zombie whose other threads are still ending holds its sockets."""
    try:
        threads = os.listdir(f"/proc/{pid}/task")
    except (FileNotFoundError, ProcessLookupError):
        return False
    for thread in threads:
        stat = pathlib.Path(f"/proc/{pid}/task/{thread}/stat")
        try:
            state = stat.read_text().rpartition(")")[2].split()[0]
        except (FileNotFoundError, ProcessLookupError):
            continue
        if state not in "ZX":
            return True
    return False


def stop(*pids):
    """SIGSTOP, and until none of their threads runs any more: a signal takes its time to arrive."""
    def stopped(pid):
        states = [(thread / "stat").read_text().rpartition(")")[2].split()[0]
                  for thread in pathlib.Path(f"/proc/{pid}/task").iterdir()]
        return set(states) == {"T"}
    for pid in pids:
        os.kill(pid, signal.SIGSTOP)
    wait_for(lambda: all(map(stopped, pids)), "all threads to be stopped")


class Petrel:
    """A running server. `{port}` and `{dir}` in its configuration and arguments are replaced."""

    def __init__(self, folder, conf="", args=None, env=None, **popen):
        self.dir = folder
        self.port = free_port()
        self.conf_file = folder / "petrel.conf"
        self.err_file = folder / "stderr"
        self.expect_status = 0
        self.write_conf(conf)
        # Readiness as systemd learns of it: without a connection that logs and counters would know.
        self.notify = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.notify.bind("")  # an abstract name that the kernel chooses
        self.notified = []
        args = [self.fill(arg) for arg in args] if args else ["run", "-c", str(self.conf_file)]
        with open(self.err_file, "ab") as err, open(folder / "stdout", "ab") as out:
            self.process = subprocess.Popen([str(BINARY), *args], stdout=out, stderr=err, stdin=subprocess.DEVNULL, cwd=folder,
                                            env={**os.environ, "NOTIFY_SOCKET": self.notify_name, **(env or {})},
                                            **popen)

    # --- its configuration and what it said ---

    def fill(self, text):
        return text.replace("{port}", str(self.port)).replace("{dir}", str(self.dir))

    def write_conf(self, text):
        self.conf_file.write_text(self.fill(text))

    @property
    def stderr(self):
        return self.err_file.read_text(errors="replace")

    @property
    def stdout(self):
        return (self.dir / "stdout").read_text(errors="replace")

    def wait_said(self, pattern, seconds=10.0, count=1):
        """Until standard error has `count` lines with this pattern."""
        wait_for(lambda: len(re.findall(pattern, self.stderr)) >= count, f"{count} × {pattern!r} in:\n{self.stderr}",
                 seconds)

    # --- its processes ---

    @property
    def pid(self):
        return self.process.pid

    @property
    def worker(self):
        """The worker's pid, or None."""
        children = pathlib.Path(f"/proc/{self.pid}/task/{self.pid}/children").read_text().split()
        return next((int(pid) for pid in children if alive(pid)), None)

    def wait_worker(self, other_than=None, seconds=10.0):
        return wait_for(lambda: self.worker not in (None, other_than) and self.worker, "a new worker", seconds)

    def signal(self, number):
        os.kill(self.pid, number)

    def reload(self, conf=None, works=True):
        """SIGHUP, and waits for what is said about it."""
        if conf is not None:
            self.write_conf(conf)
        pattern = r"petrel: reloaded" if works else r"petrel: not reloaded"
        before = len(re.findall(pattern, self.stderr))
        self.signal(signal.SIGHUP)
        self.wait_said(pattern, 60 if SLOW else 10, count=before + 1)

    @property
    def notify_name(self):
        return "@" + self.notify.getsockname()[1:].decode()

    def wait_notified(self, line, seconds=20.0):
        """Until it told its service manager so, since the last time that this was asked."""
        def told():
            assert self.process.poll() is None, f"ended with {self.process.returncode}:\n{self.stderr}"
            try:
                while line not in self.notified:
                    self.notified += self.notify.recv(4096, socket.MSG_DONTWAIT).decode().splitlines()
            except BlockingIOError:
                return False
            del self.notified[:self.notified.index(line) + 1]
            return True
        wait_for(told, f"{line} from petrel", seconds)

    def wait_ready(self, seconds=20.0):
        self.wait_notified("READY=1", seconds)
        return self

    def wait_end(self, seconds=15.0):
        """Until the process has ended; returns its exit status."""
        self.process.wait(seconds)
        return self.process.returncode

    def stop(self):
        if self.process.poll() is None:
            self.signal(signal.SIGTERM)
        try:
            self.wait_end()
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
            raise AssertionError(f"did not stop:\n{self.stderr}") from None
        self.notify.close()
        assert not SANITIZER.search(self.stderr), self.stderr
        if self.expect_status is not None:
            assert self.process.returncode == self.expect_status, self.stderr

    # --- talking to it ---

    def connect(self, timeout=10.0):
        return socket.create_connection(("127.0.0.1", self.port), timeout=timeout)

    def request(self, target="/", method="GET", headers=None, body=None, timeout=10.0):
        """One request on a connection of its own; the answer, with .body read."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=timeout)
        try:
            connection.request(method, target, body=body, headers=headers or {})
            answer = connection.getresponse()
            answer.body = answer.read()
            return answer
        finally:
            connection.close()

    def get_json(self, target, **kwargs):
        return json.loads(self.request(target, **kwargs).body)


@pytest.fixture
def petrel(tmp_path):
    """petrel(conf) starts a server and waits until it accepts; petrel(conf, wait=False) does not wait."""
    running = []

    def start(conf="", wait=True, **kwargs):
        folder = tmp_path / f"petrel{len(running)}"
        folder.mkdir(exist_ok=True)
        one = Petrel(folder, conf, **kwargs)
        running.append(one)
        return one.wait_ready() if wait else one

    yield start
    for one in running:
        one.stop()


@pytest.fixture
def command():
    """command("version", "--json"): runs petrel to its end."""
    def run(*args, **kwargs):
        done = subprocess.run([str(BINARY), *map(str, args)], capture_output=True, text=True, timeout=60, **kwargs)
        assert not SANITIZER.search(done.stderr), done.stderr
        return done
    return run


@pytest.fixture
def public():
    """A folder that others than its owner can get into, unlike pytest's: for applications that run as somebody else."""
    folder = pathlib.Path(tempfile.mkdtemp(prefix="petrel-test-"))
    folder.chmod(0o755)
    yield folder
    shutil.rmtree(folder)


@pytest.fixture
def origin(tmp_path):
    """origin(script) starts a server for petrel to ask, whose connections run that script: see origins.py."""
    from origins import Origin
    started = []

    def start(script, unix=False):
        started.append(Origin(script, tmp_path / f"origin{len(started)}.sock" if unix else None))
        return started[-1]

    yield start
    for one in started:
        one.close()
