"""A pool at its limit, and five times as many clients as it can serve."""
import gateways
import load
import origins
import table as t
from stage import say

NAME = "queue"
TITLE = "A pool at its limit"
ABOUT = ("One origin that takes 50 ms for each answer gets 4 requests at a time: near 80 answers a second and no more; the "
         "capacity is what 4 connections get without a proxy. 400 clients ask, again at once after an answer and 100 ms "
         "after a 503. Up to 100 requests may queue, for at most 500 ms; the others are to get their 503 at once. HAProxy: "
         "`maxconn 4`, `timeout queue 500ms`, and a rule that refuses while 100 are queued.")
CONNECTIONS = 4
DELAY_MS = 50
QUEUE, DEADLINE_MS = 100, 500
CLIENTS, PAUSE_MS = 400, 100
SECONDS = 20
AIM_OF_CAPACITY = 0.95
AIM_OFF_MS = 50
AIM_DOOR_MS = 50


class Petrel(gateways.Petrel):
    server_options = f"connections {CONNECTIONS}"
    pool_options = f"queue {QUEUE} timeout {DEADLINE_MS}ms; keepalive {gateways.KEPT};"


class Haproxy(gateways.Haproxy):
    server_options = f"maxconn {CONNECTIONS}"
    backend_options = (f"http-reuse always\n    timeout queue {DEADLINE_MS}ms\n"
                       f"    http-request deny deny_status 503 if {{ queue(bench) ge {QUEUE} }}")


def capacity(stage, origin, seconds):
    with load.fetch(stage, origin.port, CONNECTIONS, seconds, "/hot.html") as client:
        return client.hear()["good"] / seconds


def once(stage, cls, origin, seconds):
    with cls(stage, origins=[origin.where]) as server:
        with load.Client(stage, "crowd", server.port, CLIENTS, seconds, "/hot.html", PAUSE_MS, DEADLINE_MS // 2) as client:
            return client.hear()


def run(stage):
    seconds = 3 if stage.quick else SECONDS
    found = {}
    with origins.Http(stage, DELAY_MS) as origin:
        most = capacity(stage, origin, seconds)
        for cls in stage.pick((Petrel, Haproxy)):
            found[cls.name] = {**once(stage, cls, origin, seconds), "capacity": most}
            say(f"  {cls.name}: {t.figure(rate(found[cls.name]))} answers per second of {t.figure(most)}")
    return {"settings": {"clients": CLIENTS, "seconds": seconds, "connections": CONNECTIONS, "queue": QUEUE},
            "servers": found}


def rate(r):
    return r["good"] / r["seconds"]


def off_ms(r):
    """How far from its deadline a queued request was given up, at most; without the one percent at each end."""
    if not r["queued"]:
        return None
    return max(abs(r[key] / 1000 - DEADLINE_MS) for key in ("queued_p1_us", "queued_p99_us"))


def table(result):
    rows = [[name, t.figure(rate(r)), t.figure(rate(r) / r["capacity"], 2), t.figure(r["good_p99_us"] / 1000, 0), t.figure(r["queued"], 0),
             *(t.figure(r[key] / 1000, 0) for key in ("queued_p1_us", "queued_p50_us", "queued_p99_us")),
             t.figure(r["door"], 0), *(t.figure(r[key] / 1000, 1) for key in ("door_p50_us", "door_p99_us")),
             r["bad"] + r["lost"]] for name, r in result["servers"].items()]
    return ["server", "answers/s", "× capacity", "their p99 ms", "503 from the queue", "p1 ms", "p50 ms", "p99 ms", "503 at once",
            "p50 ms", "p99 ms", "failed"], rows


def verdict(result):
    own = result["servers"].get("petrel")
    if not own:
        return []
    lines = [t.aim("answers per second in the pool's capacity", rate(own) / own["capacity"], AIM_OF_CAPACITY, at_least=True)]
    if own["queued"]:
        lines.append(t.aim("milliseconds off the queue's deadline", off_ms(own), AIM_OFF_MS, 0))
    if own["door"]:
        lines.append(t.aim("milliseconds to a 503 past the queue's length (p99)", own["door_p99_us"] / 1000, AIM_DOOR_MS, 1))
    return lines
