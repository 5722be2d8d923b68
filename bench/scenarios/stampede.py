"""A thousand clients at once for one page that is not there yet."""
import caches
import load
import table as t
from stage import say

NAME = "stampede"
TITLE = "A thousand clients for one uncached page"
ABOUT = ("1,000 open connections ask at the same moment for the same page, which is not cached; its origin takes 200 ms. "
         "Counted is how many requests came to the origin. Every cache has what its manual advises against this: nginx "
         "`proxy_cache_lock`, Traffic Server its plugin `collapsed_forwarding`, Squid `collapsed_forwarding`; Varnish does "
         "it by itself.")
CLIENTS = 1000
DELAY_MS = 200
ROUNDS = 3


class Trafficserver(caches.Trafficserver):
    plugins = "collapsed_forwarding.so --delay=25 --retries=400\n"


def once(stage, origin, server, page):
    before = origin.count()
    got = load.keys(stage, server.port, CLIENTS, f"/4608/{page}/", 1, CLIENTS, "each", 0)
    return {"origin": origin.count() - before, "good": got["good"], "p50_us": got["p50_us"], "longest_us": got["longest_us"]}


def run(stage):
    clients = CLIENTS
    found = {}
    with caches.Origin(stage, DELAY_MS) as origin:
        everyone = [Trafficserver if c is caches.Trafficserver else c for c in caches.EVERYONE]
        for cls in stage.pick(everyone):
            with cls(stage, origins=[origin.where]) as server:
                found[cls.name] = [once(stage, origin, server, page) for page in range(ROUNDS)]
            say(f"  {cls.name}: {', '.join(str(r['origin']) for r in found[cls.name])} requests to the origin")
    return {"settings": {"clients": clients, "origin's delay, ms": DELAY_MS, "rounds": ROUNDS}, "servers": found}


def worst(result, figure):
    return {name: max(r[figure] for r in tries) for name, tries in result["servers"].items()}


def table(result):
    rows = [[name, " ".join(str(r["origin"]) for r in tries), min(r["good"] for r in tries),
             *(t.figure(max(r[f] for r in tries) / 1000, 0) for f in ("p50_us", "longest_us"))]
            for name, tries in result["servers"].items()]
    return ["server", "requests to the origin", "answered", "median ms", "longest ms"], rows


def verdict(result):
    origin = worst(result, "origin")
    if "petrel" not in origin:
        return []
    return [t.aim("most requests to the origin", origin["petrel"], 1, 0),
            *t.better("Longest wait, ms", {n: v / 1000 for n, v in worst(result, "longest_us").items()}, 0)]
