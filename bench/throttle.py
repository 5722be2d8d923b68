"""A block-I/O control group that holds a server's reads down: v1 (blkio.throttle) or v2 (io.max), whichever is here."""
import os
import time
from pathlib import Path


def mounts():
    for line in Path("/proc/mounts").read_text().splitlines():
        _, where, kind, options = line.split()[:4]
        yield Path(where), kind, options.split(",")


def device_of(folder):
    """`major:minor` of the disk below a folder, or None: tmpfs, overlays and network file systems have none."""
    number = os.stat(folder).st_dev
    link = Path(f"/sys/dev/block/{os.major(number)}:{os.minor(number)}")
    if os.major(number) == 0 or not link.exists():
        return None
    disk = link.resolve().parent if (link / "partition").exists() else link.resolve()
    return (disk / "dev").read_text().strip()


def hierarchy():
    """Where groups are made, and whether that is version 1; (None, None) if neither is here."""
    for where, kind, options in mounts():
        if kind == "cgroup" and "blkio" in options:
            return where, True
    for where, kind, _ in mounts():
        controllers = where / "cgroup.controllers"
        if kind == "cgroup2" and controllers.exists() and "io" in controllers.read_text().split():
            return where, False
    return None, None


class Group:
    """A context: made at the beginning, emptied of limits and removed at its end, however that comes."""

    def __init__(self, folder):
        self.device = device_of(folder)
        top, self.old = hierarchy()
        self.path = top / f"petrel-bench-{os.getpid()}" if top else None

    def why_not(self):
        """None if it can be made; else the reason."""
        if not self.device:
            return "the files are not on a block device's file system"
        if not self.path:
            return "there is no block-I/O control group here"
        try:
            self.make()
            self.path.rmdir()
            Path("/proc/sys/vm/drop_caches").open("w").close()
        except OSError as error:
            return f"no control group can be made, or the caches not dropped: {error.strerror}"
        return None

    def make(self):
        if not self.old:
            (self.path.parent / "cgroup.subtree_control").write_text("+io")
        self.path.mkdir()

    def __enter__(self):
        self.make()
        return self

    def __exit__(self, *_):
        end = time.monotonic() + 10
        self.limit(None)
        while self.path.exists() and time.monotonic() < end:
            try:
                self.path.rmdir()
            except OSError:
                time.sleep(0.1)  # its last process is still on its way out

    def enter(self):
        """Puts the calling process into it."""
        with open(self.path / "cgroup.procs", "w") as f:
            f.write("0")

    def limit(self, iops):
        """Reads per second; None: as many as the disk can."""
        if self.old:
            (self.path / "blkio.throttle.read_iops_device").write_text(f"{self.device} {iops or 0}")
        else:
            (self.path / "io.max").write_text(f"{self.device} riops={iops or 'max'}")


def caches_drop():
    os.sync()
    Path("/proc/sys/vm/drop_caches").write_text("3")
