"""What being seen costs: logs and request ids, a status page that is open in browsers, a trace."""
import socket
import threading

import rounds
import servers
import table as t
from measure import median

NAME = "sight"
TITLE = "What being seen costs"
ABOUT = ("The hot file again, on 64 keep-alive connections. petrel counts by route, and takes the time of each request, "
         "in all of them; *bare* writes no log and makes no request ids. *full* writes a line for each request to a file "
         "and answers with a request id, *watched* has its status page's event stream open ten times, *traced* has a "
         "trace running that matches no request. nginx without and with its access log, buffered, stands beside them.")
AIMS = {"petrel full": 1.10, "petrel watched": 1.02, "petrel traced": 1.01}
CONNECTIONS = 64
BROWSERS = 10
ROUNDS = 11  # a hundredth is less than one round differs from the next


class Bare(servers.Petrel):
    name = "petrel bare"
    log = "off"
    request_id = "off"

    def conf(self):
        return f"""
listen 127.0.0.1:{self.port};
loops 1;
admin unix:{self.folder}/admin.sock;
access_log {self.log};
request_id {self.request_id};
limits {{ connections {servers.CONNECTIONS}; idle_timeout 300s; }}
site * {{ root {self.stage.site}; route = /-/status {{ status; }} route * {{ files; }} }}
"""


class Full(Bare):
    name = "petrel full"
    request_id = "take answer"

    @property
    def log(self):
        return f"{self.folder}/access.log combined"


class Read(Bare):
    """Answers of it are read and thrown away, all the time."""

    streams = ()

    def open(self):
        """A new connection on which a request was sent."""
        raise NotImplementedError

    def start(self, group=None):
        super().start(group)
        self.streams = [self.open() for _ in range(self.count)]
        for s in self.streams:
            threading.Thread(target=self.drain, args=[s], daemon=True).start()

    @staticmethod
    def drain(s):
        try:
            while s.recv(1 << 16):
                pass
        except OSError:
            pass

    def stop(self):
        for s in self.streams:
            s.close()
        super().stop()


class Watched(Read):
    name = "petrel watched"
    count = BROWSERS

    def open(self):
        s = socket.create_connection(("127.0.0.1", self.port))
        s.sendall(b"GET /-/status?events HTTP/1.1\r\nHost: bench\r\nAccept: text/event-stream\r\n\r\n")
        return s


class Traced(Read):
    name = "petrel traced"
    count = 1

    def open(self):
        s = socket.socket(socket.AF_UNIX)
        s.connect(f"{self.folder}/admin.sock")
        s.sendall(b"GET /trace?route=/none HTTP/1.1\r\nHost: admin\r\n\r\n")
        return s


class NginxBare(servers.Nginx):
    name = "nginx bare"


class NginxFull(servers.Nginx):
    name = "nginx full"

    def conf(self):
        log = f"access_log {self.folder}/access.log combined buffer=64k flush=1s;"
        return super().conf().replace("access_log off;", log + " add_header X-Request-Id $request_id;", 1)


EVERYONE = (Bare, Full, Watched, Traced, NginxBare, NginxFull)


def run(stage):
    count = ROUNDS if stage.whole else stage.rounds
    raw = rounds.alternate(stage, EVERYONE, "/hot.html", CONNECTIONS, count=count)
    return {"settings": {"connections": CONNECTIONS, "browsers": BROWSERS, "seconds": stage.seconds, "rounds": count},
            "servers": raw}


def bare_of(name):
    return name.split()[0] + " bare"


def ratio(raw, name):
    """The median of what each round says, since rounds differ more than servers do."""
    return median([a / b for a, b in zip(raw[name]["cpu_us"], raw[bare_of(name)]["cpu_us"])])


def table(result):
    raw = result["servers"]
    rows = [[name, t.measured(r["cpu_us"], 2), t.figure(ratio(raw, name), 3) if bare_of(name) in raw else "–",
             t.measured(r["rate"], 0), r["errors"]] for name, r in raw.items()]
    return ["server", "CPU µs per request", "× bare", "requests/s", "errors"], rows


def verdict(result):
    raw = result["servers"]
    return [t.aim(f"CPU per request of {name} in bare ones", ratio(raw, name), aim, 3)
            for name, aim in AIMS.items() if name in raw and bare_of(name) in raw]
