"""Alternating rounds: every server in turn, the order turned by one each round, so that what else happens on the
machine hits all alike."""
import load
from measure import median
from stage import say

FIGURES = ("cpu_us", "rate", "p50_us", "p99_us", "byte_ns")


def one(stage, server, path, connections, seconds):
    before = server.cpu_s()
    got = load.wrk(stage, server.port, path, connections, seconds)
    cpu = server.cpu_s() - before
    if not got["requests"]:
        raise RuntimeError(f"{server.name} answered nothing")
    return {
        "cpu_us": cpu * 1e6 / got["requests"],
        "byte_ns": cpu * 1e9 / got["bytes"],
        "rate": got["requests"] * 1e6 / got["micros"],
        "p50_us": got["p50_us"],
        "p99_us": got["p99_us"],
        "errors": got["errors"],
    }


def alternate(stage, classes, path, connections, count=None, **how):
    """Raw figures per server: a list of each, a value per round.  `count`: rounds, if not the stage's; `how`: what the
    servers are made with."""
    count = count or stage.rounds
    running = []
    try:
        for c in stage.pick(classes):
            running.append(c(stage, **how))
            running[-1].start()
        raw = {s.name: {"errors": 0, **{f: [] for f in FIGURES}} for s in running}
        for s in running:
            one(stage, s, path, connections, 1)  # warms it
        for i in range(count):
            turn = i % len(running) if running else 0
            for s in running[turn:] + running[:turn]:
                got = one(stage, s, path, connections, stage.seconds)
                raw[s.name]["errors"] += got["errors"]
                for f in FIGURES:
                    raw[s.name][f].append(got[f])
            say(f"  round {i + 1} of {count}")
        return raw
    finally:
        for s in running:
            s.stop()


def middle(raw, figure):
    """{server: median}, of one figure."""
    return {name: median(r[figure]) for name, r in raw.items()}
