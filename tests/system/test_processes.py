"""The supervisor and its worker: crashes, back-off, signals, rights."""

import contextlib
import http.client
import itertools
import os
import pathlib
import re
import signal
import socket
import subprocess
import threading
import time

import pytest
from conftest import SLOW, alive, stop, wait_for

pytestmark = pytest.mark.threads

CONF = """
loops 1;
listen 127.0.0.1:{port};
error_log {dir}/error.log;
drain_timeout 3s;
site * { route * { respond 200 "ok\\n"; } }
"""


def crash(server, number=signal.SIGSEGV):
    """Kills the worker and waits for the next one; returns both."""
    old = server.wait_worker()
    os.kill(old, number)
    return old, server.wait_worker(other_than=old)


class Load(threading.Thread):
    """Connections one after the other; counts refused ones, remembers when answers came."""

    def __init__(self, port):
        super().__init__(daemon=True)
        self.port, self.ending = port, False
        self.answers, self.refused, self.broken = [], 0, 0

    def run(self):
        while not self.ending:
            try:
                with socket.create_connection(("127.0.0.1", self.port), timeout=5) as s:
                    s.sendall(b"GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n")
                    if s.recv(4096).startswith(b"HTTP/1.1 200"):
                        self.answers.append(time.monotonic())
                    else:
                        self.broken += 1
            except ConnectionRefusedError:
                self.refused += 1
            except OSError:
                self.broken += 1


def test_a_crash_under_load_refuses_nobody(petrel):
    server = petrel(CONF)
    load = [Load(server.port) for _ in range(4)]
    for one in load:
        one.start()
    waits = []
    for _ in range(5):
        time.sleep(1.1)  # longer than what counts as dying at once
        old = server.wait_worker()
        died = time.monotonic()
        os.kill(old, signal.SIGSEGV)
        server.wait_worker(other_than=old)
        # The first answer of the new worker: the first after a moment in which the old one can't have answered.
        gone = died + 0.002
        answers = wait_for(lambda: [at for one in load for at in one.answers if at > gone], "an answer of the new one")
        waits.append(min(answers) - died)
    for one in load:
        one.ending = True
    for one in load:
        one.join()
    assert sum(one.refused for one in load) == 0
    # Those that were under way in the worker that died are lost; there are at most as many as clients, each time.
    assert sum(one.broken for one in load) <= 4 * 5
    if not SLOW:
        assert min(waits) < 0.1 and sorted(waits)[2] < 0.1, waits


def test_the_log_says_what_happened(petrel):
    server = petrel(CONF)
    server.request()
    old, new = crash(server)
    server.wait_said(f"worker {new} takes its place")
    for text in server.stderr, (server.dir / "error.log").read_text():
        assert f"worker {old} was killed by SIGSEGV" in text
        assert re.search(rf"petrel: panic: SIGSEGV sent by process {os.getpid()} in ", text)
        assert "petrel: panic: loop 0" in text
        assert re.search(r"petrel\(\+0x[0-9a-f]+\)", text)  # the stack
    assert server.request().status == 200


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGABRT, signal.SIGBUS, signal.SIGFPE, signal.SIGILL])
def test_every_way_to_die_is_named(petrel, number):
    server = petrel(CONF)
    old, _ = crash(server, number)
    server.wait_said(f"worker {old} was killed by {number.name}")
    assert server.request().status == 200


def test_dying_at_once_again_is_slowed_down(petrel):
    server = petrel(CONF)
    for _ in range(4):
        crash(server, signal.SIGKILL)
    waits = [int(ms) for ms in re.findall(r"the next one starts in (\d+) ms", server.stderr)]
    assert waits == [100, 200, 400]
    assert server.request().status == 200


def test_signals_for_the_whole_group_are_the_supervisors(petrel):
    """Ctrl-C and systemd reach the worker, too; it waits for what the supervisor says."""
    server = petrel(CONF)
    worker = server.wait_worker()
    for number in signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGQUIT, signal.SIGUSR1, signal.SIGPIPE:
        os.kill(worker, number)
    assert server.request().status == 200
    assert server.worker == worker


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_stop_is_quick_and_clean(petrel, number):
    server = petrel(CONF)
    server.request()
    begun = time.monotonic()
    server.signal(number)
    assert server.wait_end() == 0
    assert time.monotonic() - begun < (1 if not SLOW else 5)


