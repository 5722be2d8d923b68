"""petrel top: a running server on a terminal, in tmux as a person would see it, and as one picture without a terminal."""

import os
import re
import signal
import subprocess

import pytest
from conftest import BINARY, stop, wait_for

CONF = """
loops 2;
listen 127.0.0.1:{port};
admin unix:{dir}/admin.sock;
pool api { server 127.0.0.1:1; server 127.0.0.1:2 backup; health GET / every 100ms timeout 100ms rise 1 fall 1; }
app sleeper { command "python3 -m http.server --bind 127.0.0.1 $PORT"; protocol http; processes 1; }
site * {
    route /api/*                { proxy api; }
    route /busy/*               { respond 200 x; }
    route /idle/*               { respond 200 x; }
    route "/\\x1b]0;own\\x07ed\u009b31m*" { respond 200 x; }
    route *                     { respond 404; }
}
"""
KEYS = "o all  r routes  s servers  p processes  c caches  l loops"


class Screen:
    """A terminal of this size with a shell in it."""

    def __init__(self, folder, width=80, height=24, env=()):
        self.socket = folder / "tmux"
        names = [f"{name}={value}" for name, value in env]
        self.run("-f", "/dev/null", "new-session", "-d", "-x", str(width), "-y", str(height),
                 "env", "-u", "NO_COLOR", "TERM=screen-256color", "PS1=$ ", *names, "sh")
        self.wait(r"^\$")

    def run(self, *args):
        return subprocess.run(["tmux", "-S", str(self.socket), *args], check=True, capture_output=True, timeout=20).stdout

    def type(self, *keys):
        self.run("send-keys", *keys)

    def lines(self, colours=False):
        return self.run("capture-pane", "-p", *(["-e"] if colours else [])).decode().split("\n")[:-1]

    @property
    def text(self):
        return "\n".join(self.lines())

    def wait(self, pattern, seconds=15):
        return wait_for(lambda: re.search(pattern, self.text, re.M), f"{pattern!r} in:\n{self.text}", seconds)

    @property
    def modes(self):
        """What of the terminal a program changes: the other screen, the cursor."""
        return self.run("display-message", "-p", "#{alternate_on} #{cursor_flag}").decode().split()

    def leave(self):
        """What runs in it ends before its terminal does: the hangup's SIGCONT undoes the stop by which the leak sanitizer looks
        at a process that ends, and it waits for that for ever."""
        self.type("q")
        try:
            wait_for(lambda: self.run("display-message", "-p", "#{pane_current_command}").decode().strip() == "sh", "the shell")
        finally:
            self.run("kill-server")

    def top(self, server, *words):
        self.type(f"{BINARY} top --socket {server.dir}/admin.sock {' '.join(words)}; echo ended with $?", "Enter")


@pytest.fixture
def screen(tmp_path):
    opened = []

    def start(*args, **kwargs):
        opened.append(Screen(tmp_path, *args, **kwargs))
        return opened[-1]

    yield start
    for one in opened:
        one.leave()


@pytest.fixture
def server(petrel):
    one = petrel(CONF)
    for _ in range(10):
        one.request("/busy/x")
    one.request("/api/x")
    return one


def rows(screen, first):
    """The first words of the rows below the title that begins with this."""
    lines = screen.lines()
    at = next((i for i, line in enumerate(lines) if line.startswith(first)), len(lines))
    body = lines[at + 1:]
    return [line.split()[0] for line in body[:body.index("") if "" in body else None] if line.strip()]


def test_80_by_24(server, screen):
    one = screen()
    one.top(server)
    one.wait(r"^petrel \S+   up \d+s   configuration 1")
    one.wait("sleeper/1")
    wait_for(lambda: one.lines()[-1].startswith(KEYS) and one.lines()[-1].endswith("q quit"), "all of the screen")
    lines = one.lines()
    assert len(lines) == 24 and all(len(line) <= 80 for line in lines)
    assert one.modes == ["1", "0"]
    assert re.search(r"^ROUTE +REQ/S", one.text, re.M) and re.search(r"^POOL +SERVER +STATE", one.text, re.M)
    assert one.wait(r"^api +127\.0\.0\.1:1 +sick")
    one.type("q")
    one.wait("ended with 0")
    assert one.modes == ["0", "1"] and "ROUTE" not in one.text


def test_what_is_wrong_stands_first(server, screen):
    one = screen()
    one.top(server)
    one.wait(r"^alert +no_server api: no server of the pool gets requests")
    assert len(one.lines()) == 24 and one.lines()[-1].startswith(KEYS)


def test_wide_and_narrow(server, screen):
    one = screen(160, 50)
    one.top(server)
    one.wait(r"sick .* can't be connected to: Connection refused")
    one.run("resize-window", "-x", "80", "-y", "24")
    wait_for(lambda: one.lines()[-1].startswith(KEYS) and len(one.lines()) == 24, "the smaller screen")
    assert "WHY" not in one.text
    one.type("s")
    one.wait(r"^127\.0\.0\.1:1: can't be connected to: Connection refused")
    one.run("resize-window", "-x", "30", "-y", "5")
    wait_for(lambda: one.lines()[-1].startswith(KEYS[:25]), "a very small one")
    one.run("resize-window", "-x", "120", "-y", "40")
    one.wait("WHY")


