"""10,000 idle proxied WebSockets: user memory of each."""
import time
from contextlib import ExitStack

import gateways
import load
import origins
import table as t
from measure import median
from stage import say

NAME = "websockets"
TITLE = "Idle proxied WebSockets"
ABOUT = ("10,000 WebSockets are opened through a proxy to one origin (`bench/origin.c`), stay idle, and each is used once "
         "more at the end. A tunnel takes two descriptors, and a process may have 20,000 where this was made, so two "
         "instances carry one half each. The bytes are the growth of the instances' PSS divided by the number of "
         "tunnels; the kernel's share isn't in it.")
TUNNELS = 10000
INSTANCES = 2
FIRST_ADDRESS = 11  # 127.0.0.11 and on
ADDRESSES = 4  # that each client connects from: bench/client.h
AIM_B = 2048
SETTLE_S = 1.5
SERVERS = (gateways.Petrel, gateways.NginxTunnel, gateways.Haproxy)


def hold(stage, server, index, count):
    return load.Client(stage, "hold", server.port, FIRST_ADDRESS + index * ADDRESSES, count, "/chat", "websocket")


def warm(stage, instances):
    for i, server in enumerate(instances):
        with hold(stage, server, i, 64) as client:
            client.hear()
    time.sleep(SETTLE_S)


def once(stage, cls, tunnels):
    share = tunnels // INSTANCES
    with ExitStack() as stack:
        origin = stack.enter_context(origins.Http(stage))
        instances = [stack.enter_context(cls(stage, origins=[origin.where])) for _ in range(INSTANCES)]
        warm(stage, instances)
        before = sum(s.memory_b() for s in instances)
        clients = [stack.enter_context(hold(stage, s, i, share)) for i, s in enumerate(instances)]
        failed = sum(c.hear()["failed"] for c in clients)
        time.sleep(SETTLE_S)
        each = (sum(s.memory_b() for s in instances) - before) / tunnels
        for c in clients:
            c.go_on()
        again = sum(c.hear()["failed"] for c in clients)
    return each, failed, again


def run(stage):
    tunnels = TUNNELS // 5 if stage.quick else TUNNELS
    times = 1 if stage.quick else 3
    found = {}
    for cls in stage.pick(SERVERS):
        tries = [once(stage, cls, tunnels) for _ in range(times)]
        found[cls.name] = {"each_b": [x[0] for x in tries], "failed": sum(x[1] for x in tries),
                           "again_failed": sum(x[2] for x in tries)}
        say(f"  {cls.name}: {t.measured(found[cls.name]['each_b'], 0)} bytes")
    return {"settings": {"tunnels": tunnels, "instances": INSTANCES, "rounds": times}, "servers": found}


def table(result):
    rows = [[name, t.measured(r["each_b"], 0), r["failed"], r["again_failed"]]
            for name, r in sorted(result["servers"].items(), key=lambda item: median(item[1]["each_b"]))]
    return ["server", "bytes per tunnel", "failed", "failed at the end"], rows


def verdict(result):
    each = {name: median(r["each_b"]) for name, r in result["servers"].items()}
    lines = [t.aim("bytes per idle tunnel", each["petrel"], AIM_B, 0)] if "petrel" in each else []
    return lines + t.better("Bytes per idle tunnel", each, 0)
