"""The servers: one class each, which writes its configuration, starts it on the server's core, and stops it.

Each is set up as its manual advises for static files: one worker or event loop, no access log, open files cached
where it can, and limits that no scenario reaches."""
import contextlib
import http.client
import os
import re
import shutil
import signal
import subprocess
import time
import urllib.error
import urllib.request

import measure
from stage import BUILD, ROOT, port_free

CONNECTIONS = 19900  # what 20,000 descriptors allow
START_S = 15
TUNNEL_S = 3600


def end_tree(process):
    """By SIGTERM, then by SIGKILL to what is left of its tree."""
    if not process or process.poll() is not None:
        return
    pids = measure.tree(process.pid)
    process.terminate()
    try:
        process.wait(5)
    except subprocess.TimeoutExpired:
        for pid in pids:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        process.wait()


class Server:
    name = ""
    program = ""
    version_args = ("--version",)
    version_pattern = r"(\d+\.\d+[.\d]*)"

    def __init__(self, stage, port=None, reuseport=False, origins=(), ready="/hot.html"):
        """`origins`: for those of gateways.py; `ready`: what it answers with 200 once it serves."""
        self.stage = stage
        self.origins = origins
        self.ready = ready
        self.port = port or port_free()
        self.reuseport = reuseport
        self.folder = stage.work / f"{self.name.replace(' ', '-')}-{id(self):x}"
        self.process = None

    @classmethod
    def found(cls):
        """Where the program is, or None.  Daemons live in sbin, which isn't in everyone's PATH."""
        return shutil.which(cls.program, path=os.environ.get("PATH", "") + ":/usr/sbin:/sbin")

    @classmethod
    def version(cls):
        out = subprocess.run([cls.found(), *cls.version_args], capture_output=True, text=True, check=False)
        number = re.search(cls.version_pattern, out.stdout + out.stderr)
        return number.group(1) if number else "?"

    def conf(self):
        """The text of its configuration."""
        raise NotImplementedError

    def command(self):
        """What runs it in the foreground with the configuration in `conf`."""
        raise NotImplementedError

    def environment(self):
        return dict(os.environ)

    @property
    def conf_path(self):
        return self.folder / "conf"

    def write(self):
        self.folder.mkdir(parents=True, exist_ok=True)
        self.conf_path.write_text(self.conf())

    def start(self, group=None):
        """`group`: the control group that it shall be born in."""
        self.write()
        with open(self.folder / "log", "wb") as log:
            self.process = subprocess.Popen(
                ["taskset", "-c", str(self.stage.server_core), *map(str, self.command())],
                stdin=subprocess.DEVNULL, stdout=log, stderr=log, cwd=self.folder, env=self.environment(),
                start_new_session=True, preexec_fn=group.enter if group else None)
        self.wait_ready()

    def wait_ready(self):
        end = time.monotonic() + START_S
        while self.process.poll() is None and time.monotonic() < end:
            if self.status(self.ready) == 200:
                return
            time.sleep(0.02)
        log = (self.folder / "log").read_text(errors="replace")[-2000:]
        self.stop()
        raise RuntimeError(f"{self.name} does not serve:\n{log}")

    def status(self, path, host="bench", timeout=5):
        """Status of one answer, on a connection of its own; None if there is none."""
        request = urllib.request.Request(f"http://127.0.0.1:{self.port}{path}", headers={"Host": host})
        try:
            with urllib.request.urlopen(request, timeout=timeout) as answer:
                return answer.status
        except urllib.error.HTTPError as error:
            return error.code
        except (OSError, http.client.HTTPException):
            return None

    def stop(self):
        end_tree(self.process)
        shutil.rmtree(self.folder, ignore_errors=True)

    def reload(self):
        self.process.send_signal(signal.SIGHUP)

    def cpu_s(self):
        return measure.cpu_s(self.process.pid)

    def memory_b(self, lines=measure.PSS):
        return measure.memory_b(self.process.pid, lines)

    def __enter__(self):
        self.start()
        return self

    def __exit__(self, *_):
        self.stop()


class Petrel(Server):
    name = "petrel"
    program = str(ROOT / "build" / "petrel")
    version_args = ("version",)
    sites = 0  # so many more than the one

    def conf(self):
        return self.with_head(
            *(f'site s{i}.example {{ root {self.stage.site}; route = /which {{ respond 200 "s{i}\\n"; }}'
              " route * { files; } }" for i in range(self.sites)),
            f"site * {{ root {self.stage.site}; route * {{ files; }} }}")

    def with_head(self, *rest):
        listen = f"127.0.0.1:{self.port}" + (" reuseport" if self.reuseport else "")
        return "\n".join([f"listen {listen};", "loops 1;", "access_log off;",
                          f"limits {{ connections {CONNECTIONS}; idle_timeout 300s; }}", *rest, ""])

    def command(self):
        return [self.program, "run", "-c", self.conf_path]


class Floor(Server):
    name = "floor"
    program = str(BUILD / "floor")

    @classmethod
    def version(cls):
        return "bench/floor.c"

    def conf(self):
        return ""

    def command(self):
        return [self.program, self.port]


