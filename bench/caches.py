"""The same servers, and others that are caches, before an origin whose pages may be kept for a year (bench/pages.c).

Each has so much memory for pages, one worker or event loop on the server's core, no access log, and what else its
manual advises; where that is not plain, a comment says what it says."""
import os
import shutil
import urllib.request
from pathlib import Path

import gateways
import load
import origins
import servers
from servers import CONNECTIONS

READY = "/1/ready"
MEGA_B = 1 << 20
SHARED_MEMORY = Path("/dev/shm")


class Origin(origins.Http):
    """bench/pages.c"""

    def command(self):
        return [load.program("pages"), self.port, self.delay_ms]

    def answer_b(self, body_b):
        """Length of a whole answer of it."""
        with urllib.request.urlopen(f"http://{self.where}/{body_b}/") as answer:
            return body_b + sum(len(f"{name}: {value}\r\n") for name, value in answer.headers.items())

    def count(self):
        """How many pages it was asked for so far."""
        return int(load.get(self.port, "/-/count"))


class Cache(servers.Server):
    """`room_b` bytes of memory for pages; `objects`: about how many of them will be there."""
    small_b = 1200  # more room than a small page takes

    def __init__(self, stage, room_b=512 * MEGA_B, objects=100_000, **how):
        super().__init__(stage, ready=READY, **how)
        self.room_b = room_b
        self.objects = objects

    @property
    def room_k(self):
        return self.room_b // 1024

    def held_b(self):
        """Memory of its processes, and of what is not theirs and holds pages."""
        return self.memory_b()


class Petrel(Cache, servers.Petrel):
    cache_options = ""
    more = ""

    def conf(self):
        return self.with_head(f"""
admin unix:{self.folder}/admin.sock;
pool bench {{ server {self.origins[0]}; keepalive {gateways.KEPT}; }}
{self.more}
cache pages {{ memory {self.room_b}; {self.cache_options} }}
site * {{ route * {{ cache pages; proxy bench; }} }}
""")


class Nginx(Cache, servers.Nginx):
    """It keeps pages in files, and leaves it to the system to keep those in memory: as its guide to caching advises, on
    a file system that is memory where there are to be no disk's times in it, and without moving files
    (use_temp_path=off).  8,000 keys take a megabyte of the zone."""

    small_b = 5000
    open_files = "open_file_cache max=15000 inactive=60s; open_file_cache_valid 30s;"

    def __init__(self, stage, **how):
        super().__init__(stage, **how)
        self.pages = SHARED_MEMORY / f"petrel-bench-{os.getpid()}-{id(self):x}"

    @property
    def zone_k(self):
        return self.objects // 8 + 16 * 1024

    @property
    def files_k(self):
        return self.room_k

    def conf(self):
        return self.in_http(f"""
                sendfile on; tcp_nopush on;
                {self.open_files}
                proxy_cache_path {self.pages} levels=1:2 keys_zone=pages:{self.zone_k}k
                    max_size={self.files_k}k inactive=10d use_temp_path=off;
                upstream bench {{ server {self.origins[0]}; keepalive {gateways.KEPT}; keepalive_requests 1000000000; }}
                server {{
                    listen 127.0.0.1:{self.port} backlog=4096;
                    location / {{
                        proxy_pass http://bench; proxy_http_version 1.1; proxy_set_header Connection "";
                        proxy_cache pages; proxy_cache_lock on;
                    }}
                }}
            """)

    def held_b(self):
        return self.memory_b() + sum(f.stat().st_blocks * 512 for f in self.pages.rglob("*") if f.is_file())

    def stop(self):
        super().stop()
        shutil.rmtree(self.pages, ignore_errors=True)


class Varnish(Cache):
    """Its memory is that of bodies and heads; about a kilobyte for each object comes on top ("malloc" in varnishd(1))."""
    small_b = 3000
    name = "Varnish"
    program = "varnishd"
    version_args = ("-V",)
    version_pattern = r"varnish-(\d+\.\d+[.\d]*)"

    def conf(self):
        host, _, port = self.origins[0].rpartition(":")
        return f"""
            vcl 4.1;
            backend bench {{ .host = "{host}"; .port = "{port}"; }}
            """

    def command(self):
        # Threads wait for backends and clients; its manual advises two pools whatever the number of cores.
        return [self.found(), "-F", "-j", "none", "-n", self.folder / "work", "-f", self.conf_path,
                "-a", f"127.0.0.1:{self.port}", "-s", f"malloc,{self.room_b}", "-t", "31536000",
                "-p", "listen_depth=4096", "-p", "timeout_idle=300"]


