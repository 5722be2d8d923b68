"""From exec to the first answer."""
import subprocess

import load
import servers
import table as t
from measure import median
from stage import say

NAME = "start"
TITLE = "From exec to the first answer"
ABOUT = "The server is started and asked in a tight loop until it answers with the hot file (`bench/first.c`)."
TIMES = 20
AIM_MS = 20


def once(stage, server):
    server.write()
    command = [load.program("first"), server.port, "/hot.html", stage.server_core, *server.command()]
    with open(server.folder / "log", "ab") as log:
        out = subprocess.run(load.pinned(stage, command), stdout=subprocess.PIPE, stderr=log, text=True,
                             cwd=server.folder, env=server.environment(), timeout=60, check=True)
    return load.pairs(out.stdout)["first_ms"]


def run(stage):
    times = 3 if stage.quick else TIMES
    found = {}
    for cls in stage.pick(servers.EVERYONE):
        server = cls(stage)
        try:
            found[cls.name] = {"first_ms": [once(stage, server) for _ in range(times)]}
        finally:
            server.stop()
        say(f"  {cls.name}: {t.measured(found[cls.name]['first_ms'])} ms")
    return {"settings": {"times": times}, "servers": found}


def table(result):
    rows = [[name, t.figure(median(r["first_ms"]), 2), t.figure(min(r["first_ms"]), 2), t.figure(max(r["first_ms"]), 2)]
            for name, r in sorted(result["servers"].items(), key=lambda item: median(item[1]["first_ms"]))]
    return ["server", "median ms", "least", "most"], rows


def verdict(result):
    each = {name: median(r["first_ms"]) for name, r in result["servers"].items()}
    lines = [t.aim("milliseconds to the first answer", each["petrel"], AIM_MS, 1)] if "petrel" in each else []
    return lines + t.better("Milliseconds to the first answer", each, 1, leave_out=("floor",))
