"""A hot file while the disk is saturated: the question that petrel was made for."""
import time

import content
import load
import servers
import table as t
import throttle
from measure import median
from scenarios.skip import Skip
from stage import say

NAME = "disk"
TITLE = "A hot file while the disk is busy"
ABOUT = ("20,000 files (median 4.5 KB, mean 9 KB, log-normal) lie on a disk of which the server's block-I/O control "
         "group may read 150 times a second; all caches are dropped. 32 connections ask for cold files, each once; "
         "8 connections ask for *one hot file*. First the hot ones alone, with the disk idle, then both. "
         "An answer that is still owed at the end counts with the time that it has waited.")
IOPS = 150
HOT_CONNECTIONS = 8
COLD_CONNECTIONS = 32
LEAD_S = 0.5  # the disk is busy before the hot ones begin and after they end
BUSY_S = 16  # in the first seconds folders and inode tables take all reads, and hardly any cold file comes
AIM_RATE = 0.9
AIM_P99 = 2
CLASSES = (servers.Petrel, servers.Nginx, servers.NginxThreads, servers.Lighttpd, servers.H2o, servers.Caddy)


def hot(stage, server, seconds):
    return load.fetch(stage, server.port, HOT_CONNECTIONS, seconds, "/hot.html")


def once(stage, cls, group, idle_s, busy_s):
    """Idle first; then caches dropped, the hot file asked for once more, and the disk throttled."""
    server = cls(stage)
    try:
        server.start(group)
        with hot(stage, server, idle_s) as client:
            idle = client.hear()
        throttle.caches_drop()
        server.status("/hot.html")
        group.limit(IOPS)
        with load.fetch_cold(stage, server.port, COLD_CONNECTIONS, round(busy_s + 2 * LEAD_S), content.COLD_FILES) as cold_client:
            time.sleep(LEAD_S)
            with hot(stage, server, busy_s) as client:
                busy = client.hear()
            cold = cold_client.hear()
        return {"idle": idle, "busy": busy, "cold": cold}
    finally:
        group.limit(None)  # else it could not even end: its reads are held
        server.stop()


def run(stage):
    content.site(stage)
    group = throttle.Group(stage.site)
    reason = group.why_not()
    if reason:
        raise Skip(reason)
    content.cold(stage)
    idle_s, busy_s, times = (2, 3, 1) if stage.quick else (5, BUSY_S, 3)
    found = {}
    with group:
        classes = stage.pick(CLASSES)
        for i in range(times):
            for cls in classes[i:] + classes[:i]:
                got = once(stage, cls, group, idle_s, busy_s)
                found.setdefault(cls.name, []).append(got)
                say(f"  {cls.name}: hot {rate(got['idle'])}/s, with the disk busy {rate(got['busy'])}/s")
    return {"settings": {"iops": IOPS, "files": content.COLD_FILES, "seconds": busy_s, "rounds": times},
            "servers": found}


def rate(got, what="good"):
    return round(got[what] / got["seconds"])


def rates(tries, phase, what="good"):
    return [got[phase][what] / got[phase]["seconds"] for got in tries]


def values(tries, phase, what):
    return [got[phase][what] for got in tries]


def kept(tries):
    """Which share of the hot rate is left."""
    return median(rates(tries, "busy")) / median(rates(tries, "idle"))


def table(result):
    rows = []
    for name, tries in sorted(result["servers"].items(), key=lambda item: -kept(item[1])):
        lost = sum(values(tries, "busy", "lost") + values(tries, "cold", "lost"))
        rows.append([name, t.measured(rates(tries, "idle"), 0), t.measured(rates(tries, "busy"), 0),
                     t.figure(kept(tries), 2), t.figure(median(values(tries, "busy", "p50_us")), 0),
                     t.figure(median(values(tries, "idle", "p99_us")), 0),
                     t.figure(median(values(tries, "busy", "p99_us")), 0), t.measured(rates(tries, "cold"), 0),
                     t.figure(median(rates(tries, "cold", "shed")), 0), lost])
    return ["server", "hot/s, disk idle", "hot/s, disk busy", "kept", "p50 µs busy", "p99 µs idle", "p99 µs busy",
            "cold/s", "shed/s", "lost"], rows


def verdict(result):
    raw = result["servers"]
    own = raw.get("petrel")
    if not own:
        return []
    p99 = [median(values(own, phase, "p99_us")) for phase in ("idle", "busy")]
    lines = [t.aim("share of the hot rate that is kept", kept(own), AIM_RATE, at_least=True),
             t.aim("p99 of hot requests, busy against idle", p99[1] / p99[0], AIM_P99)]
    lines += t.better("Share of the hot rate that is kept", {n: kept(r) for n, r in raw.items()}, 2, more_is_better=True)
    return lines + t.better("Cold answers per second", {n: median(rates(r, "cold")) for n, r in raw.items()},
                            0, more_is_better=True)