def test_views_and_sorting(server, screen):
    one = screen(100, 30)
    one.top(server)
    one.wait("configuration 1")
    one.type("r")
    wait_for(lambda: rows(one, "ROUTE")[:1] == ["/busy/*"], "what is asked for most, first")
    one.type("<")
    one.wait("ROUTE▲")
    # A screen may be seen while it is drawn.
    names = wait_for(lambda: len(found := rows(one, "ROUTE")) == 5 and found == sorted(found) and found, "them by name")
    one.type("i")
    one.wait("ROUTE▼")
    wait_for(lambda: rows(one, "ROUTE") == names[::-1], "them the other way round")
    one.type("Right", "i")
    one.wait("REQ/S▼")
    one.type("p")
    wait_for(lambda: rows(one, "PROCESS") == ["sleeper/1"], "the process")
    one.type("l")
    one.wait("LONGEST")
    wait_for(lambda: sorted(rows(one, "LOOP")) == ["0", "1"], "the loops")
    one.type("Tab")
    one.wait("^ROUTE")
    one.type("Down", "Down", "Up", "PageDown", "x", "Escape", "q")
    one.wait("ended with 0")


def test_scrolling(petrel, screen):
    routes = " ".join(f"route /r{n:02}/* {{ respond 200 x; }}" for n in range(40))
    server = petrel(CONF.replace("route /idle", routes + " route /idle"))
    one = screen()
    one.top(server)
    one.wait("configuration 1")
    one.type("r", "<")
    one.wait("ROUTE▲")
    assert "/r39" not in one.text
    one.type("PageDown", "PageDown", "PageDown")
    one.wait("/r39")
    one.type("PageUp", "PageUp", "PageUp")
    one.wait("/r00")


def test_the_server_goes_away_and_comes_back(server, screen):
    one = screen()
    one.top(server, "--every", "200ms")
    one.wait("configuration 1")
    workers = [int(pid) for pid in open(f"/proc/{server.pid}/task/{server.pid}/children").read().split()]
    stop(server.pid, *workers)
    one.wait("no answer comes at unix:", 20)
    one.type("l")
    one.wait("LONGEST")
    for pid in [*workers, server.pid]:
        os.kill(pid, signal.SIGCONT)
    one.wait(r"configuration 1   unix:")
    server.stop()
    one.wait(r"no server runs, for \d+s, at unix:")
    assert "LONGEST" in one.text
    one.type("q")
    one.wait("ended with 0")


def test_a_server_that_is_not_there_yet(petrel, screen, tmp_path):
    one = screen()
    one.type(f"{BINARY} top --socket {tmp_path}/petrel0/admin.sock", "Enter")
    one.wait("no server runs, for")
    petrel(CONF)
    one.wait("configuration 1")
    one.type("q")


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP, signal.SIGINT, signal.SIGABRT, signal.SIGSEGV])
def test_the_terminal_is_as_it_was(server, screen, number):
    one = screen()
    one.type("stty -a | sum", "Enter")
    before = one.wait(r"^\d+ +\d+$")[0]
    one.top(server)
    one.wait("configuration 1")
    pid = int(subprocess.run(["pgrep", "-f", f"^{BINARY} top --socket {server.dir}/"], capture_output=True, text=True,
                             check=True).stdout)
    os.kill(pid, number)
    one.wait(r"ended with \d+")
    assert one.modes == ["0", "1"]
    one.type("clear; stty -a | sum", "Enter")
    wait_for(lambda: one.text.count(before) == 1, "the same modes")


def test_it_is_stopped_and_goes_on(server, screen):
    one = screen()
    one.top(server)
    one.wait("configuration 1")
    one.type("C-z")
    one.wait("Stopped|\\$ ")
    assert one.modes == ["0", "1"]
    one.type("fg", "Enter")
    one.wait("^ROUTE")
    assert one.modes == ["1", "0"]
    one.type("C-c")
    wait_for(lambda: one.modes == ["0", "1"], "its end")


def test_colours(server, screen):
    one = screen()
    one.top(server)
    one.wait("sick")
    assert any("\x1b[31m" in line and "sick" in line for line in one.lines(colours=True))
    one.type("q")
    one.wait("ended with 0")
    one.type("clear", "Enter")
    one.type("export NO_COLOR=1", "Enter")
    one.top(server)
    one.wait("sick")
    assert not any("\x1b[31m" in line or "\x1b[1m" in line for line in one.lines(colours=True))


def test_names_do_not_talk_to_the_terminal(server, screen):
    one = screen(120, 40)
    one.run("set-option", "-g", "allow-rename", "on")
    one.top(server)
    one.wait("configuration 1")
    one.type("r")
    one.wait(r"/\?\]0;own\?ed\?31m\*")
    assert "own" not in one.run("display-message", "-p", "#{pane_title} #{window_name}").decode()


def test_without_a_terminal(server, command):
    def picture():
        done = command("top", "--socket", server.dir / "admin.sock")
        return "Connection refused" in done.stdout and done
    done = wait_for(picture, "a server that is known to be sick", 30)
    assert done.returncode == 0 and "\x1b" not in done.stdout and "\x9b" not in done.stdout
    for word in ("/busy/*", "/idle/*", "127.0.0.1:2", "sleeper/1", "Connection refused"):
        assert word in done.stdout
    assert all(len(line) <= 120 for line in done.stdout.splitlines())


def test_what_is_wrong_is_said(command, tmp_path):
    done = command("top", "--socket", tmp_path / "none.sock")
    assert done.returncode == 1 and done.stderr.startswith("petrel top: no server runs at unix:")
    assert command("top", "--every", "soon", "--socket", "x").returncode == 2
    assert command("top", "--every", "1ms", "--socket", "x").returncode == 2
    assert "petrel top: " in command("top", "-c", tmp_path / "none.conf").stderr
