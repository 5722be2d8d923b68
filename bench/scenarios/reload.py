"""Reloads under load, and a reload to 10,000 sites and back."""
import time

import load
import servers
import table as t
from stage import say

NAME = "reload"
TITLE = "Reloading"
ABOUT = ("500 reloads in a minute (SIGHUP) while 64 keep-alive connections ask for the hot file: requests that failed, "
         "connections that the server closed, memory of its process tree. Then a reload to 10,000 sites: the time until "
         "the last of them answers, and the memory with them and after two reloads back to one site.")
RELOADS, RELOADS_S = 500, 60
SITES = 10000
CONNECTIONS = 64
AIM_SITES_MS = 1000
AIM_MEMORY = 1.02
SETTLE_S = 3
PATIENCE_S = 30


def hammer(stage, server, reloads, seconds):
    """Reloads evenly spread over the time; the load goes on a second longer at each end."""
    with load.fetch(stage, server.port, CONNECTIONS, seconds + 2, "/hot.html") as client:
        begin = time.monotonic() + 1
        before = server.memory_b()
        for i in range(reloads):
            time.sleep(max(0, begin + i * seconds / reloads - time.monotonic()))
            server.reload()
        got = client.hear()
    time.sleep(SETTLE_S)
    return {"answered": got["good"], "failed": got["lost"] + got["bad"] + got["shed"], "reopened": got["reopened"],
            "before_b": before, "after_b": server.memory_b()}


def in_effect_ms(server, sites, path, status):
    """Writes the configuration with so many sites, reloads, and waits until the last site answers with `status`."""
    server.sites = sites
    server.write()
    begin = time.monotonic()
    server.reload()
    while time.monotonic() - begin < PATIENCE_S:
        if server.status(path, host=f"s{SITES - 1}.example") == status:
            return (time.monotonic() - begin) * 1000
        time.sleep(0.002)
    return None


def there_and_back(server):
    there = in_effect_ms(server, SITES, "/which", 200)
    time.sleep(SETTLE_S)
    full = server.memory_b()
    back = in_effect_ms(server, 0, "/which", 404)
    time.sleep(SETTLE_S)
    return {"there_ms": there, "full_b": full, "back_ms": back, "after_b": server.memory_b()}


def once(stage, cls, reloads, seconds):
    with cls(stage) as server:
        hammered = hammer(stage, server, reloads, seconds)
        before = server.memory_b()
        sites = [there_and_back(server) for _ in range(2)]
    return {"hammer": hammered, "sites_before_b": before, "sites": sites}


def run(stage):
    reloads, seconds = (20, 3) if stage.quick else (RELOADS, RELOADS_S)
    found = {}
    for cls in stage.pick((servers.Petrel, servers.Nginx)):
        found[cls.name] = once(stage, cls, reloads, seconds)
        r = found[cls.name]
        say(f"  {cls.name}: {r['hammer']['failed']} failed of {r['hammer']['answered']:,}")
    return {"settings": {"reloads": reloads, "seconds": seconds, "sites": SITES}, "servers": found}


def table(result):
    rows = []
    for name, r in result["servers"].items():
        h, s = r["hammer"], r["sites"]
        rows.append([name, t.figure(h["answered"], 0), h["failed"], h["reopened"],
                     *(t.figure(b / 2**20, 2) for b in (h["before_b"], h["after_b"])),
                     *(t.figure(x["there_ms"], 0) for x in s),
                     *(t.figure(b / 2**20, 2) for b in (r["sites_before_b"], s[0]["full_b"], s[0]["after_b"],
                                                        s[1]["after_b"]))])
    return ["server", "answered", "failed", "closed", "MB before", "MB after", "ms to 10,000 sites", "again",
            "MB before", "MB with", "MB after", "MB after twice"], rows


def verdict(result):
    own = result["servers"].get("petrel")
    if not own:
        return []
    lines = [t.aim("failed requests over the reloads", own["hammer"]["failed"], 0, 0)]
    there = own["sites"][0]["there_ms"]
    if there is None:
        return lines + [f"petrel: 10,000 sites were not in effect after {PATIENCE_S} s."]
    return lines + [t.aim("milliseconds until 10,000 sites are in effect", there, AIM_SITES_MS, 0),
                    t.aim("memory after 10,000 sites against before", own["sites"][1]["after_b"] / own["sites_before_b"],
                          AIM_MEMORY, 3)]
