"""Where a server listens: IPv6, Unix sockets, reuseport, sockets passed by systemd, and how it says that it is ready."""

import os
import pathlib
import re
import socket
import subprocess
import sys
import time

import pytest
from conftest import BINARY, alive, free_port, wait_for

SITE = 'site * { route * { respond 200 "ok"; } }\n'
REQUEST = b"GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n"


def answer(family, address):
    with socket.socket(family) as s:
        s.settimeout(5)
        s.connect(address)
        s.sendall(REQUEST)
        return s.recv(4096)


def has_ipv6():
    try:
        socket.create_server(("::1", 0), family=socket.AF_INET6).close()
        return True
    except OSError:
        return False


ipv6 = pytest.mark.skipif(not has_ipv6(), reason="no IPv6 here")


@ipv6
def test_ipv6(petrel):
    server = petrel("listen [::1]:{port};\n" + SITE)
    assert answer(socket.AF_INET6, ("::1", server.port)).startswith(b"HTTP/1.1 200")
    with pytest.raises(ConnectionRefusedError):
        answer(socket.AF_INET, ("127.0.0.1", server.port))


@ipv6
@pytest.mark.parametrize("address", ["{port}", "*:{port}", "[::]:{port}"])
def test_both_families(petrel, address):
    server = petrel(f"listen {address};\n" + SITE)
    assert answer(socket.AF_INET6, ("::1", server.port)).startswith(b"HTTP/1.1 200")
    assert answer(socket.AF_INET, ("127.0.0.1", server.port)).startswith(b"HTTP/1.1 200")


@ipv6
def test_v6only_leaves_the_other_family_alone(petrel):
    server = petrel("listen [::]:{port} v6only;\nlisten 0.0.0.0:{port};\n" + SITE)
    assert answer(socket.AF_INET6, ("::1", server.port)).startswith(b"HTTP/1.1 200")
    assert answer(socket.AF_INET, ("127.0.0.1", server.port)).startswith(b"HTTP/1.1 200")


def test_unix_sockets(petrel):
    server = petrel("listen unix:{dir}/sock mode 0660;\nlisten unix:@petrel-system-{port};\n" + SITE)
    path = server.dir / "sock"
    assert answer(socket.AF_UNIX, str(path)).startswith(b"HTTP/1.1 200")
    assert answer(socket.AF_UNIX, f"\0petrel-system-{server.port}").startswith(b"HTTP/1.1 200")
    assert path.stat().st_mode & 0o777 == 0o660
    server.stop()
    assert not path.exists()


def test_a_stale_unix_socket_is_replaced_and_a_live_one_is_not(petrel, command):
    conf = "listen unix:{dir}/sock;\n" + SITE
    server = petrel(conf)
    path = server.dir / "sock"
    done = command("run", "-c", server.conf_file)
    assert done.returncode == 1 and "is in use by" in done.stderr
    assert answer(socket.AF_UNIX, str(path)).startswith(b"HTTP/1.1 200")
    server.expect_status = None
    worker = server.worker
    server.process.kill()
    server.wait_end()
    wait_for(lambda: not alive(worker), "the worker's end")
    assert path.exists()
    second = petrel(conf.replace("{dir}", str(server.dir)))
    assert answer(socket.AF_UNIX, str(path)).startswith(b"HTTP/1.1 200")
    second.stop()


@pytest.mark.threads
def test_reuseport_has_a_socket_per_loop(petrel):
    server = petrel("loops 3;\nlisten 127.0.0.1:{port} reuseport;\n" + SITE)
    table = pathlib.Path("/proc/net/tcp").read_text()
    assert len(re.findall(rf"0100007F:{server.port:04X} 00000000:0000 0A", table)) == 3
    for _ in range(50):
        assert server.request().status == 200
    # A second server may share the port: that is what it is for.
    second = petrel(f"loops 1;\nlisten 127.0.0.1:{server.port} reuseport;\n" + SITE)
    second.stop()
    for _ in range(20):
        assert server.request().status == 200


def start_as_systemd(listeners, conf_file, notify):
    """As a service manager would: descriptors from 3 on, LISTEN_PID of the process that is executed."""
    script = ("import os, sys\n"
              "os.environ['LISTEN_PID'] = str(os.getpid())\n"
              "os.execv(sys.argv[1], sys.argv[1:])\n")
    count = len(listeners)

    def arrange():
        high = [os.dup2(s.fileno(), 200 + i) for i, s in enumerate(listeners)]
        for i, fd in enumerate(high):
            os.dup2(fd, 3 + i, inheritable=True)

    env = {**os.environ, "LISTEN_FDS": str(count), "NOTIFY_SOCKET": notify}
    return subprocess.Popen([sys.executable, "-c", script, str(BINARY), "run", "-c", str(conf_file)], env=env,
                            preexec_fn=arrange, pass_fds=range(3, 3 + count), stderr=subprocess.PIPE, text=True)


def test_sockets_from_systemd(tmp_path):
    port, path = free_port(), tmp_path / "passed.sock"
    tcp = socket.create_server(("127.0.0.1", port))
    local = socket.socket(socket.AF_UNIX)
    local.bind(str(path))
    local.listen()
    notify = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
    notify.bind(str(tmp_path / "notify"))
    notify.settimeout(20)
    conf = tmp_path / "petrel.conf"
    conf.write_text(f"listen 127.0.0.1:{port};\nlisten unix:{path};\n{SITE}")
    process = start_as_systemd([tcp, local], conf, str(tmp_path / "notify"))
    try:
        assert "READY=1" in notify.recv(4096).decode().splitlines()
        assert answer(socket.AF_INET, ("127.0.0.1", port)).startswith(b"HTTP/1.1 200")
        assert answer(socket.AF_UNIX, str(path)).startswith(b"HTTP/1.1 200")
        process.send_signal(1)
        lines = notify.recv(4096).decode().splitlines()
        assert "RELOADING=1" in lines and any(re.fullmatch(r"MONOTONIC_USEC=\d+", line) for line in lines)
        assert "READY=1" in notify.recv(4096).decode().splitlines()
        assert answer(socket.AF_INET, ("127.0.0.1", port)).startswith(b"HTTP/1.1 200")
        process.terminate()
        assert "STOPPING=1" in notify.recv(4096).decode().splitlines()
        assert process.wait(10) == 0, process.stderr.read()
        # They are systemd's: the file stays, and the sockets still take connections for the next start.
        assert path.exists()
        socket.create_connection(("127.0.0.1", port), timeout=2).close()
    finally:
        process.kill()
        process.communicate()


@pytest.mark.threads
def test_ready_comes_after_serving_begins(petrel):
    """READY=1 is what the fixture waits for: the very next request is answered."""
    server = petrel("listen 127.0.0.1:{port};\n" + SITE)
    assert server.request().status == 200
    server.reload()
    server.wait_notified("RELOADING=1")
    server.wait_notified("READY=1")
