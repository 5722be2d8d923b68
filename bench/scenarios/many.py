"""100,000 connections held at once, and each answered again at the end."""
import time
from contextlib import ExitStack

import load
import servers
import table as t
from stage import port_free, say

NAME = "many"
TITLE = "100,000 connections at once"
ABOUT = ("A process may have only so many descriptors (20,000 where this was made), so six instances share one port by "
         "`SO_REUSEPORT`, and six clients on 24 loopback addresses hold the connections: each is answered, stays idle "
         "while all others come, and is answered again at the end.")
CONNECTIONS = 100000
INSTANCES = 6
FIRST_ADDRESS = 11  # 127.0.0.11 and on
ADDRESSES = 4  # that each client connects from: bench/client.h
HOLD_S = 5


def once(stage, cls, connections):
    share = -(-connections // INSTANCES)
    counts = [min(share, connections - i * share) for i in range(INSTANCES)]
    with ExitStack() as stack:
        port = port_free()
        instances = [stack.enter_context(cls(stage, port, reuseport=True)) for _ in range(INSTANCES)]
        before = sum(s.memory_b() for s in instances)
        begin = time.monotonic()
        clients = [stack.enter_context(load.Client(stage, "hold", port, FIRST_ADDRESS + i * ADDRESSES, n, "/hot.html"))
                   for i, n in enumerate(counts)]
        held = sum(c.hear()["held"] for c in clients)
        opened_s = time.monotonic() - begin
        time.sleep(HOLD_S)
        after = sum(s.memory_b() for s in instances)
        begin = time.monotonic()
        for c in clients:
            c.go_on()
        again = sum(c.hear()["held"] for c in clients)
        return {"held": held, "again": again, "opened_s": opened_s, "asked_s": time.monotonic() - begin,
                "before_b": before, "after_b": after}


def run(stage):
    connections = CONNECTIONS // 10 if stage.quick else CONNECTIONS
    found = {}
    for cls in stage.pick((servers.Petrel, servers.Nginx)):
        found[cls.name] = once(stage, cls, connections)
        say(f"  {cls.name}: {found[cls.name]['again']:,} of {connections:,} answered again")
    return {"settings": {"connections": connections, "instances": INSTANCES}, "servers": found}


def table(result):
    rows = [[name, t.figure(r["held"], 0), t.figure(r["again"], 0), t.figure(r["opened_s"]), t.figure(r["asked_s"]),
             t.figure(r["after_b"] / 2**20), t.figure((r["after_b"] - r["before_b"]) / r["held"], 0) if r["held"] else "–"]
            for name, r in result["servers"].items()]
    return ["server", "held", "answered again", "s to open all", "s to ask all", "MB in all", "bytes each"], rows


def verdict(result):
    own = result["servers"].get("petrel")
    wanted = result["settings"]["connections"]
    return [t.aim("connections answered again", own["again"], wanted, 0, at_least=True)] if own else []
