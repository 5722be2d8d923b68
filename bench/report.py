"""docs/BENCHMARKS.md: a section for each scenario, written from the raw results alone, so that it always says what was
measured.  Sections of what was measured elsewhere, whose raw results are not here, stay as they are."""
import re

import pictures
import results
import table
from scenarios import ALL
from stage import ROOT, say

INTRODUCTION = """# Benchmarks

<!-- Written by `make bench` from build/bench/results.json: don't edit. -->

petrel and its peers on one machine, over loopback, in the same run. Each server is pinned to one core with one worker
or event loop, what loads it to another one. Rounds alternate between the servers, and their order turns; the tables
give the median of the rounds and half of their range (±). The main figure is **CPU time of the server's whole process
tree**: on a shared machine throughput jumps about, while CPU time per request stays within some five percent.

`make bench` measures all of it anew, `make bench ONLY=hot,idle` a part, and `bench/run --help` says what else there is.
Below each table stands when, how and on which machine it was measured; all values of all rounds are in
`build/bench/results.json` after a run.
"""
TARGET = ROOT / "docs" / "BENCHMARKS.md"


def plain(scenario, result):
    """For the terminal."""
    lines = [table.text(*scenario.table(result)), *("  " + v.replace("**", "") for v in scenario.verdict(result))]
    return "\n".join(lines)


def settings(result):
    def value(v):
        return ", ".join(f"{k} {x}" for k, x in v.items()) if isinstance(v, dict) else f"{v:,}"

    return "; ".join(f"{k}: {value(v)}" for k, v in result["settings"].items())


def machine_text(m):
    return (f"{m['cpu']}, {m['cores']} cores, {m['memory_gb']} GB of memory, Linux {m['kernel']}, TCP {m['tcp']}, "
            f"{m['distribution']}")


def versions_text(result):
    return ", ".join(f"{name} {version}" for name, version in result["versions"].items())


def section(scenario, result):
    picture = pictures.FOR.get(scenario.NAME)
    return "\n".join([
        f"## {scenario.TITLE}", "",
        scenario.ABOUT, "",
        *([f"![{scenario.TITLE}](pictures/{scenario.NAME}.svg)", ""] if picture else []),
        table.markdown(*scenario.table(result)), "",
        *(f"- {line}" for line in scenario.verdict(result)), "",
        f"<sub>{result['date']}, `{result['command']}`; {settings(result)}. {versions_text(result)}. "
        f"{machine_text(result['machine'])}.</sub>", "",
    ])


def kept():
    """The sections that are there, by their titles."""
    if not TARGET.exists():
        return {}
    parts = re.split(r"^## (.*)\n", TARGET.read_text(), flags=re.MULTILINE)
    return {title: f"## {title}\n{text.rstrip()}\n" for title, text in zip(parts[1::2], parts[2::2])}


def has_petrel(result):
    return any(name.split()[0] == "petrel" for name in result["servers"])


def write():
    """Returns the exit status: nothing is written before petrel itself was measured."""
    everything = results.read()
    found = {name: everything[name] for name in ALL if name in everything and has_petrel(everything[name])}
    if not found:
        say("\npetrel wasn't measured: docs/BENCHMARKS.md stays as it is")
        return 1
    pictures.draw(found, ROOT / "docs" / "pictures")
    before = kept()
    sections = [section(s, found[name]) if name in found else before.get(s.TITLE) for name, s in ALL.items()]
    TARGET.parent.mkdir(exist_ok=True)
    TARGET.write_text("\n".join([INTRODUCTION, *filter(None, sections)]))
    say(f"\nwritten: {TARGET.relative_to(ROOT)} and its pictures")
    return 0