class Nginx(Server):
    name = "nginx"
    program = "nginx"
    version_args = ("-v",)
    sites = 0
    extra = ""

    def conf(self):
        listen = f"127.0.0.1:{self.port}" + (" reuseport" if self.reuseport else "")
        servers = "\n".join(
            f'server {{ listen {listen}; server_name s{i}.example; root {self.stage.site};'
            f' location = /which {{ return 200 "s{i}\\n"; }} }}' for i in range(self.sites))
        if self.reuseport:  # an option of the address: only its first mention may carry it
            servers = servers.replace(" reuseport", "")
        return self.in_http(f"""
                types {{ text/html html; }}
                sendfile on; tcp_nopush on; {self.extra}
                open_file_cache max=30000 inactive=60s; open_file_cache_valid 30s;
                server_names_hash_max_size 65536;
                server {{ listen {listen} default_server; root {self.stage.site}; }}
                {servers}
            """)

    def in_http(self, text):
        user = "user root;" if os.geteuid() == 0 else ""
        return f"""
            {user}
            daemon off; worker_processes 1; worker_rlimit_nofile 20000;
            pid {self.folder}/pid; error_log {self.folder}/error.log crit;
            events {{ worker_connections {CONNECTIONS}; }}
            http {{
                access_log off; tcp_nodelay on;
                keepalive_timeout 300s; keepalive_requests 1000000000;
                client_body_temp_path {self.folder}/a; proxy_temp_path {self.folder}/b;
                fastcgi_temp_path {self.folder}/c; uwsgi_temp_path {self.folder}/d; scgi_temp_path {self.folder}/e;
                {text}
            }}
            """

    def command(self):
        return [self.found(), "-c", self.conf_path, "-p", self.folder, "-e", self.folder / "error.log"]


class NginxThreads(Nginx):
    name = "nginx aio threads"
    extra = "aio threads;"


class Lighttpd(Server):
    name = "lighttpd"
    program = "lighttpd"
    version_args = ("-v",)

    def conf(self):
        return f"""
            server.bind = "127.0.0.1"
            server.port = {self.port}
            server.document-root = "{self.stage.site}"
            server.max-fds = 20000
            server.max-connections = {CONNECTIONS}
            server.max-keep-alive-requests = 65535
            server.max-keep-alive-idle = 300
            server.max-write-idle = 360
            server.stat-cache-engine = "simple"
            server.network-backend = "sendfile"
            mimetype.assign = ( ".html" => "text/html", "" => "application/octet-stream" )
            """

    def command(self):
        return [self.found(), "-D", "-f", self.conf_path]


class H2o(Server):
    name = "H2O"
    program = "h2o"

    def conf(self):
        user = "user: root" if os.geteuid() == 0 else ""
        return f"""
{user}
num-threads: 1
max-connections: {CONNECTIONS}
http1-request-timeout: 300
pid-file: {self.folder}/pid
listen:
  host: 127.0.0.1
  port: {self.port}
hosts:
  default:
    paths:
      /:
        file.dir: {self.stage.site}
"""

    def command(self):
        return [self.found(), "-m", "worker", "-c", self.conf_path]


class Caddy(Server):
    name = "Caddy"
    program = "caddy"
    version_args = ("version",)

    def conf(self):
        return self.in_site(f"root * {self.stage.site}\n\tfile_server")

    def in_site(self, text):
        return f"""
{{
	admin off
	auto_https off
	log {{
		level ERROR
	}}
}}
:{self.port} {{
	bind 127.0.0.1
	{text}
}}
"""

    def command(self):
        return [self.found(), "run", "--adapter", "caddyfile", "--config", self.conf_path]

    def environment(self):
        home = str(self.folder)
        return dict(os.environ, GOMAXPROCS="1", HOME=home, XDG_DATA_HOME=home, XDG_CONFIG_HOME=home)


class Haproxy(Server):
    name = "HAProxy"  # has no files: a canned answer of the same size
    program = "haproxy"
    version_args = ("-v",)

    def conf(self):
        return self.in_frontend(
            f"http-request return status 200 content-type text/html file {self.stage.site}/hot.html")

    def in_frontend(self, text):
        return f"""
global
    nbthread 1
    maxconn {CONNECTIONS}
    no strict-limits
defaults
    mode http
    timeout client 300s
    timeout http-keep-alive 300s
    timeout connect 5s
    timeout server 60s
    timeout tunnel {TUNNEL_S}s
frontend front
    bind 127.0.0.1:{self.port}
    maxconn {CONNECTIONS}
    {text}
"""

    def command(self):
        return [self.found(), "-db", "-f", self.conf_path]


FILE_SERVERS = (Petrel, Nginx, Lighttpd, H2o, Caddy)
EVERYONE = (Petrel, Floor, Nginx, Lighttpd, H2o, Caddy, Haproxy)
EVERY_CLASS = (Petrel, Floor, Nginx, NginxThreads, Lighttpd, H2o, Caddy, Haproxy)
