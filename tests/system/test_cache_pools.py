"""Fills by the pools that they ask: each has a bound and a line of its own, and who hangs holds up nobody else's pages."""

import json
import re

import pytest
from cached import FRESH, Gate
from conftest import wait_for
from origins import answer, http
from test_ctl import ctl  # noqa: F401 (a fixture)
from test_metrics import metrics
from test_operator import admin
from wire import Wire, ask, get

pytestmark = pytest.mark.threads

CONF = """
loops LOOPS;
listen 127.0.0.1:{port};
admin unix:{dir}/admin.sock;
limits { connections 0; }
memcached away { server 127.0.0.1:1; }
cache pages { memory 32m; fills FILLS; wait 1h; }
POOLS
site * {
    route = /-/own   { cache pages; respond 200 own; }
    route /kv/*      { cache pages; memcached away; }
    ROUTES
    route *          { cache pages; proxy well; }
}
"""
ILL = "route /ill/*     { cache pages; proxy ill; }\nroute /kv/* { proxy ill; }"


@pytest.fixture
def pools(petrel, origin):
    """A pool that hangs until its gate is opened, and one that is well."""
    ill, well, gate = None, origin(http(lambda asked: answer(b"well", fields=FRESH))), Gate()
    ill = origin(http(gate))

    def conf(fills=2, loops=2, has_ill=True):
        listed = f"pool well {{ server {well.address}; }}" + f" pool ill {{ server {ill.address}; }}" * has_ill
        return (CONF.replace("LOOPS", str(loops)).replace("FILLS", str(fills)).replace("POOLS", listed)
                .replace("ROUTES", ILL * has_ill))

    def start(**kwargs):
        server = petrel(conf(**kwargs))
        server.conf, server.ill, server.well, server.gate = conf, ill, well, gate
        return server

    yield start
    gate.open.set()


def hang(server, count=6, path="/ill/"):
    wires = [Wire(server).send(get(f"{path}{n}")) for n in range(count)]
    return wires


def end(server, wires, body=b"hello"):
    server.gate.open.set()
    assert {wire.answer().body for wire in wires} == {body}
    for wire in wires:
        wire.sock.close()


def lines(server):
    """{pool: (under way, in line)}"""
    code, text = admin(server, "GET", "/caches/pages")
    assert code == 200, text
    return {line["pool"]: (line["under_way"], line["waiting"]) for line in json.loads(text)["lines"]}


def wait_lines(server, expected):
    wait_for(lambda: lines(server) == expected, f"{expected}, not {lines(server)}")


@pytest.mark.parametrize("loops", [1, 2])
def test_who_hangs_holds_up_no_other(pools, loops):
    server = pools(loops=loops)
    wires = hang(server)
    wait_lines(server, {"ill": (2, 4)})
    for n in range(10):
        assert ask(server, get(f"/{n}")).body == b"well"
    assert ask(server, get("/-/own")).body == b"own"
    wait_lines(server, {"": (0, 0), "ill": (2, 4), "well": (0, 0)})
    wait_for(lambda: server.gate.most == 2, "two at the pool")
    end(server, wires)
    assert server.gate.most == 2 and len(server.ill.asked) == 6
    wait_lines(server, {"": (0, 0), "ill": (0, 0), "well": (0, 0)})


def test_who_went_on_to_another_route_stands_in_nobodys_way(pools):
    """What is not in memcached is asked of the pool that hangs: it is not kept, and it is not petrel's own answer."""
    server = pools()
    wires = hang(server, path="/kv/")
    wait_for(lambda: server.gate.inside == 6, "all of them at the pool")
    assert ask(server, get("/-/own")).body == b"own"
    wait_lines(server, {"": (0, 0)})
    end(server, wires)


def test_who_left_stands_in_no_line(pools):
    server = pools()
    first = hang(server, 2)
    wait_lines(server, {"ill": (2, 0)})
    wires = [Wire(server).send(get(f"/ill/{n}")) for n in range(2, 500)]
    wait_lines(server, {"ill": (2, 498)})
    for wire in wires[1:]:
        wire.sock.close()
    # Nothing has come of the pool.
    wait_lines(server, {"ill": (2, 1)})
    end(server, [*first, wires[0]])
    assert len(server.ill.asked) == 3


def test_lines_outlive_reloads_and_end_with_their_pools(pools):
    server = pools()
    wires = hang(server)
    wait_lines(server, {"ill": (2, 4)})
    server.reload(server.conf(fills=3))
    wait_lines(server, {"ill": (3, 3)})
    wait_for(lambda: server.gate.inside == 3, "three at the pool")
    # Who asked it already gets what it says; who stands in line for a pool that is gone finds no server when his turn comes.
    server.reload(server.conf(has_ill=False))
    assert ask(server, get("/ill/new")).body == b"well"
    wait_lines(server, {"ill": (3, 3), "well": (0, 0)})
    server.gate.open.set()
    assert sorted(wire.answer().status for wire in wires) == [200] * 3 + [503] * 3
    wait_lines(server, {"ill": (0, 0), "well": (0, 0)})
    server.reload()
    wait_lines(server, {})


def test_lines_are_shown(pools, ctl):  # noqa: F811
    server = pools()
    wires = hang(server)
    wait_lines(server, {"ill": (2, 4)})
    assert ask(server, get("/-/own")).body == b"own"
    wait_lines(server, {"": (0, 0), "ill": (2, 4)})
    shown = ctl(server, "cache", "pages")
    assert re.search(r"ill: 2 under way, 4 in line\n", shown), shown
    assert re.search(r"petrel itself: 0 under way, 0 in line\n", shown), shown
    assert re.search(r"^pages .* 2 +4$", ctl(server, "cache"), re.M)
    text = metrics(server)
    for pool, under_way, waiting in (("ill", 2, 4), ("", 0, 0)):
        assert f'petrel_cache_fills_under_way{{cache="pages",pool="{pool}"}} {under_way}\n' in text
        assert f'petrel_cache_fills_waiting{{cache="pages",pool="{pool}"}} {waiting}\n' in text
    end(server, wires)
