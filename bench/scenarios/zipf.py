"""Ten times as many pages as fit: how many requests are hits."""
import caches
import load
import table as t
from stage import say

NAME = "zipf"
TITLE = "Ten times more pages than memory"
ABOUT = ("200,000 pages of 4,608 bytes are asked for by Zipf's law, exponent 0.9: a page's likelihood falls with its rank. "
         "Each cache may hold a tenth of the bytes: petrel `memory`, Varnish `malloc`, Squid `cache_mem`, nginx a "
         "zone for so many keys. After a million requests that fill it, the hits of a second "
         "million are counted, at the origin. Memory is what the process took at the end beyond its start, and for nginx what "
         "its folder held as well: Varnish counts neither its bookkeeping nor what its allocator wastes.")
PAGES = 200_000
PAGE_B = 4608
REQUESTS = 1_000_000
EXPONENT = 90
CONNECTIONS = 64


class Nginx(caches.Nginx):
    """Its cache manager looks after the folder's size every ten seconds only; the zone of keys is a bound that holds at
    once: 8,000 keys to the megabyte.  Files that it keeps open would still be there, and be served, after they were
    deleted."""
    open_files = ""

    @property
    def zone_k(self):
        return self.room_b // PAGE_B // 8

    @property
    def files_k(self):
        return 2 * self.room_k  # a page takes two blocks, which are not counted against it


def one_server(stage, origin, cls, pages, requests):
    with cls(stage, origins=[origin.where], room_b=pages * PAGE_B // 10, objects=pages) as server:
        start_b = server.held_b()
        load.keys(stage, server.port, CONNECTIONS, f"/{PAGE_B}/", pages, requests, "zipf", EXPONENT, 1)
        before, cpu = origin.count(), server.cpu_s()
        got = load.keys(stage, server.port, CONNECTIONS, f"/{PAGE_B}/", pages, requests, "zipf", EXPONENT, 2)
        return {"hits": 1 - (origin.count() - before) / requests, "cpu_us": (server.cpu_s() - cpu) * 1e6 / requests,
                "wrong": got["bad"] + got["lost"] + got["left"], "held_b": server.held_b() - start_b}


def run(stage):
    scale = 10 if stage.quick else 1
    pages, requests = PAGES // scale, REQUESTS // scale
    found = {}
    with caches.Origin(stage) as origin:
        for cls in stage.pick((caches.Petrel, Nginx, caches.Varnish, caches.Squid)):
            found[cls.name] = one_server(stage, origin, cls, pages, requests)
            say(f"  {cls.name}: {found[cls.name]['hits'] * 100:.1f} % hits")
    return {"settings": {"pages": pages, "requests": requests, "memory, MB": pages * PAGE_B // 10 // caches.MEGA_B},
            "servers": found}


def table(result):
    rows = [[name, t.figure(r["hits"] * 100), t.figure(r["cpu_us"], 2), t.figure(r["held_b"] / caches.MEGA_B, 0), r["wrong"]]
            for name, r in sorted(result["servers"].items(), key=lambda item: -item[1]["hits"])]
    return ["server", "hits %", "CPU µs per request", "memory MB", "failed"], rows


def verdict(result):
    hits = {name: r["hits"] * 100 for name, r in result["servers"].items()}
    lines = [t.aim(f"hits in {peer}'s", hits["petrel"] / hits[peer], 1, 3, at_least=True)
             for peer in ("nginx", "Varnish") if peer in hits and "petrel" in hits]
    return lines + t.better("Hits, %", hits, more_is_better=True)
