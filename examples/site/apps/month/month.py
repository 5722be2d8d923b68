"""A calendar: a WSGI application, run by uWSGI behind `uwsgi`.  /month/2026/11 is a month: petrel says where the
application is mounted (SCRIPT_NAME) and what follows (PATH_INFO)."""
import calendar
import datetime
import html
import os
import re

PAGE = """<!doctype html><html lang="en"><head><meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1"><title>{title} – petrel</title>
<link rel="icon" href="data:,"><link rel="stylesheet" href="/style.css"></head><body class="app">
<header><a class="name" href="/">petrel</a> <a href="/#applications">Applications</a></header><main>
<h1>{title}</h1>
<p class="pages"><a href="{before}" rel="prev">← {before_name}</a> <a href="{here}">Today</a>
<a href="{after}" rel="next">{after_name} →</a></p>
<table class="month"><thead><tr><th scope="col"><abbr title="week of the year">Wk</abbr></th>{days}</tr></thead>
<tbody>{weeks}</tbody></table>
</main><footer>uWSGI {version}, process {pid}, made at {now} and kept for ten seconds</footer></body></html>"""


def moved(year, month, by):
    index = year * 12 + month - 1 + by
    return index // 12, index % 12 + 1


def cell(day, month, today):
    kind = "today" if day == today else "other" if day.month != month else ""
    return f'<td class="{kind}"><time datetime="{day}">{day.day}</time></td>'


def week(days, month, today):
    return (f'<tr><th scope="row">{days[0].isocalendar().week}</th>'
            + "".join(cell(day, month, today) for day in days) + "</tr>")


def page(root, year, month, today):
    before, after = moved(year, month, -1), moved(year, month, 1)
    return PAGE.format(
        title=f"{calendar.month_name[month]} {year}", here=f"{root}/", pid=os.getpid(), version=version(),
        now=datetime.datetime.now().strftime("%H:%M:%S"),
        before=f"{root}/{before[0]}/{before[1]}", before_name=calendar.month_name[before[1]],
        after=f"{root}/{after[0]}/{after[1]}", after_name=calendar.month_name[after[1]],
        days="".join(f'<th scope="col">{name}</th>' for name in calendar.day_abbr),
        weeks="".join(week(days, month, today) for days in calendar.Calendar().monthdatescalendar(year, month)))


def version():
    try:
        import uwsgi  # only there below uWSGI
        return uwsgi.version.decode()
    except ImportError:
        return "(another server)"


def application(environ, start):
    root, path = html.escape(environ.get("SCRIPT_NAME", "")), environ.get("PATH_INFO", "")
    today = datetime.date.today()
    found = re.fullmatch(r"/(\d{4})/(\d\d?)/?", path, re.A)
    year, month = (int(found[1]), int(found[2])) if found else (today.year, today.month)
    # The years whose neighbouring months a date can hold, too.
    if (path not in ("", "/") and not found) or not 1 <= month <= 12 or not 2 <= year <= 9998:
        start("404 Not Found", [("Content-Type", "text/plain; charset=utf-8")])
        return [b"There is no such month.\n"]
    body = page(root, year, month, today).encode()
    start("200 OK", [("Content-Type", "text/html; charset=utf-8"), ("Content-Length", str(len(body)))])
    return [body]
