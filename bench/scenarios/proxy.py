"""A proxy before one HTTP origin, connections kept on both sides."""
import gateways
import origins
import rounds
import table as t
from measure import median

NAME = "proxy"
TITLE = "HTTP proxy, 4.5 KB"
ABOUT = ("64 keep-alive connections ask for 4,608 bytes that come from an HTTP origin (`bench/origin.c`, on the load's "
         "core), its connections kept, too. CPU time is that of the proxy's process tree alone. lighttpd opens a "
         "connection to the origin for each request.")
CONNECTIONS = 64
AIM_OF_HAPROXY = 0.8


def run(stage):
    with origins.Http(stage) as origin:
        found = rounds.alternate(stage, gateways.PROXIES, "/hot.html", CONNECTIONS, origins=[origin.where])
    return {"settings": {"connections": CONNECTIONS, "seconds": stage.seconds, "rounds": stage.rounds},
            "servers": found}


def table(result):
    raw = result["servers"]
    peer = median(raw["HAProxy"]["cpu_us"]) if "HAProxy" in raw else None
    rows = []
    for name, r in sorted(raw.items(), key=lambda item: median(item[1]["cpu_us"])):
        ratio = t.figure(median(r["cpu_us"]) / peer, 2) if peer else "–"
        rows.append([name, t.measured(r["cpu_us"], 2), ratio, t.measured(r["rate"], 0), t.measured(r["p50_us"], 0),
                     t.measured(r["p99_us"], 0), r["errors"]])
    return ["server", "CPU µs per request", "× HAProxy", "requests/s", "p50 µs", "p99 µs", "errors"], rows


def verdict(result):
    cpu = rounds.middle(result["servers"], "cpu_us")
    lines = []
    if "petrel" in cpu and "HAProxy" in cpu:
        lines.append(t.aim("CPU per proxied request in HAProxy's", cpu["petrel"] / cpu["HAProxy"], AIM_OF_HAPROXY))
    return lines + t.better("CPU µs per proxied request", cpu, 2)
