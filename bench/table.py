"""Tables and sentences of the report: the same for the terminal and for docs/BENCHMARKS.md."""
from measure import median, spread


def figure(value, digits=1):
    return "–" if value is None else f"{value:,.{digits}f}"


def measured(values, digits=1):
    """Median and spread of the rounds."""
    if not values:
        return "–"
    return figure(median(values), digits) + (f" ±{spread(values) * 50:.0f} %" if len(values) > 1 else "")


def text(header, rows):
    widths = [max(len(str(r[i])) for r in [header, *rows]) for i in range(len(header))]

    def line(row):
        cells = [str(c).ljust(w) if i == 0 else str(c).rjust(w) for i, (c, w) in enumerate(zip(row, widths))]
        return "  " + "  ".join(cells).rstrip()

    return "\n".join([line(header), line(["-" * w for w in widths]), *map(line, rows)])


def markdown(header, rows):
    def line(row):
        return "| " + " | ".join(map(str, row)) + " |"

    rule = ["---"] + ["---:"] * (len(header) - 1)
    return "\n".join([line(header), line(rule), *map(line, rows)])


def aim(what, value, limit, digits=2, at_least=False):
    """A sentence that says whether an aim was reached."""
    reached = value >= limit if at_least else value <= limit
    bound = "at least" if at_least else "at most"
    return (f"petrel: {what} {figure(value, digits)}; the aim is {bound} {figure(limit, digits)}: "
            f"{'reached' if reached else '**not reached**'}.")


def better(what, values, digits=1, more_is_better=False, leave_out=()):
    """Says plainly which peers do better than petrel; [] without petrel."""
    own = values.get("petrel")
    if own is None:
        return []
    peers = {n: v for n, v in values.items() if n != "petrel" and n not in leave_out and v is not None}
    ahead = {n: v for n, v in peers.items() if (v > own if more_is_better else v < own)}
    if not ahead:
        return [f"{what}: no peer does better than petrel ({figure(own, digits)})."] if peers else []
    order = sorted(ahead.items(), key=lambda item: item[1], reverse=more_is_better)
    names = ", ".join(f"{n} ({figure(v, digits)})" for n, v in order)
    return [f"{what}: **better than petrel** ({figure(own, digits)}): {names}."]
