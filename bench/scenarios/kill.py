"""A backend killed again and again under load; and what an operator does to a pool and to an application under load."""
import math
import subprocess
import time
from contextlib import ExitStack

import gateways
import load
import origins
import servers
import table as t
from stage import say

NAME = "kill"
TITLE = "Backends that die, come and go under load"
ABOUT = ("64 keep-alive connections ask by GET while one of two backends is killed with SIGKILL, started again after half a "
         "second, and left to itself for one and a half, twenty times. Each server may repeat what is safe to repeat, and "
         "watches its backends as it can: petrel and HAProxy ask each five times a second, petrel and nginx leave one out "
         "for a second after failures. For petrel also: a server is added, drained and removed over its admin socket, and "
         "an application of four processes is restarted.")
CONNECTIONS = 64
TIMES = 20
DOWN_S, UP_S = 0.5, 1.5  # up long enough to be under load again when it is killed
STEP_S = 0.1             # between an operator's commands
RESTART_EVERY_S = 0.5
CHECK_EVERY_MS = 200
PROCESSES = 4


class Petrel(gateways.Petrel):
    pool_options = (f"keepalive {gateways.KEPT};"
                    f" health tcp every {CHECK_EVERY_MS}ms timeout 100ms rise 1 fall 2; eject 5 for 1s;")


class PetrelApp(gateways.PetrelFastcgi):
    """Without a pool: the canned application is petrel's own."""

    def conf(self):
        app = f"app bench {{ command \"{load.program('fcgi')} - 0\"; processes {PROCESSES}; connections 64; }}"
        pool = super().conf()
        return pool[:pool.index("pool bench")] + app + pool[pool.index("site *") - 1:]


class Nginx(gateways.Nginx):
    server_options = "max_fails=1 fail_timeout=1s"


class Haproxy(gateways.Haproxy):
    server_options = f"check inter {CHECK_EVERY_MS}ms rise 1 fall 2"
    backend_options = ("http-reuse always\n    option redispatch 1\n    retries 3\n"
                       "    retry-on conn-failure empty-response response-timeout")


def under_load(stage, server, path, seconds, steps):
    """What came of the requests while the steps were taken: each comes with the time when it is due, from a second on."""
    with load.fetch(stage, server.port, CONNECTIONS, math.ceil(seconds) + 2, path) as client:
        begin = time.monotonic() + 1
        for at_s, step in steps:
            time.sleep(max(0, begin + at_s - time.monotonic()))
            step()
        got = client.hear()
    return {**got, "answered": got["good"], "failed": got["lost"] + got["bad"] + got["shed"]}


def killed(stage, cls, times):
    with ExitStack() as stack:
        backends = [stack.enter_context(origins.Http(stage)) for _ in range(2)]
        server = stack.enter_context(cls(stage, origins=[b.where for b in backends]))
        kills = [(i * (DOWN_S + UP_S), backends[0].kill) for i in range(times)]
        starts = [(at_s + DOWN_S, backends[0].start) for at_s, _ in kills]
        steps = sorted(kills + starts, key=lambda step: step[0])
        return under_load(stage, server, "/hot.html", times * (DOWN_S + UP_S), steps)


def ctl(server, words):
    """An operator's command."""
    subprocess.run([server.program, "ctl", "--socket", server.admin, *words.split()], stdout=subprocess.DEVNULL,
                   check=True)


def managed(stage, times):
    with ExitStack() as stack:
        backends = [stack.enter_context(origins.Http(stage)) for _ in range(2)]
        server = stack.enter_context(gateways.Petrel(stage, origins=[backends[0].where]))
        one = backends[1].where
        commands = [f"pool bench add {one}", f"server bench {one} drain", f"pool bench remove {one}"] * times
        steps = [(i * STEP_S, lambda words=words: ctl(server, words)) for i, words in enumerate(commands)]
        return under_load(stage, server, "/hot.html", len(steps) * STEP_S, steps)


def restarted(stage, times):
    with PetrelApp(stage, ready="/hot") as server:
        steps = [(i * RESTART_EVERY_S, lambda: ctl(server, "app bench restart")) for i in range(times)]
        return under_load(stage, server, "/hot", times * RESTART_EVERY_S, steps)


def run(stage):
    times = 3 if stage.quick else TIMES
    found = {}
    for cls in stage.pick((Petrel, Haproxy, Nginx)):
        found[cls.name] = {"killed": killed(stage, cls, times)}
        say(f"  {cls.name}: {found[cls.name]['killed']['failed']} failed of {found[cls.name]['killed']['answered']:,}")
    if servers.Petrel.name in found:
        found["petrel"]["managed"] = managed(stage, times)
        found["petrel"]["restarted"] = restarted(stage, times)
    return {"settings": {"connections": CONNECTIONS, "times": times}, "servers": found}


KINDS = {"killed": "backend killed", "managed": "server added, drained, removed", "restarted": "application restarted"}


def table(result):
    rows = [[f"{what}: {name}", t.figure(r[kind]["answered"], 0), r[kind]["failed"],
             t.figure(r[kind]["longest_us"] / 1000, 0)]
            for kind, what in KINDS.items() for name, r in result["servers"].items() if kind in r]
    return ["what: server", "answered", "failed", "longest ms"], rows


def verdict(result):
    own = result["servers"].get("petrel")
    if not own:
        return []
    failed = {name: r["killed"]["failed"] for name, r in result["servers"].items()}
    return [*(t.aim(f"failed requests, {what}", own[kind]["failed"], 0, 0) for kind, what in KINDS.items()),
            *t.better("Failed requests, backend killed", failed, 0)]
