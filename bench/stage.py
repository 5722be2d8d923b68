"""Where a run takes place: folders, cores, lengths, and which servers are there."""
import os
import socket
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
BUILD = ROOT / "build" / "bench"


def say(text):
    print(text, flush=True)


def port_free():
    """A port that nobody listens on now."""
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


class Stage:
    """One core for the server, another one for what loads it: else they would disturb each other."""

    def __init__(self, quick=False, rounds=None, seconds=None, only_servers=None):
        cores = sorted(os.sched_getaffinity(0))
        if len(cores) < 2:
            sys.exit("bench: needs two cores, one for the server and one for the load")
        self.server_core, self.load_core = cores[0], cores[-1]
        self.quick = quick
        self.rounds = rounds or (1 if quick else 5)
        self.seconds = seconds or (1 if quick else 3)
        self.only_servers = only_servers
        self.whole = not quick and not only_servers  # else the figures are for the eye, not for the documentation
        self.work = BUILD / f"work-{os.getpid()}"
        self.site = BUILD / "site"
        self.work.mkdir(parents=True, exist_ok=True)

    def pick(self, classes):
        """Of these server classes the ones that are installed and wanted; says which are not installed."""
        wanted = [c for c in classes if not self.only_servers or c.name in self.only_servers]
        for c in wanted:
            if not c.found():
                say(f"  {c.name} is not installed: skipped (make bench installs it)")
        return [c for c in wanted if c.found()]
