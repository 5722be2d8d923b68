"""The pictures, drawn by gnuplot: bars on a paper-coloured ground, readable on light and dark pages alike."""
import shutil
import subprocess

from measure import median
from scenarios import disk
from stage import say
from table import figure

GROUND, INK, RULE = "#fbfaf7", "#22303c", "#d9d6cf"
OWN, PEER, PALE = "#d9622b", "#5b7f95", "#c3ccd2"

HEAD = f"""
set terminal svg size 860,430 dynamic font 'Helvetica,Arial,sans-serif,15' background '{GROUND}'
set border 1 linecolor rgb '{INK}'
set tics textcolor rgb '{INK}' nomirror scale 0
set key textcolor rgb '{INK}'
set grid ytics linecolor rgb '{RULE}' linetype 1 linewidth 1
set style fill solid 1 noborder
set boxwidth 0.8
set yrange [0:*]
set bmargin 3.5
set offsets 0, 0, graph 0.12, 0
"""


def colour(name):
    """As the number that gnuplot takes from a column."""
    return int({"petrel": OWN, "floor": PALE}.get(name, PEER)[1:], 16)


def block(rows):
    """Inline data: names are quoted, and break before their second word."""
    def cell(value):
        return '"' + value.replace(" ", "\\n", 1) + '"' if isinstance(value, str) else str(value)

    return "\n".join(["$data << EOD", *(" ".join(map(cell, row)) for row in rows), "EOD"])


def bars(title, unit, values, digits, extra=""):
    """One bar per server, least first; petrel's in its own colour."""
    order = sorted(values.items(), key=lambda item: item[1])
    data = block([name, value, colour(name), figure(value, digits)] for name, value in order)
    return f"""{HEAD}
set title "{title}" textcolor rgb '{INK}' font ',18'
set ylabel "{unit}" textcolor rgb '{INK}'
unset key
{extra}
{data}
plot $data using 0:2:3:xtic(1) with boxes linecolor rgb variable, \\
     $data using 0:2:4 with labels offset 0,0.8 textcolor rgb '{INK}'
"""


def draw_hot(result):
    return bars("CPU time of one request: a hot file of 4.5 KB, 64 connections", "µs",
                {n: median(r["cpu_us"]) for n, r in result["servers"].items()}, 1)


def draw_idle(result):
    return bars("User memory of one idle keep-alive connection", "bytes, on a logarithmic scale",
                {n: max(1, median(r["each_b"])) for n, r in result["servers"].items()}, 0,
                "set logscale y\nset yrange [50:100000]\nset format y '%.0f'")


def draw_proxy(result):
    return bars("CPU time of one proxied request: 4.5 KB, connections kept on both sides", "µs",
                {n: median(r["cpu_us"]) for n, r in result["servers"].items()}, 1)


def draw_fastcgi(result):
    return bars("CPU time of one request to FastCGI: a canned application, 4.5 KB", "µs",
                {n: median(r["canned"]["cpu_us"]) for n, r in result["servers"].items()}, 1)


def draw_websockets(result):
    return bars("User memory of one idle proxied WebSocket", "bytes",
                {n: max(1, median(r["each_b"])) for n, r in result["servers"].items()}, 0)


def draw_cache(result):
    return bars("CPU time of one hit: a cached page of 4.5 KB, 64 connections", "µs",
                {n: median(r["cpu_us"]) for n, r in result["servers"].items()}, 1)


def draw_zipf(result):
    return bars("Hits with memory for a tenth of the pages, Zipf 0.9", "% of requests",
                {n: 100 * r["hits"] for n, r in result["servers"].items()}, 1)


def draw_millions(result):
    """A line for each server, which its name stands at the end of."""
    blocks, lines = [], []
    for i, (name, r) in enumerate(result["servers"].items()):
        rows = "\n".join(f"{s['objects']} {s['hit_us']}" for s in r["steps"])
        last = r["steps"][-1]
        blocks.append(f'$line{i} << EOD\n{rows}\nEOD\n$name{i} << EOD\n{last["objects"]} {last["hit_us"]} "  {name}"\nEOD')
        rgb = OWN if name == "petrel" else PEER
        lines.append(f"$line{i} using 1:2 with linespoints linewidth 2 pointtype 7 pointsize 0.6 linecolor rgb '{rgb}'")
        lines.append(f"$name{i} using 1:2:3 with labels left textcolor rgb '{rgb}'")
    joined = ", ".join(lines)
    return f"""{HEAD}
set title "CPU time of one hit, by how many objects there are" textcolor rgb '{INK}' font ',18'
set ylabel "µs" textcolor rgb '{INK}'
set xlabel "objects, 64 connections" textcolor rgb '{INK}'
set logscale x
set xtics ("100" 100, "1,000" 1000, "10,000" 10000, "100,000" 100000, "1 million" 1000000, "10 million" 10000000)
set rmargin 14
set bmargin 4.5
unset key
set offsets 0, 0, 0, 0
{chr(10).join(blocks)}
plot {joined}
"""


def draw_disk(result):
    """The headline: two bars per server, hot rate with the disk idle and with the disk busy."""
    rows = []
    for name, tries in sorted(result["servers"].items(), key=lambda item: -disk.kept(item[1])):
        idle, busy = (median(disk.rates(tries, phase)) for phase in ("idle", "busy"))
        rows.append([name, idle / 1000, busy / 1000, colour(name), figure(busy, 0)])
    return f"""{HEAD}
set title "One hot file, while the disk is busy with cold ones: what is left" textcolor rgb '{INK}' font ',18'
set ylabel "thousand requests per second" textcolor rgb '{INK}'
set key at graph 1, graph 0.99 right samplen 1.5
set boxwidth 0.38
{block(rows)}
plot $data using ($0-0.2):2:xtic(1) with boxes linecolor rgb '{PALE}' title "disk idle", \\
     $data using ($0+0.2):3:4 with boxes linecolor rgb variable title "disk busy", \\
     $data using ($0+0.2):3:5 with labels offset 0,0.8 textcolor rgb '{INK}' notitle
"""


FOR = {"hot": draw_hot, "idle": draw_idle, "disk": draw_disk, "proxy": draw_proxy, "fastcgi": draw_fastcgi,
       "websockets": draw_websockets, "cache": draw_cache, "zipf": draw_zipf, "millions": draw_millions}


def draw(found, folder):
    if not shutil.which("gnuplot"):
        say("  gnuplot is not installed: no pictures")
        return
    folder.mkdir(parents=True, exist_ok=True)
    for name, picture in FOR.items():
        if name in found:
            script = f"set output '{folder / name}.svg'\n" + picture(found[name])
            subprocess.run(["gnuplot"], input=script, text=True, check=True)
