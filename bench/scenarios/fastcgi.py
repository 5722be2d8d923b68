"""FastCGI: a canned application, and php-fpm."""
import gateways
import origins
import rounds
import table as t
from measure import median
from stage import say

NAME = "fastcgi"
TITLE = "FastCGI, 4.5 KB"
ABOUT = ("Keep-alive connections ask for 4,608 bytes of a FastCGI application on a Unix socket on the load's core: "
         "*canned* is `bench/fcgi.c`, 64 connections; *php* is php-fpm with a script of one line, 32 connections. CPU "
         "time is that of the web server's process tree alone. nginx (`fastcgi_keep_conn`) and petrel keep their "
         "connections to the application; lighttpd opens one for each request.")
KINDS = {"canned": (origins.Fcgi, 64), "php": (origins.PhpFpm, 32)}
AIM_OF_NGINX = 0.75


def kinds():
    """Those that are there."""
    if origins.PhpFpm.found():
        return KINDS
    say("  php-fpm is not installed: skipped (make bench installs it)")
    return {"canned": KINDS["canned"]}


def run(stage):
    found = {}
    for kind, (origin_class, connections) in kinds().items():
        with origin_class(stage) as origin:
            raw = rounds.alternate(stage, gateways.FASTCGI, "/hot.php", connections, origins=[origin.where],
                                   ready="/hot.php")
        for name, r in raw.items():
            found.setdefault(name, {})[kind] = r
    return {"settings": {"connections": {kind: c for kind, (_, c) in KINDS.items()}, "seconds": stage.seconds,
                         "rounds": stage.rounds},
            "servers": found}


def of_kind(result, kind):
    return {name: r[kind] for name, r in result["servers"].items() if kind in r}


def table(result):
    rows = []
    for kind in KINDS:
        raw = of_kind(result, kind)
        peer = median(raw["nginx"]["cpu_us"]) if "nginx" in raw else None
        for name, r in sorted(raw.items(), key=lambda item: median(item[1]["cpu_us"])):
            ratio = t.figure(median(r["cpu_us"]) / peer, 2) if peer else "–"
            rows.append([f"{kind}: {name}", t.measured(r["cpu_us"], 2), ratio, t.measured(r["rate"], 0),
                         t.measured(r["p50_us"], 0), t.measured(r["p99_us"], 0), r["errors"]])
    return ["application: server", "CPU µs per request", "× nginx", "requests/s", "p50 µs", "p99 µs", "errors"], rows


def verdict(result):
    lines = []
    for kind in KINDS:
        cpu = rounds.middle(of_kind(result, kind), "cpu_us")
        if "petrel" in cpu and "nginx" in cpu:
            lines.append(t.aim(f"CPU per request to {kind} in nginx's", cpu["petrel"] / cpu["nginx"], AIM_OF_NGINX))
        lines += t.better(f"CPU µs per request to {kind}", cpu, 2)
    return lines