def test_stop_while_the_disk_reads(petrel):
    """What comes home from the disk after the loops ended is taken in without harm, and the end is a clean one."""
    for _ in range(3):
        server = petrel(CONF.replace("route *", "root {dir}; route /f* { files; } route *"))
        for i in range(300):
            with open(server.dir / f"f{i}", "wb") as f:
                f.write(b"x" * 4000)
                f.flush()
                os.fsync(f.fileno())
                os.posix_fadvise(f.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)
        asking = [server.connect() for _ in range(300)]
        for i, s in enumerate(asking):
            s.sendall(b"GET /f%d HTTP/1.1\r\nHost: a\r\n\r\n" % i)
        server.signal(signal.SIGTERM)
        assert server.wait_end() == 0, server.stderr
        for s in asking:
            s.close()


def in_a_head(server):
    """A client whose next request's head has begun to come: its begin came together with a request that was answered."""
    client = server.connect()
    client.sendall(b"GET / HTTP/1.1\r\nHost: a\r\n\r\nGET / HTTP/1.1\r\nHo")
    got = b""
    while not got.endswith(b"ok\n"):
        got += client.recv(4096)
    return client


def test_quit_lets_a_request_finish(petrel):
    server = petrel(CONF)
    with in_a_head(server) as slow:
        server.signal(signal.SIGQUIT)
        wait_for(lambda: refused(server), "newcomers being refused")
        assert server.process.poll() is None
        slow.sendall(b"st: a\r\nConnection: close\r\n\r\n")
        assert slow.recv(4096).startswith(b"HTTP/1.1 200")
    assert server.wait_end() == 0


def refused(server):
    try:
        server.connect(timeout=1).close()
        return False
    except OSError:
        return True


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGQUIT])
def test_errands_of_the_admin_socket_do_not_hold_up_the_end(petrel, number):
    """Nor does a client that left before its answer came."""
    server = petrel("admin unix:{dir}/admin.sock;" + CONF.replace("3s", "1h"))

    def errands():
        with contextlib.suppress(OSError):
            for i in itertools.count():
                with socket.socket(socket.AF_UNIX) as s:
                    s.settimeout(5)
                    s.connect(str(server.dir / "admin.sock"))
                    s.sendall((b"POST /reload" if i % 2 else b"GET /status.json") + b" HTTP/1.1\r\nHost: a\r\n\r\n")
                    if i % 3:
                        time.sleep(i % 5 / 5000)
                    else:
                        s.recv(4096)

    threads = [threading.Thread(target=errands) for _ in range(4)]
    for t in threads:
        t.start()
    time.sleep(1)
    server.signal(number)
    assert server.wait_end() == 0, server.stderr
    for t in threads:
        t.join()


def test_quit_has_a_deadline(petrel):
    server = petrel(CONF.replace("drain_timeout 3s", "drain_timeout 500ms"))
    with in_a_head(server):
        begun = time.monotonic()
        server.signal(signal.SIGQUIT)
        assert server.wait_end() == 0
        assert 0.4 < time.monotonic() - begun < 4


def test_a_worker_that_hangs_is_killed(petrel):
    server = petrel(CONF)
    worker = server.wait_worker()
    stop(worker)
    server.signal(signal.SIGTERM)
    server.expect_status = 1
    assert server.wait_end() == 1
    assert "does not end by itself" in server.stderr
    assert not alive(worker)


def test_told_twice_it_ends_at_once(petrel):
    server = petrel(CONF)
    stop(server.wait_worker())
    begun = time.monotonic()
    server.signal(signal.SIGTERM)
    server.wait_notified("STOPPING=1")
    server.signal(signal.SIGTERM)
    server.expect_status = None
    server.wait_end()
    assert time.monotonic() - begun < 3


