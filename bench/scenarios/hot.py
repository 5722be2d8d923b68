"""One hot file of 4.5 KB on 64 keep-alive connections."""
import rounds
import servers
import table as t
from measure import median

NAME = "hot"
TITLE = "A hot file of 4.5 KB"
ABOUT = ("64 keep-alive connections ask for one file of 4,608 bytes. The figure that counts is CPU time of the server's "
         "whole process tree per request. *floor* is `bench/floor.c`, an epoll loop that parrots a canned answer; "
         "HAProxy, which has no files, gives a canned answer, too.")
AIM_OF_FLOOR = 1.15
CONNECTIONS = 64


def run(stage):
    return {"settings": {"connections": CONNECTIONS, "seconds": stage.seconds, "rounds": stage.rounds},
            "servers": rounds.alternate(stage, servers.EVERYONE, "/hot.html", CONNECTIONS)}


def table(result):
    raw = result["servers"]
    floor = median(raw["floor"]["cpu_us"]) if "floor" in raw else None
    rows = []
    for name, r in sorted(raw.items(), key=lambda item: median(item[1]["cpu_us"])):
        ratio = t.figure(median(r["cpu_us"]) / floor, 2) if floor else "–"
        rows.append([name, t.measured(r["cpu_us"], 2), ratio, t.measured(r["rate"], 0), t.measured(r["p50_us"], 0),
                     t.measured(r["p99_us"], 0), r["errors"]])
    return ["server", "CPU µs per request", "× floor", "requests/s", "p50 µs", "p99 µs", "errors"], rows


def verdict(result):
    cpu = rounds.middle(result["servers"], "cpu_us")
    lines = []
    if "petrel" in cpu and "floor" in cpu:
        lines.append(t.aim("CPU per request in floors", cpu["petrel"] / cpu["floor"], AIM_OF_FLOOR))
    lines += t.better("CPU µs per request", cpu, 2, leave_out=("floor",))
    return lines + t.better("Requests/s", rounds.middle(result["servers"], "rate"), 0, more_is_better=True,
                            leave_out=("floor",))
