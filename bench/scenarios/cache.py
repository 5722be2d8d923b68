"""A page that is kept, in memory, on 64 keep-alive connections."""
import caches
import rounds
import servers
import table as t
from measure import median

NAME = "cache"
TITLE = "A cached page of 4.5 KB"
ABOUT = ("64 keep-alive connections ask for one page of 4,608 bytes that an HTTP origin made (`bench/pages.c`) and that may "
         "be kept for a year: after the first request all are hits in memory. The figure that counts is CPU time of the "
         "server's whole process tree per request; *floor* is `bench/floor.c`. Each cache is set up as its manual advises "
         "(`bench/caches.py`), on one core, without an access log; nginx keeps its pages in files, which lie in memory here.")
AIM_OF_FLOOR = 1.15
CONNECTIONS = 64
PAGE = "/4608/hot"


def run(stage):
    with caches.Origin(stage) as origin:
        found = rounds.alternate(stage, (caches.Petrel, servers.Floor, *caches.PEERS), PAGE, CONNECTIONS,
                                 origins=[origin.where])
        asked = origin.count()
    return {"settings": {"connections": CONNECTIONS, "seconds": stage.seconds, "rounds": stage.rounds,
                         "requests to the origin": asked}, "servers": found}


def table(result):
    raw = result["servers"]
    floor = median(raw["floor"]["cpu_us"]) if "floor" in raw else None
    rows = []
    for name, r in sorted(raw.items(), key=lambda item: median(item[1]["cpu_us"])):
        ratio = t.figure(median(r["cpu_us"]) / floor, 2) if floor else "–"
        rows.append([name, t.measured(r["cpu_us"], 2), ratio, t.measured(r["rate"], 0), t.measured(r["p50_us"], 0),
                     t.measured(r["p99_us"], 0), r["errors"]])
    return ["server", "CPU µs per hit", "× floor", "requests/s", "p50 µs", "p99 µs", "errors"], rows


def verdict(result):
    cpu = rounds.middle(result["servers"], "cpu_us")
    lines = []
    if "petrel" in cpu and "floor" in cpu:
        lines.append(t.aim("CPU per hit in floors", cpu["petrel"] / cpu["floor"], AIM_OF_FLOOR))
    return lines + t.better("CPU µs per hit", cpu, 2, leave_out=("floor",))
