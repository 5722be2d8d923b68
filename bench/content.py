"""The files that are served.  Made once, from a fixed seed, with random bytes: nothing is sparse or compressible."""
import math
import os
import random

from stage import say

COLD_FILES = 20000
COLD_MEDIAN_B = 4608
COLD_MEAN_B = 9216
FOLDER_FILES = 100
GIGA_B = 1 << 30

FILES = {
    "hot.html": 4608,
    "1k.html": 1024,
    "30k.html": 30 * 1024,
    "100k.bin": 100 * 1024,
    "10m.bin": 10 * 1024 * 1024,
}


def file_write(path, size):
    """Under another name first, so that an interrupted run leaves no half of a file."""
    part = path.with_name(path.name + ".part")
    with open(part, "wb") as f:
        while size:
            piece = min(size, 1 << 20)
            f.write(os.urandom(piece))
            size -= piece
    part.rename(path)


def site(stage):
    """The folder with the ordinary files."""
    stage.site.mkdir(parents=True, exist_ok=True)
    for name, size in FILES.items():
        if not (stage.site / name).exists():
            file_write(stage.site / name, size)
    return stage.site


def giga(stage):
    """A file of 1 GB, whose path it returns."""
    if not (site(stage) / "1g.bin").exists():
        say("  writing a file of 1 GB")
        file_write(stage.site / "1g.bin", GIGA_B)
    return "/1g.bin"


def cold(stage):
    """20,000 files with the sizes of a real site: log-normal, by median and mean."""
    done = site(stage) / "cold" / "done"
    if done.exists():
        return COLD_FILES
    say(f"  writing {COLD_FILES:,} files")
    chance = random.Random(2006)
    sigma = math.sqrt(2 * math.log(COLD_MEAN_B / COLD_MEDIAN_B))
    for i in range(COLD_FILES):
        folder = stage.site / "cold" / f"{i // FOLDER_FILES:03}"
        if i % FOLDER_FILES == 0:
            folder.mkdir(parents=True, exist_ok=True)
        size = max(1, round(chance.lognormvariate(math.log(COLD_MEDIAN_B), sigma)))
        (folder / f"{i:05}.bin").write_bytes(os.urandom(size))
    os.sync()
    done.touch()
    return COLD_FILES
