"""Three small HTTP servers, for pools to choose among, and the page that shows whom they chose and can stop each one.

The page is what petrel's `app` runs (on $PORT); the servers are processes of their own, on abstract Unix sockets whose
names begin with $SERVERS, and would be other machines elsewhere."""
import html
import http.server
import os
import signal
import socketserver
import subprocess
import sys
import time
import urllib.parse

NAMES = {"a": "#2f7fb0", "b": "#3f9a5b", "c": "#b8732c"}
# The pools of petrel.conf: what they are about, and how the tiles are asked for.
POOLS = [
    ("turns", "round_robin", "Each in turn."),
    ("weighted", "round_robin, weight 3", "a has weight 3: it gets three of five."),
    ("keyed", "hash $path", "Each path has its server, unless that has more than its share to do just then."),
    ("sticky", "sticky cookie EXAMPLE", "With the first answer's cookie, all requests meet the same one: ask again."),
]
TILES = 12

TILE = """<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 64 64" font-family="system-ui, sans-serif"
text-anchor="middle" fill="#fff"><rect width="64" height="64" rx="9" fill="{colour}"/>
<text x="32" y="37" font-size="26" font-weight="600">{name}</text>
<text x="32" y="54" font-size="11">{pid}</text></svg>"""

PAGE = """<!doctype html><html lang="en"><head><meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1"><title>Pools – petrel</title>
<link rel="icon" href="data:,"><link rel="stylesheet" href="/style.css"></head><body class="app">
<header><a class="name" href="/">petrel</a> <a href="/#applications">Applications</a></header><main>
<h1>Pools</h1>
<p>Four pools have the same three servers. Each tile is a request, and shows which server answered it, and its process.
<a href="/servers/">Ask again.</a></p>
{pools}
<h2>The servers</h2>
<p>Stop one: every tile is still answered. Requests that find it gone go to another server, and the health check
takes it out within a second.</p>
<form method="post" action="/servers/" class="row">{buttons}</form>
</main><footer>Python, http.server, process {pid}</footer></body></html>"""


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    timeout = 90
    wbufsize = 64 * 1024  # head and body are one write

    def answer(self, status, body=b"", **fields):
        self.send_response(status)
        for name, value in {"Content-Length": len(body), "Cache-Control": "no-store", **fields}.items():
            self.send_header(name.replace("_", "-"), str(value))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    def address_string(self):
        return "petrel"

    def log_message(self, *args):
        pass


class Threads(socketserver.ThreadingMixIn):
    daemon_threads = True
    request_queue_size = 128


# --- A server of the pools. ---

class Unix(Threads, socketserver.UnixStreamServer):
    pass


class Tile(Handler):
    def do_GET(self):
        name = self.server.server_address[-1:].decode()
        if self.path == "/health":
            self.answer(200, b"well\n", Content_Type="text/plain")
        else:
            self.answer(200, TILE.format(name=name, colour=NAMES[name], pid=os.getpid()).encode(),
                        Content_Type="image/svg+xml")

    do_HEAD = do_GET


def serve_tiles(name):
    """Until it is ended.  A process that is being replaced may still have the name for a moment."""
    while True:
        try:
            Unix(f"\0{os.environ['SERVERS']}-{name}".encode(), Tile).serve_forever()
        except OSError:
            time.sleep(0.1)


# --- The page. ---

class Page(Handler):
    def do_GET(self):
        pools = "".join(
            f'<h2>{html.escape(title)}</h2><p>{html.escape(text)}</p><div class="tiles">'
            + "".join(f'<img src="/pool/{name}/{i}" alt="an answer" width="64" height="64">' for i in range(TILES))
            + "</div>" for name, title, text in POOLS)
        buttons = "".join(f'<button name="{word.lower()}" value="{name}">{word} {name}</button>'
                          for name in NAMES for word in ["Stop" if self.server.runs(name) else "Start"])
        body = PAGE.format(pools=pools, buttons=buttons, pid=os.getpid()).encode()
        self.answer(200, body, Content_Type="text/html; charset=utf-8")

    do_HEAD = do_GET

    def do_POST(self):
        form = urllib.parse.parse_qs(self.rfile.read(int(self.headers.get("Content-Length", 0))).decode())
        if self.headers.get("Sec-Fetch-Site", "none") not in ("same-origin", "none"):
            self.answer(403)
            return
        for name in form.get("stop", []):
            self.server.stop(name)
        for name in form.get("start", []):
            self.server.start(name)
        self.answer(303, Location="/servers/")


class Pages(Threads, http.server.HTTPServer):
    def __init__(self, port):
        super().__init__(("127.0.0.1", port), Page)
        self.tiles = {name: self.started(name) for name in NAMES}

    @staticmethod
    def started(name):
        return subprocess.Popen([sys.executable, __file__, name])

    def runs(self, name):
        return self.tiles[name].poll() is None

    def start(self, name):
        if name in NAMES and not self.runs(name):
            self.tiles[name] = self.started(name)

    def stop(self, name):
        if name in NAMES and self.runs(name):
            self.tiles[name].kill()
            self.tiles[name].wait()


signal.signal(signal.SIGTERM, lambda *args: os._exit(0))
if len(sys.argv) > 1:
    serve_tiles(sys.argv[1])
Pages(int(os.environ["PORT"])).serve_forever()
