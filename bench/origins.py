"""What stands behind the gateways: canned origins of our own, and php-fpm.  They run on the load's core, so that none of
their time is in the server's figures."""
import os
import shutil
import socket
import subprocess
import time
from pathlib import Path

import load
from servers import START_S, end_tree
from stage import port_free

PHP_CHILDREN = 100  # each holds one connection: those of all servers that stay open between their rounds

SCRIPT = '<?php\nheader("Content-Type: text/html; charset=utf-8");\necho str_repeat("x", 4608);\n'


class Origin:
    """`where`: host:port, or the path of a Unix socket."""

    def __init__(self, stage, where):
        self.stage = stage
        self.where = where
        self.process = None

    def command(self):
        raise NotImplementedError

    def answers(self):
        """Whether it accepts connections."""
        local = self.where.startswith("/")
        with socket.socket(socket.AF_UNIX if local else socket.AF_INET) as s:
            try:
                s.connect(self.where if local else ("127.0.0.1", self.port))
                return True
            except OSError:
                return False

    @property
    def port(self):
        return int(self.where.rpartition(":")[2])

    def start(self):
        self.process = subprocess.Popen(load.pinned(self.stage, self.command()), stdin=subprocess.DEVNULL)
        end = time.monotonic() + START_S
        while not self.answers():
            if self.process.poll() is not None or time.monotonic() > end:
                self.stop()
                raise RuntimeError(f"{self.command()[0]} does not answer")
            time.sleep(0.01)

    def kill(self):
        self.process.kill()
        self.process.wait()

    def stop(self):
        end_tree(self.process)

    def __enter__(self):
        self.start()
        return self

    def __exit__(self, *_):
        self.stop()


class Http(Origin):
    """bench/origin.c"""

    def __init__(self, stage, delay_ms=0):
        super().__init__(stage, f"127.0.0.1:{port_free()}")
        self.delay_ms = delay_ms

    def command(self):
        return [load.program("origin"), self.port, self.delay_ms]


class Fcgi(Origin):
    """bench/fcgi.c"""

    def __init__(self, stage):
        super().__init__(stage, str(stage.work / "fcgi.sock"))

    def command(self):
        return [load.program("fcgi"), self.where, 0]


class PhpFpm(Origin):
    """Debian's, with a configuration of its own and a script of one line."""

    def __init__(self, stage):
        super().__init__(stage, str(stage.work / "php.sock"))
        self.conf_path = stage.work / "php-fpm.conf"

    @staticmethod
    def found():
        """Its name has PHP's version in it."""
        folders = os.environ.get("PATH", "").split(":") + ["/usr/sbin"]
        names = sorted(p.name for f in folders for p in Path(f or ".").glob("php-fpm*") if os.access(p, os.X_OK))
        return shutil.which(names[-1], path=":".join(folders)) if names else None

    def start(self):
        (self.stage.work / "hot.php").write_text(SCRIPT)
        user = "user = root\ngroup = root\n" if os.geteuid() == 0 else ""
        self.conf_path.write_text(
            f"[global]\ndaemonize = no\nerror_log = {self.stage.work}/php-fpm.log\nlog_level = warning\n"
            f"[bench]\n{user}listen = {self.where}\nlisten.backlog = 4096\n"
            f"pm = static\npm.max_children = {PHP_CHILDREN}\npm.max_requests = 0\n")
        super().start()

    def command(self):
        return [self.found(), "-n", "-F", *(["-R"] if os.geteuid() == 0 else []), "-y", self.conf_path]
