"""Runs the load: wrk, and our own programs, on the load's core."""
import subprocess
import urllib.request

from stage import BUILD, ROOT


def pairs(line):
    """`requests 10 p50_us 1.5` as a dictionary of numbers."""
    words = line.split()
    return {k: float(v) if "." in v else int(v) for k, v in zip(words[::2], words[1::2])}


def pinned(stage, command):
    return ["taskset", "-c", str(stage.load_core), *map(str, command)]


def program(name):
    return BUILD / name


def wrk(stage, port, path, connections, seconds):
    command = ["wrk", "-t1", f"-c{connections}", f"-d{seconds}s", "-s", ROOT / "bench/wrk.lua",
               f"http://127.0.0.1:{port}{path}"]
    out = subprocess.run(pinned(stage, command), capture_output=True, text=True, timeout=seconds + 60, check=True)
    line = [l for l in out.stdout.splitlines() if l.startswith("bench ")][0]
    return pairs(line.removeprefix("bench "))


class Client:
    """One of our load programs: says lines of pairs, and waits for a line between its steps."""

    def __init__(self, stage, name, *arguments):
        self.process = subprocess.Popen(pinned(stage, [program(name), *arguments]), text=True,
                                        stdin=subprocess.PIPE, stdout=subprocess.PIPE)

    def hear(self):
        line = self.process.stdout.readline()
        if not line:
            raise RuntimeError(f"{self.process.args[3]} ended without a word")
        return pairs(line)

    def go_on(self):
        self.process.stdin.write("go\n")
        self.process.stdin.flush()

    def end(self):
        self.process.stdin.close()
        try:
            self.process.wait(10)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        self.process.stdout.close()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.end()


def fetch(stage, port, connections, seconds, path):
    """Starts asking for one file; hear() says how it went once the seconds are over."""
    return Client(stage, "fetch", port, connections, seconds, path, 0)


def fetch_cold(stage, port, connections, seconds, files):
    return Client(stage, "fetch", port, connections, seconds, "-", files)


def keys(stage, port, connections, prefix, count, requests, *how):
    """bench/keys.c: asks for many pages by their numbers; how it went."""
    command = [program("keys"), port, connections, prefix, count, requests, *how]
    out = subprocess.run(pinned(stage, command), capture_output=True, text=True, check=True)
    return pairs(out.stdout)


def get(port, path):
    """One answer's text."""
    with urllib.request.urlopen(f"http://127.0.0.1:{port}{path}", timeout=5) as answer:
        return answer.read().decode()