class Trafficserver(Cache):
    """As its guide to tuning says: threads by number, not by cores; a RAM cache of the given size before a volume on
    disk."""
    name = "Traffic Server"
    program = "traffic_server"
    version_args = ("-V",)
    plugins = ""
    user = "nobody"  # it refuses to be root

    def file(self, name, text):
        path = self.folder / "etc" / name
        path.write_text(text)

    def write(self):
        for name in ("etc", "var", "run", "logs", "cache", "share"):
            (self.folder / name).mkdir(parents=True, exist_ok=True)
        super().write()
        self.file("storage.config", f"{self.folder}/cache {max(256, self.room_k // 512)}M\n")
        self.file("remap.config", f"map / http://{self.origins[0]}/\n")
        self.file("plugin.config", self.plugins)
        self.file("ip_allow.yaml", "ip_allow:\n  - {apply: in, ip_addrs: 127.0.0.0/8, action: allow, methods: ALL}\n")
        self.file("logging.yaml", "logging: {}\n")
        self.file("records.config", "".join(f"CONFIG proxy.config.{line}\n" for line in self.records()))
        if os.geteuid() == 0:
            for path in (self.folder, *self.folder.rglob("*")):
                shutil.chown(path, self.user)

    def records(self):
        return [
            f"http.server_ports STRING {self.port}:ip-in=127.0.0.1",
            f"admin.user_id STRING {self.user}",
            "exec_thread.autoconfig INT 0",
            "exec_thread.limit INT 1",
            "exec_thread.affinity INT 0",
            "accept_threads INT 0",
            "task_threads INT 1",
            f"cache.ram_cache.size INT {self.room_b}",
            f"cache.min_average_object_size INT {max(500, self.room_b // self.objects // 2)}",
            "log.logging_enabled INT 0",
            "diags.logfile.rolling_enabled INT 0",
            "reverse_proxy.enabled INT 1",
            "url_remap.remap_required INT 1",
            f"net.connections_throttle INT {CONNECTIONS}",
            f"http.cache.open_write_fail_action INT {1 if self.plugins else 0}",
            "http.cache.required_headers INT 2",
            "http.keep_alive_no_activity_timeout_in INT 300",
            "http.insert_request_via_str INT 0",
            "http.insert_response_via_str INT 0",
            "http.insert_client_ip INT 0",
            "http.insert_squid_x_forwarded_for INT 0",
        ]

    def conf(self):
        places = {"prefix": "", "exec_prefix": "", "sysconfdir": "etc", "datadir": "share", "localstatedir": "var",
                  "runtimedir": "run", "logdir": "logs", "cachedir": "cache"}
        own = {name: self.folder / place for name, place in places.items()}
        debian = {"bindir": "/usr/bin", "sbindir": "/usr/sbin", "includedir": "/usr/include", "libdir": "/usr/lib",
                  "libexecdir": "/usr/lib/trafficserver/modules", "mandir": "/usr/share/man", "infodir": "/usr/share/info"}
        return "".join(f"{name}: {place}\n" for name, place in {**own, **debian}.items())

    def command(self):
        return [self.found(), f"--run-root={self.conf_path}"]


class Squid(Cache):
    """An accelerator with pages in memory alone (no cache_dir), as its manual's "Reverse Proxy" says; it advises
    collapsed_forwarding for that use."""
    small_b = 9000
    name = "Squid"
    program = "squid"
    version_args = ("-v",)

    def write(self):
        super().write()
        self.folder.chmod(0o777)  # it gives up root's rights

    def conf(self):
        host, _, port = self.origins[0].rpartition(":")
        return f"""
            http_port 127.0.0.1:{self.port} accel defaultsite=bench no-vhost
            cache_peer {host} parent {port} 0 no-query originserver name=bench no-digest
            http_access allow all
            cache_mem {self.room_k} KB
            maximum_object_size_in_memory 1 MB
            collapsed_forwarding on
            max_filedescriptors 20000
            client_idle_pconn_timeout 300 seconds
            workers 1
            access_log none
            cache_store_log none
            cache_log {self.folder}/cache.log
            pid_filename none
            coredump_dir {self.folder}
            via off
            forwarded_for delete
            shutdown_lifetime 0 seconds
            """

    def command(self):
        return [self.found(), "-N", "-f", self.conf_path]


PEERS = (Nginx, Varnish, Trafficserver, Squid)
EVERYONE = (Petrel, *PEERS)
