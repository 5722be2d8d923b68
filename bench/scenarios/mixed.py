"""Ten million mixed requests: does memory grow?"""
import os
import time

import load
import servers
import table as t
from measure import PRIVATE
from stage import say

NAME = "mixed"
TITLE = "Ten million mixed requests"
ABOUT = ("Sizes from 1 KB to 100 KB, ranges, HEAD, conditional requests, 404s, clients that leave at once or halfway; "
         "64 connections, fixed seed (`bench/mixed.c`). The server's memory after the first million against that at the "
         "end, both while nothing is asked.")
REQUESTS = int(os.environ.get("MIXED", 10_000_000))
FIRST = 1_000_000
QUICK, QUICK_FIRST = 200_000, 50_000
AIM = 1.01
SETTLE_S = 2


def weigh(server):
    time.sleep(SETTLE_S)
    return {"pss_b": server.memory_b(), "private_b": server.memory_b(PRIVATE)}


def once(stage, cls, requests, first):
    with cls(stage) as server:
        begin = time.monotonic()
        with load.Client(stage, "mixed", server.port, requests, first) as client:
            client.hear()
            early = weigh(server)
            client.go_on()
            end = client.hear()
            took_s = time.monotonic() - begin
            late = weigh(server)
    return {"first": early, "end": late, "took_s": took_s, **end}


def run(stage):
    requests, first = (QUICK, QUICK_FIRST) if stage.quick else (REQUESTS, min(FIRST, REQUESTS))
    found = {}
    for cls in stage.pick((servers.Petrel, servers.Nginx)):
        found[cls.name] = once(stage, cls, requests, first)
        say(f"  {cls.name}: {growth(found[cls.name]):.3f} of the memory after the first {first:,}")
    return {"settings": {"requests": requests, "first": first}, "servers": found}


def growth(r):
    return r["end"]["private_b"] / r["first"]["private_b"]


def table(result):
    rows = [[name, t.figure(r["answered"], 0), t.figure(r["first"]["private_b"] / 1024, 0),
             t.figure(r["end"]["private_b"] / 1024, 0), t.figure(growth(r), 3),
             t.figure(r["end"]["pss_b"] / r["first"]["pss_b"], 3), r["wrong"], r["lost"]]
            for name, r in result["servers"].items()]
    return ["server", "answered", "private KB, first", "private KB, end", "ratio", "ratio of PSS", "wrong status",
            "lost"], rows


def verdict(result):
    own = result["servers"].get("petrel")
    return [t.aim("memory at the end against after the first part", growth(own), AIM, 3)] if own else []
