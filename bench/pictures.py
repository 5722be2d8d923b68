"""The pictures, drawn by gnuplot: bars on a paper-coloured ground, readable on light and dark pages alike."""
import shutil
import subprocess

from measure import median
from scenarios import disk
from stage import say

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
set offsets 0, 0, graph 0.12, 0
"""


def bars(title, unit, values, digits, extra=""):
    """One bar per server, least first; petrel's in its own colour."""
    order = sorted(values.items(), key=lambda item: item[1])
    data = "\n".join(f'"{name}" {value} {int(OWN[1:] if name == "petrel" else PEER[1:], 16)}' for name, value in order)
    form = f"%.{digits}f"
    return f"""{HEAD}
set title "{title}" textcolor rgb '{INK}' font ',18'
set ylabel "{unit}" textcolor rgb '{INK}'
unset key
{extra}
$data << EOD
{data}
EOD
plot $data using 0:2:3:xtic(1) with boxes linecolor rgb variable, \\
     $data using 0:2:(sprintf("{form}", $2)) with labels offset 0,0.8 textcolor rgb '{INK}'
"""


def draw_hot(result):
    return bars("CPU time of one request: a hot file of 4.5 KB, 64 connections", "µs",
                {n: median(r["cpu_us"]) for n, r in result["servers"].items()}, 1)


def draw_idle(result):
    return bars("User memory of one idle keep-alive connection (log scale)", "bytes",
                {n: max(1, median(r["each_b"])) for n, r in result["servers"].items()}, 0,
                "set logscale y\nset yrange [50:*]")


def draw_disk(result):
    """The headline: two bars per server, hot rate with the disk idle and with the disk busy."""
    rows = []
    for name, tries in sorted(result["servers"].items(), key=lambda item: -disk.kept(item[1])):
        idle, busy = (median(disk.rates(tries, phase)) for phase in ("idle", "busy"))
        label = name.replace(" aio", "\\\\naio")
        rows.append(f'"{label}" {idle:.0f} {busy:.0f} {int((OWN if name == "petrel" else PEER)[1:], 16)}')
    data = "\n".join(rows)
    return f"""{HEAD}
set title "Requests per second for one hot file, while the disk is busy with cold ones" textcolor rgb '{INK}' font ',18'
set format y "%'.0f"
set key at graph 1, graph 0.99 right samplen 1.5
set boxwidth 0.38
$data << EOD
{data}
EOD
plot $data using ($0-0.2):2:xtic(1) with boxes linecolor rgb '{PALE}' title "disk idle", \\
     $data using ($0+0.2):3:4 with boxes linecolor rgb variable title "disk busy", \\
     $data using ($0+0.2):3:(sprintf("%'.0f", $3)) with labels offset 0,0.8 textcolor rgb '{INK}' notitle
"""


FOR = {"hot": draw_hot, "idle": draw_idle, "disk": draw_disk}


def draw(found, folder):
    if not shutil.which("gnuplot"):
        say("  gnuplot is not installed: no pictures")
        return
    folder.mkdir(parents=True, exist_ok=True)
    for name, picture in FOR.items():
        if name in found:
            script = f"set output '{folder / name}.svg'\n" + picture(found[name])
            subprocess.run(["gnuplot"], input=script, text=True, check=True)
