"""docs/BENCHMARKS.md: written from the raw results alone, so that it always says what was measured."""
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
"""


def plain(scenario, result):
    """For the terminal."""
    lines = [table.text(*scenario.table(result)), *("  " + v.replace("**", "") for v in scenario.verdict(result))]
    return "\n".join(lines)


def settings(result):
    def value(v):
        return ", ".join(f"{k} {x}" for k, x in v.items()) if isinstance(v, dict) else f"{v:,}"

    return "; ".join(f"{k}: {value(v)}" for k, v in result["settings"].items())


def machine_text(m):
    return (f"{m['cpu']}, {m['cores']} cores, {m['memory_gb']} GB of memory, Linux {m['kernel']}, {m['distribution']}")


def section(scenario, result):
    picture = pictures.FOR.get(scenario.NAME)
    return "\n".join([
        f"## {scenario.TITLE}", "",
        scenario.ABOUT, "",
        *([f"![{scenario.TITLE}](pictures/{scenario.NAME}.svg)", ""] if picture else []),
        table.markdown(*scenario.table(result)), "",
        *(f"- {line}" for line in scenario.verdict(result)), "",
        f"<sub>{result['date']}, `{result['command']}`; {settings(result)}.</sub>", "",
    ])


def machines(found):
    """Each machine once, with the scenarios that ran on it if there are several."""
    by_text = {}
    for name, result in found.items():
        by_text.setdefault(machine_text(result["machine"]), []).append(name)
    if len(by_text) == 1:
        return [next(iter(by_text)) + "."]
    return [f"{', '.join(names)}: {text}." for text, names in by_text.items()]


def versions(found):
    """A peer that was upgraded between two scenarios shows both versions."""
    seen = {}
    for result in found.values():
        for name, version in result["versions"].items():
            seen.setdefault(name, set()).add(version)
    return "; ".join(f"{name} {', '.join(sorted(v))}" for name, v in seen.items()) + "."


def raw(found):
    return ("## Raw results\n\nAll values of all rounds are in `build/bench/results.json` after a run. "
            "Scenarios measured: " + ", ".join(f"{name} ({r['date']})" for name, r in found.items()) + ".\n")


def write():
    """Returns the exit status: nothing is written before petrel itself was measured."""
    everything = results.read()
    found = {name: everything[name] for name in ALL if name in everything and "petrel" in everything[name]["servers"]}
    if not found:
        say("\npetrel wasn't measured: docs/BENCHMARKS.md stays as it is")
        return 1
    pictures.draw(found, ROOT / "docs" / "pictures")
    parts = [INTRODUCTION, "\n".join(["## The machine", "", *machines(found), "", versions(found), ""]),
             *(section(ALL[name], result) for name, result in found.items()), raw(found)]
    target = ROOT / "docs" / "BENCHMARKS.md"
    target.parent.mkdir(exist_ok=True)
    target.write_text("\n".join(parts))
    say(f"\nwritten: {target.relative_to(ROOT)} and its pictures")
    return 0