def test_the_worker_dies_with_its_supervisor(petrel):
    server = petrel(CONF)
    worker = server.wait_worker()
    server.expect_status = -signal.SIGKILL
    server.process.kill()
    wait_for(lambda: not alive(worker), "the worker's end")
    wait_for(lambda: refused(server), "the port is free")


def test_logs_are_opened_anew(petrel):
    server = petrel(CONF)
    log = server.dir / "error.log"
    log.rename(server.dir / "error.log.1")
    server.signal(signal.SIGUSR1)
    wait_for(log.exists, "a new error.log")
    assert log.stat().st_mode & 0o777 == 0o640
    crash(server)
    wait_for(lambda: "was killed by SIGSEGV" in log.read_text(), "the crash in the new file")
    assert "was killed" not in (server.dir / "error.log.1").read_text()


def status_of(pid):
    return dict(line.split(":\t", 1) for line in pathlib.Path(f"/proc/{pid}/status").read_text().splitlines())


def test_the_worker_has_no_rights(petrel):
    server = petrel(CONF)
    status = status_of(server.wait_worker())
    for which in "CapInh", "CapPrm", "CapEff", "CapAmb":
        assert int(status[which], 16) == 0
    assert status["NoNewPrivs"].strip() == "1"
    if os.geteuid() == 0:
        assert int(status["CapBnd"], 16) == 0
        assert "the worker runs as root" in server.stderr
    open_files = pathlib.Path(f"/proc/{server.worker}/limits").read_text()
    soft, hard = re.search(r"Max open files\s+(\d+)\s+(\d+)", open_files).groups()
    assert soft == hard


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can become someone else")
def test_the_worker_becomes_the_user(petrel, tmp_path):
    tmp_path.chmod(0o755)
    server = petrel("user nobody;\n" + CONF)
    status = status_of(server.wait_worker())
    nobody = re.search(r"^nobody:x:(\d+):(\d+):", pathlib.Path("/etc/passwd").read_text(), re.M)
    assert status["Uid"].split() == [nobody[1]] * 4
    assert status["Gid"].split() == [nobody[2]] * 4
    assert "runs as root" not in server.stderr
    _, new = crash(server)
    wait_for(lambda: status_of(new)["Uid"].split() == [nobody[1]] * 4, "the new worker giving up its rights")
    server.request()
    # The kernel forgets the wish to die with the parent when the user changes; the worker must not.
    server.expect_status = -signal.SIGKILL
    server.process.kill()
    wait_for(lambda: not alive(new), "the worker's end")


def test_a_first_start_that_fails_says_why(petrel, command, tmp_path):
    taken = socket.create_server(("127.0.0.1", 0))
    conf = tmp_path / "taken.conf"
    conf.write_text(f"listen 127.0.0.1:{taken.getsockname()[1]};\nsite * {{ route * {{ respond 200 \"a\"; }} }}\n")
    done = command("run", "-c", conf)
    assert done.returncode == 1
    assert f"(pid {os.getpid()})" in done.stderr and "choose another port" in done.stderr
    conf.write_text("listen 127.0.0.1:0;\nbogus on;\nlisten 127.0.0.1:99999;\n")
    done = command("run", "-c", conf)
    assert done.returncode == 1
    assert "taken.conf:2:1" in done.stderr and "taken.conf:3:8" in done.stderr
    conf.write_text("user no-such-user-here;\nlisten 127.0.0.1:0;\nsite * { route * { respond 200 \"a\"; } }\n")
    done = command("run", "-c", conf)
    assert done.returncode == 1
    assert "no-such-user-here" in done.stderr
    done = command("run", "-c", tmp_path / "nowhere.conf")
    assert done.returncode == 1
    assert "nowhere.conf" in done.stderr


def test_supervisor_and_worker_leave_nothing_behind(petrel):
    server = petrel(CONF)
    before = set(os.listdir(f"/proc/{server.pid}/fd"))
    for _ in range(3):
        crash(server, signal.SIGKILL)
        time.sleep(1.05)
    server.request()
    assert set(os.listdir(f"/proc/{server.pid}/fd")) == before
    children = subprocess.run(["ps", "--ppid", str(server.pid), "-o", "pid="], capture_output=True, text=True)
    assert len(children.stdout.split()) == 1
