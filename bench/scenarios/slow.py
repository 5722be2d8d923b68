"""1,000 slow readers of a file of 1 GB: user memory of each."""
import time

import content
import load
import servers
import table as t
from stage import say

NAME = "slow"
TITLE = "Slow readers of a huge file"
ABOUT = ("1,000 clients each ask for one file of 1 GB (of random bytes, not sparse) and take 16 KB of it per second. The "
         "bytes are the growth of the server's PSS divided by their number; socket buffers and page cache are the "
         "kernel's.")
READERS = 1000
AIM_B = 16384
HOLD_S = 5


def once(stage, cls, path, readers):
    with cls(stage) as server:
        with load.fetch(stage, server.port, 64, 1, "/hot.html") as warm:
            warm.hear()
        before = server.memory_b()
        with load.Client(stage, "slow", server.port, readers, path) as client:
            client.hear()
            time.sleep(1 if stage.quick else HOLD_S)
            each = (server.memory_b() - before) / readers
            client.go_on()
            failed = client.hear()["failed"]
    return {"each_b": each, "failed": failed}


def run(stage):
    path = content.giga(stage)
    readers = READERS // 10 if stage.quick else READERS
    found = {}
    for cls in stage.pick(servers.FILE_SERVERS):
        found[cls.name] = once(stage, cls, path, readers)
        say(f"  {cls.name}: {t.figure(found[cls.name]['each_b'], 0)} bytes")
    return {"settings": {"readers": readers}, "servers": found}


def table(result):
    rows = [[name, t.figure(r["each_b"], 0), r["failed"]]
            for name, r in sorted(result["servers"].items(), key=lambda item: item[1]["each_b"])]
    return ["server", "bytes per reader", "failed"], rows


def verdict(result):
    each = {name: r["each_b"] for name, r in result["servers"].items()}
    lines = [t.aim("bytes per slow reader", each["petrel"], AIM_B, 0)] if "petrel" in each else []
    return lines + t.better("Bytes per slow reader", each, 0)
