"""memcached servers for the tests: real ones, and ones that do what no server should."""

import contextlib
import os
import re
import signal
import socket
import subprocess
import time

from conftest import free_port, stop, wait_for
from origins import Origin


class Memcached:
    """A real one, which may be stopped, killed and started again at the same place."""

    def __init__(self, path=None, *options):
        self.path = path
        self.port = 0 if path else free_port()
        self.options = options
        self.process = None
        self.start()

    @property
    def address(self):
        return f"unix:{self.path}" if self.path else f"127.0.0.1:{self.port}"

    def start(self):
        where = ["-s", str(self.path)] if self.path else ["-l", "127.0.0.1", "-p", str(self.port), "-U", "0"]
        self.process = subprocess.Popen(["memcached", "-u", "root", "-t", "2", *where, *self.options],
                                        stderr=subprocess.DEVNULL)
        wait_for(self.listens, "memcached")

    def connect(self):
        if not self.path:
            return socket.create_connection(("127.0.0.1", self.port), timeout=10)
        sock = socket.socket(socket.AF_UNIX)
        sock.settimeout(10)
        sock.connect(str(self.path))
        return sock

    def listens(self):
        try:
            self.connect().close()
            return True
        except OSError:
            return False

    def signal(self, number):
        os.kill(self.process.pid, number)

    def stop(self):
        stop(self.process.pid)

    def kill(self):
        self.process.kill()
        self.process.wait()

    def restart(self):
        """Cold: it has forgotten everything."""
        self.kill()
        self.start()

    def end(self):
        if self.process.poll() is None:
            self.signal(signal.SIGCONT)
            self.kill()

    def ask(self, line, value=None):
        """One meta command; (first line, value or None)."""
        with self.connect() as sock, sock.makefile("rwb") as file:
            data = line.encode() if isinstance(line, str) else line
            file.write(data + b"\r\n" + (value + b"\r\n" if value is not None else b""))
            file.flush()
            head = file.readline().decode("latin-1").strip()
            if not head.startswith("VA "):
                return head, None
            size = int(head.split()[1])
            return head, file.read(size + 2)[:-2]

    def set(self, key, value, flags=0, ttl=0):
        assert self.ask(f"ms {key} {len(value)} F{flags} T{ttl}", value)[0] == "HD"

    def get(self, key):
        return self.ask(f"mg {key} v")[1]

    def keys(self, pattern=""):
        with self.connect() as sock, sock.makefile("rwb") as file:
            file.write(b"lru_crawler metadump all\r\n")
            file.flush()
            found = []
            while (line := file.readline().decode().strip()) not in ("END", ""):
                found += re.findall(r"key=(\S+)", line)
        return [key.replace("%3A", ":") for key in found if pattern in key.replace("%3A", ":")]


class Liar(Origin):
    """Takes connections and behaves as `way` says: a function of the socket; None takes none."""

    def __init__(self, way, **kwargs):
        def script(peer):
            with contextlib.suppress(OSError):
                way(peer.sock)
        super().__init__(way and script, **kwargs)


# --- Ways. ---


def opaque_of(line):
    return (re.search(rb" O(\d+)", line) or [b"", b"0"])[1]


def lines(sock):
    """Commands as they come, values left out."""
    with sock.makefile("rb") as file:
        while line := file.readline():
            if line.startswith(b"ms "):
                file.read(int(line.split()[2]) + 2)
            yield line


def says(text):
    """Answers each command with this, %O being its number."""
    def way(sock):
        for line in lines(sock):
            sock.sendall(b"MN\r\n" if line == b"mn\r\n" else text.replace(b"%O", opaque_of(line)))
    return way


def silent(sock):
    while sock.recv(65536):
        pass


def trickles(sock):
    for line in lines(sock):
        for byte in b"VA 100 O" + opaque_of(line) + b"\r\n" + b"x" * 100:
            sock.sendall(bytes([byte]))
            time.sleep(1)


def cuts(sock):
    for line in lines(sock):
        sock.sendall(b"VA 1000 O" + opaque_of(line) + b" t100 c7\r\n" + b"x" * 500)
        return


WAYS = {
    "silent": silent,
    "one byte a second": trickles,
    "half a value, then FIN": cuts,
    "garbage": says(b"\x00\xff\x17 what?\r\n"),
    "wrong opaque": says(b"VA 2 O1 t100 c7\r\nhi\r\n"),
    "wrong length": says(b"VA 2 O%O t100 c7\r\nhello\r\n"),
    "no page": says(b"VA 5 O%O t100 c7\r\nhello\r\n"),
    "SERVER_ERROR": says(b"SERVER_ERROR out of memory storing object\r\n"),
    "CLIENT_ERROR": says(b"CLIENT_ERROR bad command line format\r\n"),
    "ERROR": says(b"ERROR\r\n"),
    "closes at once": lambda sock: None,
    "endless line": lambda sock: [sock.sendall(b"V" * 4096) for _ in iter(int, 1)],
    "endless values": lambda sock: [sock.sendall(b"VA 1000000 O1\r\n" + b"x" * 100000) for _ in iter(int, 1)],
}
