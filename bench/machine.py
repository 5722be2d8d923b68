"""What the figures were measured on."""
import os
import platform
from pathlib import Path


def field(path, key, separator):
    """The value of the first line that begins with a key, or None."""
    for line in Path(path).read_text().splitlines():
        if line.startswith(key):
            return line.split(separator, 1)[1].strip().strip('"')
    return None


def describe():
    memory_k = int(field("/proc/meminfo", "MemTotal", ":").split()[0])
    return {
        "cpu": field("/proc/cpuinfo", "model name", ":") or platform.machine(),
        "cores": os.cpu_count(),
        "memory_gb": round(memory_k / 2**20, 1),
        "kernel": platform.release(),
        "tcp": Path("/proc/sys/net/ipv4/tcp_congestion_control").read_text().strip(),
        "distribution": field("/etc/os-release", "PRETTY_NAME", "="),
    }
