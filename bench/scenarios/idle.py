"""10,000 idle keep-alive connections: user memory of each."""
import time

import load
import servers
import table as t
from measure import median
from stage import say

NAME = "idle"
TITLE = "Idle keep-alive connections"
ABOUT = ("10,000 connections are opened, each asks for one file, and stays idle. The bytes are the growth of the server's "
         "proportional set size (PSS, its process tree) divided by their number; the kernel's share isn't in it.")
CONNECTIONS = 10000
AIM_B = 256
SETTLE_S = 1.5


def once(stage, cls, connections):
    with cls(stage) as server:
        with load.fetch(stage, server.port, 64, 1, "/hot.html") as warm:
            warm.hear()
        time.sleep(SETTLE_S)
        before = server.memory_b()
        with load.Client(stage, "hold", server.port, 1, connections, "/hot.html") as client:
            held = client.hear()
            time.sleep(SETTLE_S)
            each = (server.memory_b() - before) / connections
            client.go_on()
            again = client.hear()
    return each, held["failed"], again["failed"]


def run(stage):
    connections = CONNECTIONS // 5 if stage.quick else CONNECTIONS
    times = 1 if stage.quick else 3
    found = {}
    for cls in stage.pick(c for c in servers.EVERYONE if c is not servers.Floor):
        tries = [once(stage, cls, connections) for _ in range(times)]
        found[cls.name] = {"each_b": [x[0] for x in tries], "failed": sum(x[1] + x[2] for x in tries)}
        say(f"  {cls.name}: {t.measured(found[cls.name]['each_b'], 0)} bytes")
    return {"settings": {"connections": connections, "rounds": times}, "servers": found}


def table(result):
    rows = [[name, t.measured(r["each_b"], 0), r["failed"]]
            for name, r in sorted(result["servers"].items(), key=lambda item: median(item[1]["each_b"]))]
    return ["server", "bytes per connection", "failed requests"], rows


def verdict(result):
    each = {name: median(r["each_b"]) for name, r in result["servers"].items()}
    lines = [t.aim("bytes per idle connection", each["petrel"], AIM_B, 0)] if "petrel" in each else []
    return lines + t.better("Bytes per idle connection", each, 0)
