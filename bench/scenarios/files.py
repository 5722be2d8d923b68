"""A file of 100 KB and one of 10 MB: CPU per byte."""
import rounds
import servers
import table as t
from measure import median

NAME = "files"
TITLE = "Files of 100 KB and 10 MB"
ABOUT = "What a byte costs: CPU time of the server's process tree, per KB that arrived. The files are in the page cache."
KINDS = {"100 KB": ("/100k.bin", 64), "10 MB": ("/10m.bin", 16)}


def run(stage):
    settings = {"connections": {kind: c for kind, (_, c) in KINDS.items()}, "seconds": stage.seconds,
                "rounds": stage.rounds}
    found = {}
    for kind, (path, connections) in KINDS.items():
        for name, raw in rounds.alternate(stage, servers.FILE_SERVERS, path, connections).items():
            found.setdefault(name, {})[kind] = raw
    return {"settings": settings, "servers": found}


def table(result):
    rows = []
    for kind in KINDS:
        of_kind = {name: r[kind] for name, r in result["servers"].items() if kind in r}
        for name, r in sorted(of_kind.items(), key=lambda item: median(item[1]["byte_ns"])):
            rows.append([f"{kind}: {name}", t.measured([v * 1024 for v in r["byte_ns"]]), t.measured(r["cpu_us"], 0),
                         t.measured(r["rate"], 0), t.measured(r["p99_us"], 0), r["errors"]])
    return ["file: server", "CPU ns per KB", "CPU µs per request", "requests/s", "p99 µs", "errors"], rows


def verdict(result):
    lines = []
    for kind in KINDS:
        each = {name: median(r[kind]["byte_ns"]) * 1024 for name, r in result["servers"].items() if kind in r}
        lines += t.better(f"CPU ns per KB of a {kind} file", each)
    return lines
