"""A cache with ten million objects: what a hit costs, what an object costs, and how it goes on at the limit and after a
restart."""
import shutil
import time

import caches
import load
import table as t
from stage import say

NAME = "millions"
TITLE = "Ten million objects"
ABOUT = ("Pages of 100 bytes, with a head of some 270, come from an origin into an empty cache that has room for all of "
         "them; in between any of them are asked for, each as likely as the others, and all are hits. 64 connections. What "
         "an object costs is what the process grew by, less the origin's head and body and the page's address. The peers get as far as "
         "a million.\n\n"
         "*At the limit*: into a cache that has room for a tenth of what comes, CPU time for each page of the first tenth, "
         "which all fit, and of the last, each of which displaces another one. *Restart*: all objects are on disk; from "
         "the start of the process to a first hit of one of them.")
CONNECTIONS = 64
STEPS = (10_000, 100_000, 1_000_000, 10_000_000)
PEERS_MOST = 1_000_000
HITS = 500_000
BODY_B = 100
LIMIT_OBJECTS = 1_000_000
AIM_OF_FIRST = 1.2
AIM_LIMIT = 1.0
AIM_OBJECT_B = 200
AIM_RESTART_S = 1.0
GIGA_B = 1 << 30


def prefix():
    return f"/{BODY_B}/"


def asked(stage, server, count, requests, *how):
    """CPU microseconds for each of these requests, how many came each second, and how many went wrong."""
    before = server.cpu_s()
    got = load.keys(stage, server.port, CONNECTIONS, prefix(), count, requests, *how)
    if not got["good"]:
        raise RuntimeError(f"{server.name} answered nothing")
    return {"cpu_us": max(server.cpu_s() - before, 0.01) * 1e6 / got["good"], "rate": got["good"] / got["seconds"],
            "wrong": got["bad"] + got["lost"] + got["left"]}


def grow(stage, origin, server, steps, hits):
    """A row for each step."""
    rows, there = [], 0
    empty_b = server.held_b()
    for objects in steps:
        fill = asked(stage, server, objects - there, objects - there, "each", there)
        there = objects
        before = origin.count()
        hit = asked(stage, server, objects, hits, "even")
        rows.append({"objects": objects, "hit_us": hit["cpu_us"], "hit_rate": hit["rate"], "fill_us": fill["cpu_us"],
                     "fill_rate": fill["rate"], "wrong": fill["wrong"] + hit["wrong"], "misses": origin.count() - before,
                     "each_b": (server.held_b() - empty_b) / objects})
        say(f"  {server.name}: {objects:,} objects, {rows[-1]['hit_us']:.2f} µs a hit, {rows[-1]['each_b']:.0f} bytes each")
    return rows


def one_server(stage, origin, cls, steps, hits):
    with cls(stage, origins=[origin.where], room_b=max(steps) * cls.small_b + GIGA_B // 4, objects=max(steps)) as server:
        return grow(stage, origin, server, steps, hits)


def limit(stage, origin, objects):
    """Ten times what there is room for, of new pages; the first tenth of the room, and the last."""
    part = objects // 10
    with caches.Petrel(stage, origins=[origin.where], room_b=objects * 600) as server:
        first = asked(stage, server, part, part, "each", 0)
        asked(stage, server, 2 * objects, 2 * objects, "each", part)
        last = asked(stage, server, part, part, "each", part + 2 * objects)
    return {"first_us": first["cpu_us"], "last_us": last["cpu_us"], "first_rate": first["rate"], "last_rate": last["rate"]}


class OnDisk(caches.Petrel):
    """Its folder of pages outlives it."""

    def __init__(self, stage, pages, disk_b, **how):
        super().__init__(stage, room_b=64 * caches.MEGA_B, **how)
        self.cache_options = f"disk {pages} {disk_b};"


def restart(stage, origin, objects):
    pages = stage.work / "pages"
    pages.mkdir()
    how = {"pages": pages, "disk_b": objects * OnDisk.small_b + GIGA_B, "origins": [origin.where]}
    with OnDisk(stage, **how) as server:
        fill = asked(stage, server, objects, objects, "each", 0)
        time.sleep(3)  # what was not written yet is
    before = origin.count()
    server = OnDisk(stage, **how)
    server.ready = f"{prefix()}{objects // 2}"
    begin = time.monotonic()
    try:
        server.start()
        took_s = time.monotonic() - begin
        first_misses = origin.count() - before
        hit = asked(stage, server, objects, min(objects, 20_000), "even")
        return {"objects": objects, "first_hit_s": took_s, "first_misses": first_misses, "fill_us": fill["cpu_us"],
                "disk_hit_us": hit["cpu_us"], "disk_rate": hit["rate"], "misses": origin.count() - before}
    finally:
        server.stop()
        shutil.rmtree(pages, ignore_errors=True)


def head_b(origin):
    """What an object has to take: the origin's head and body, and its address."""
    return origin.answer_b(BODY_B) + len(f"http://bench{prefix()}1234567")


def run(stage):
    scale = 100 if stage.quick else 1
    steps = [n // scale for n in STEPS]
    with caches.Origin(stage) as origin:
        found = {}
        for cls in stage.pick(caches.EVERYONE):
            most = max(steps) if cls is caches.Petrel else PEERS_MOST // scale
            found[cls.name] = {"steps": one_server(stage, origin, cls, [n for n in steps if n <= most], HITS // scale)}
        own = found.get(caches.Petrel.name)
        if own:
            own["limit"] = limit(stage, origin, LIMIT_OBJECTS // scale)
            own["restart"] = restart(stage, origin, max(steps))
        least_b = head_b(origin)
    return {"settings": {"connections": CONNECTIONS, "hits at each step": HITS // scale, "head, body and address, bytes": least_b},
            "servers": found}


def table(result):
    least_b = result["settings"]["head, body and address, bytes"]
    rows = [[name, t.figure(s["objects"], 0), t.figure(s["hit_us"], 2), t.figure(s["hit_rate"], 0), t.figure(s["fill_us"], 2),
             t.figure(s["each_b"], 0), t.figure(s["each_b"] - least_b, 0), t.figure(s["misses"], 0), s["wrong"]]
            for name, r in result["servers"].items() for s in r["steps"]]
    return ["server", "objects", "CPU µs per hit", "hits/s", "CPU µs per fill", "bytes each", "beyond head and body",
            "misses", "failed"], rows


def verdict(result):
    own = result["servers"].get("petrel")
    if not own:
        return []
    first, last = own["steps"][0], own["steps"][-1]
    least_b = result["settings"]["head, body and address, bytes"]
    at, again = own["limit"], own["restart"]
    return [
        t.aim(f"CPU per hit at {last['objects']:,} objects in that at {first['objects']:,}", last["hit_us"] / first["hit_us"],
              AIM_OF_FIRST),
        t.aim("bytes of an object beyond its head, body and address", last["each_b"] - least_b, AIM_OBJECT_B, 0),
        t.aim("CPU per fill at the limit in that at the start", at["last_us"] / at["first_us"], 1.1),
        f"petrel: {at['first_rate']:,.0f} fills/s at the start ({at['first_us']:.2f} µs CPU each), "
        f"{at['last_rate']:,.0f} with an eviction each at the limit ({at['last_us']:.2f} µs).",
        t.aim(f"seconds from a restart with {again['objects']:,} objects on disk to the first hit", again["first_hit_s"],
              AIM_RESTART_S),
        f"petrel: {again['disk_hit_us']:.2f} µs CPU for each hit that is read from disk, {again['disk_rate']:,.0f} a second; "
        f"{again['misses']:,} of them were misses.",
    ]
