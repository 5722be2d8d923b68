"""What visitors notice of a memcached server that fails."""
import signal
import time
from contextlib import ExitStack

import caches
import load
import relay
import table as t
from measure import median
from scenarios import memcached
from stage import say

NAME = "faults"
TITLE = "A memcached server fails"
ABOUT = ("1,000 new pages a second are asked for, each on a connection that is free; pages lie in two memcached servers, "
         "and one of them fails in the ways that it may: it is killed, stopped (SIGSTOP) or started anew, empty; or it goes on "
         "with a lie, which a relay before it tells from then on, to old connections and new ones. The baseline is the p99 "
         "of the second before a fault, the median of all of them. Of the second after it: how much longer than the "
         "baseline the longest request took, and how many took a millisecond longer; of the second after that: its p99.")
RATE, CONNECTIONS = 1000, 64
WARM_S, BEFORE_S, AFTER_S = 0.5, 1, 2
ROUNDS = 3
KEPT = 100  # of the longest of a second: more than may be slow
AIM_LONGEST_MS, AIM_SLOW, AIM_LATER_MS = 25, 20, 1


class Petrel(caches.Petrel):
    cache_options = "memcached shared;"

    @property
    def more(self):
        return f"memcached shared {{ {' '.join(f'server {o};' for o in self.origins[1:])} }}"


class Failing(memcached.Memcached):
    """As such servers fail."""

    def __init__(self, stage, way):
        super().__init__(stage)
        self.fault = {"kill -9": self.kill, "SIGSTOP": self.halt, "a cold restart": self.restart}[way]

    def halt(self):
        self.process.send_signal(signal.SIGSTOP)

    def restart(self):
        self.kill()
        self.start()

    def stop(self):
        self.kill()


PROCESS_WAYS = ("kill -9", "SIGSTOP", "a cold restart")
WAYS = (*PROCESS_WAYS, *relay.WAYS)


def failing(stage, stack, way):
    """One of two servers: it has `where` and fault()."""
    if way in PROCESS_WAYS:
        return stack.enter_context(Failing(stage, way))
    return stack.enter_context(relay.Relay(stage, stack.enter_context(memcached.Memcached(stage)).port, way))


def heard(client):
    """All requests: (when it was asked, in ns; how long it took, in µs; status)."""
    requests = []
    while "left" not in (got := client.hear()):
        requests.append((got["at_ns"], got["took_us"], got["status"]))
    return requests, got["left"]


def p99(requests):
    times = sorted(took_us for _, took_us, _ in requests)
    return times[min(len(times) - 1, len(times) * 99 // 100)]


def judged(requests, begin_ns, at_ns):
    """What of them was before the fault, in the second after it, and later."""
    before = [r for r in requests if r[0] >= begin_ns and r[0] + r[1] * 1000 <= at_ns]
    first = [r for r in requests if r[0] + r[1] * 1000 > at_ns and r[0] < at_ns + 10**9]
    later = [r for r in requests if r[0] >= at_ns + 10**9]
    return {"before_us": p99(before), "longest_us": sorted((r[1] for r in first), reverse=True)[:KEPT],
            "later_us": p99(later)}


def once(stage, origin, well, way, prefix):
    with ExitStack() as stack:
        bad = failing(stage, stack, way)
        server = stack.enter_context(Petrel(stage, origins=[origin.where, well.where, bad.where]))
        client = stack.enter_context(load.Client(stage, "series", server.port, CONNECTIONS, prefix, RATE,
                                                 int(RATE * (WARM_S + BEFORE_S + AFTER_S))))
        client.hear()
        client.go_on()
        time.sleep(WARM_S)
        begin_ns = time.monotonic_ns()
        time.sleep(BEFORE_S)
        at_ns = time.monotonic_ns()
        bad.fault()
        requests, left = heard(client)
    return {**judged(requests, begin_ns, at_ns), "requests": len(requests),
            "failed": left + sum(status != 200 for _, _, status in requests)}


def run(stage):
    count = 1 if stage.quick else ROUNDS
    found = {way: [] for way in WAYS}
    with caches.Origin(stage) as origin, memcached.Memcached(stage) as well:
        for way in WAYS if stage.pick([Petrel]) else ():
            found[way] = [once(stage, origin, well, way, f"/4608/{way.replace(' ', '-')}/{n}/") for n in range(count)]
            longest_ms = median([r["longest_us"][0] for r in found[way]]) / 1000
            say(f"  {way}: the longest took {longest_ms:.1f} ms; {failed(found[way])} failed")
    return {"settings": {"requests per second": RATE, "connections": CONNECTIONS, "rounds": count},
            "servers": {"petrel": found} if any(found.values()) else {}}


def failed(tries):
    return sum(r["failed"] for r in tries)


def noticed(own):
    """{fault: (ms over the baseline that the longest took, requests that were slow, ms over it a second later)}"""
    base_us = median([r["before_us"] for tries in own.values() for r in tries])
    slow_us = base_us + AIM_LATER_MS * 1000
    return {way: (median([r["longest_us"][0] - base_us for r in tries]) / 1000,
                  median([sum(us > slow_us for us in r["longest_us"]) for r in tries]),
                  median([r["later_us"] - base_us for r in tries]) / 1000) for way, tries in own.items()}


def table(result):
    rows = []
    for own in result["servers"].values():
        for way, (longest_ms, slow, later_ms) in noticed(own).items():
            before_ms = [r["before_us"] / 1000 for r in own[way]]
            rows.append([way, t.measured(before_ms, 2), t.figure(longest_ms), t.figure(slow, 0), t.figure(later_ms, 2),
                         failed(own[way])])
    return ["fault", "p99 before it, ms", "longest, ms over the baseline", "slow ones", "p99 a second later, ms over it",
            "failed"], rows


def verdict(result):
    own = result["servers"].get("petrel")
    if not own:
        return []
    longest_ms, slow, later_ms = (max(figures) for figures in zip(*noticed(own).values()))
    return [t.aim("failed requests over all faults", sum(map(failed, own.values())), 0, 0),
            t.aim("milliseconds over the baseline, the longest after a fault", longest_ms, AIM_LONGEST_MS, 1),
            t.aim("requests that a fault made slower", slow, AIM_SLOW, 0),
            t.aim("milliseconds over the baseline a second after a fault (p99)", later_ms, AIM_LATER_MS)]
