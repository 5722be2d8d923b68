"""The scenarios, in the order in which they run.

Each module has NAME, TITLE and ABOUT for the report; run(stage), which measures and returns what goes into the results
as it is ({"settings": …, "servers": {name: …}}), or raises Skip; and table(result) and verdict(result), which tell it."""
from scenarios import (cache, disk, fastcgi, faults, files, hot, idle, kill, many, memcached, millions, mixed, proxy, queue,
                       reload, sight, slow, stampede, start, websockets, zipf)

ALL = {s.NAME: s for s in (hot, files, idle, many, disk, slow, mixed, start, reload, proxy, fastcgi, websockets, kill,
                           queue, cache, millions, stampede, memcached, faults, zipf, sight)}
