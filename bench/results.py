"""The raw results: one JSON file, into which a run puts the scenarios that it ran and leaves the others as they are."""
import datetime
import json
import shlex
import sys

import caches
import machine
import servers
from stage import BUILD


def path(whole):
    """What isn't a whole run goes to a file of its own: its figures never get into the documentation."""
    return BUILD / ("results.json" if whole else "results-part.json")


def read(whole=True):
    try:
        return json.loads(path(whole).read_text())
    except FileNotFoundError:
        return {}


def merge(name, result, whole):
    """A scenario is replaced as a whole: its servers are comparable only within one run."""
    everything = read(whole)
    everything[name] = {
        **result,
        "date": datetime.datetime.now(datetime.timezone.utc).strftime("%Y-%m-%d %H:%M UTC"),
        "command": shlex.join(["bench/run", *sys.argv[1:]]),
        "machine": machine.describe(),
        "versions": {c.name: c.version() for c in (*servers.EVERY_CLASS, *caches.PEERS) if c.name in result["servers"]},
    }
    part = path(whole).with_suffix(".part")
    part.write_text(json.dumps(everything, indent=1, ensure_ascii=False))
    part.rename(path(whole))
    return everything[name]
