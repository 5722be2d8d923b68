"""CPU time and memory of a server's whole process tree, as the kernel counts them; medians and spreads."""
import os
import statistics
from pathlib import Path

TICKS = os.sysconf("SC_CLK_TCK")
PSS = ("Pss:",)  # lines of smaps_rollup
PRIVATE = ("Private_Clean:", "Private_Dirty:")


def stat_fields(pid):
    """/proc/PID/stat from the third field on: the second may hold anything, so count from its closing bracket."""
    text = Path(f"/proc/{pid}/stat").read_text()
    return text[text.rindex(")") + 2:].split()


def tree(root):
    """The process and all its descendants."""
    children = {}
    for name in os.listdir("/proc"):
        if name.isdigit():
            try:
                children.setdefault(int(stat_fields(name)[1]), []).append(int(name))
            except OSError:
                pass  # it ended meanwhile
    pids = [root]
    for pid in pids:
        pids.extend(children.get(pid, []))
    return pids


def cpu_s(root):
    """User and system time of the tree, its ended and awaited children included."""
    total = 0
    for pid in tree(root):
        try:
            total += sum(int(ticks) for ticks in stat_fields(pid)[11:15])
        except OSError:
            pass
    return total / TICKS


def memory_b(root, lines=PSS):
    """Bytes of user memory of the tree: its proportional share, or PRIVATE, which leaves out all that is shared."""
    total_k = 0
    for pid in tree(root):
        try:
            rollup = Path(f"/proc/{pid}/smaps_rollup").read_text()
        except OSError:
            continue
        for line in rollup.splitlines()[1:]:
            key, value = line.split()[:2]
            if key in lines:
                total_k += int(value)
    return total_k * 1024


def median(values):
    return statistics.median(values) if values else None


def spread(values):
    """How far the rounds lie apart, as a share of their median."""
    middle = median(values)
    return (max(values) - min(values)) / middle if middle else 0.0
