"""What a page costs that another machine left in memcached."""
import caches
import load
import origins
import table as t
from measure import median
from stage import port_free, say

NAME = "memcached"
TITLE = "A page that lies in memcached"
ABOUT = ("One petrel fills memcached with pages of 4,608 bytes; another one, whose memory is empty, is asked for each of them "
         "once, which are hits in memcached, and then once more, which are hits in its memory. One connection asks one "
         "request after the other; memcached runs on the load's core. What memcached adds is the difference of the medians.")
PAGES = 20_000
AIM_US = 150


class Memcached(origins.Origin):
    def __init__(self, stage):
        super().__init__(stage, f"127.0.0.1:{port_free()}")

    def command(self):
        return ["memcached", "-u", "root", "-l", "127.0.0.1", "-p", self.port, "-m", "512", "-t", "1", "-U", "0"]


class Petrel(caches.Petrel):
    cache_options = "memcached shared;"

    @property
    def more(self):
        return f"memcached shared {{ server {self.origins[1]}; }}"


def pass_once(stage, origin, server, connections, pages):
    before, cpu = origin.count(), server.cpu_s()
    got = load.keys(stage, server.port, connections, "/4608/", pages, pages, "each", 0)
    return {"p50_us": got["p50_us"], "p99_us": got["p99_us"], "cpu_us": (server.cpu_s() - cpu) * 1e6 / pages,
            "misses": origin.count() - before, "wrong": got["bad"] + got["lost"] + got["left"]}


def one_round(stage, origin, memcached, pages):
    how = {"origins": [origin.where, memcached.where]}
    with Petrel(stage, **how) as server:
        first = pass_once(stage, origin, server, 16, pages)
    with Petrel(stage, **how) as server:
        shared = pass_once(stage, origin, server, 1, pages)
        own = pass_once(stage, origin, server, 1, pages)
    return {"first": first, "memcached": shared, "memory": own}


def run(stage):
    pages = PAGES // 10 if stage.quick else PAGES
    with caches.Origin(stage) as origin, Memcached(stage) as memcached:
        tries = [one_round(stage, origin, memcached, pages) for _ in range(min(3, stage.rounds))]
    added = [r["memcached"]["p50_us"] - r["memory"]["p50_us"] for r in tries]
    say(f"  added: {', '.join(f'{a:.0f} µs' for a in added)}")
    found = {"petrel": {"tries": tries, "added_us": added}} if stage.pick([Petrel]) else {}
    return {"settings": {"pages": pages, "rounds": len(tries)}, "servers": found}


def table(result):
    rows = []
    for r in result["servers"].values():
        for where, name in (("first", "nowhere: from the origin"), ("memcached", "in memcached"), ("memory", "in memory")):
            values = {f: [one[where][f] for one in r["tries"]] for f in ("p50_us", "p99_us", "cpu_us", "misses", "wrong")}
            rows.append([name, *(t.measured(values[f]) for f in ("p50_us", "p99_us", "cpu_us")), sum(values["misses"]),
                         sum(values["wrong"])])
    return ["the page is", "p50 µs", "p99 µs", "CPU µs", "misses", "failed"], rows


def verdict(result):
    own = result["servers"].get("petrel")
    return [t.aim("microseconds that memcached adds (medians)", median(own["added_us"]), AIM_US, 0)] if own else []
