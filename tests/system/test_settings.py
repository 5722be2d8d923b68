"""petrel ctl set and --keep: a running server changed by its own directives, and what outlives reloads and restarts."""

import json
import os
import resource
import signal
import subprocess
import threading
import time

import pytest
from conftest import BINARY, SLOW, wait_for
from test_ctl import backends, ctl, names, start_app  # noqa: F401 (fixtures)
from test_operator import Unix

CONF = """
loops 2;
listen 127.0.0.1:{port};
admin unix:{dir}/admin.sock;
limits {{ header 20k; }}
{more}
site example.org www.example.org {{
    route /api/* {{ proxy api; }}
    route = /ping {{ respond 200 pong; }}
    route * {{ respond 200 fine; }}
}}
site * {{ route * {{ respond 200 other; }} }}
pool api {{ server {server}; queue 7; }}
"""
STATE = "state {dir}/state.json;"


def conf(server="127.0.0.1:1", more=""):
    return CONF.format(port="{port}", dir="{dir}", server=server, more=more)


def get(server, path, host="example.org"):
    answer = server.request(path, headers={"Host": host})
    return answer.status, answer.body


def pool(ctl, server):
    return json.loads(ctl(server, "--json", "pool", "api"))


def settings(ctl, server):
    return [s["set"] for s in json.loads(ctl(server, "--json", "settings"))["settings"]]


@pytest.mark.threads
def test_a_directive_is_set_and_taken_back(petrel, ctl):
    server = petrel(conf())
    assert ctl(server, "set", "pool", "api", "queue", "2000", "timeout", "3s") == "set: pool api queue 2000 timeout 3s\n"
    assert pool(ctl, server)["queue"]["length"] == 2000
    assert "the configuration says holds again" in ctl(server, "unset", "pool", "api", "queue")
    assert pool(ctl, server)["queue"]["length"] == 7
    # Of a site, of a route, of all: on both loops at once.
    ctl(server, "set", "site", "www.example.org", "route", "=", "/ping", "deny", "all")
    for _ in range(10):
        assert get(server, "/ping")[0] == 403 and get(server, "/x") == (200, b"fine")
    ctl(server, "set", "site", "example.org", "deny", "127.0.0.0/8")
    assert get(server, "/x")[0] == 403 and get(server, "/x", "else") == (200, b"other")
    # The block that holds them takes all of them back.
    ctl(server, "unset", "site", "example.org")
    assert get(server, "/x")[0] == 200 and get(server, "/ping")[0] == 403
    ctl(server, "unset", "site", "www.example.org")
    assert get(server, "/ping") == (200, b"pong")
    ctl(server, "set", "header", "X-Night", "a b; c")
    assert server.request("/").getheader("X-Night") == "a b; c"
    ctl(server, "set", "header", "X-Day", "1")
    assert ctl(server, "settings").count("header") == 2
    ctl(server, "unset", "header", "X-Night", "a b; c")
    answer = server.request("/")
    assert answer.getheader("X-Night") is None and answer.getheader("X-Day") == "1"


def test_limits_bite_at_once(petrel, ctl):
    server = petrel(conf())
    with server.connect(), server.connect():
        assert ctl(server, "set", "limits", "connections", "1")
        assert b"503" in server.connect().recv(100)
        ctl(server, "unset", "limits")
    wait_for(lambda: get(server, "/x")[0] == 200, "an answer")


def test_everything_is_shed_and_served_again(petrel, ctl):
    server = petrel(conf())
    assert ctl(server, "shed", "on") == "set: shed all on\n"
    answer = server.request("/x")
    assert answer.status == 503 and answer.getheader("Retry-After") == "2"
    ctl(server, "shed", "off")
    assert get(server, "/x") == (200, b"fine")
    ctl(server, "set", "site", "example.org", "shed", "all", "on")
    assert get(server, "/x")[0] == 503 and get(server, "/x", "else")[0] == 200


def test_the_log_level(petrel, ctl):
    server = petrel(conf())
    assert ctl(server, "set", "error_log", "stderr", "debug")
    said = ctl(server, "set", "error_log", "{}/other.log".format(server.dir), "debug", status=1)
    assert "is not open in the running server" in said and "petrel reload" in said


@pytest.mark.parametrize("words, says", [
    ("limts connections 5", 'unknown directive "limts" in main; did you mean "limits"?'),
    ("limits connectons 5", 'did you mean "connections"?; allowed here: connections, '),
    ("limits connections x", 'wrong count "x" for "connections": not understood; expected: a whole number'),
    ("limits connections -1", 'wrong count "-1"'),
    ("limits connections 99999999", "more than the most, 10000000"),
    ("limits", '"limits" is a block: what is to be set in it?'),
    ("pool apj queue 5", 'there is no pool "apj"; did you mean "api"?; there are: api'),
    ("pool api", '"pool api" is a block'),
    ("pool api server 127.0.0.1:2", "petrel ctl pool NAME add SERVER"),
    ("site exampel.org deny all", 'there is no site "exampel.org"; did you mean "example.org"?'),
    ("site example.org route /nowhere deny all", "there is no such route; there are: /api/*, = /ping, *"),
    ("site example.org route = /ping proxy api", '"proxy" does not answer on this route; the route is answered by: respond'),
    ("listen 8080", "petrel reload"), ("user nobody", "petrel reload"), ("admin unix:/x", "petrel reload"),
    ("root /", "petrel reload"), ("state /x", "petrel reload"), ("loops 3", "restart"),
    ("disk engine threads", "restart"), ("site new", "a block"),
    ("access_log {dir}/new.log", "is not open in the running server"),
    ("limits connections 5;", "without ; { or }"), ("limits { connections 5; }", "without ; { or }"),
    ('limits "connections', "quote"), ("${env.HOME}", "HOME"), ("", "what is to be set?"),
    ("include /etc/passwd", "can't be set"),
])
def test_what_is_wrong_is_said(petrel, ctl, words, says):
    server = petrel(conf())
    connection = Unix(server.dir / "admin.sock")
    connection.request("POST", "/settings", body=json.dumps({"set": words.format(dir=server.dir) if "{dir}" in words else words}))
    answer = connection.getresponse()
    said = json.loads(answer.read())
    connection.close()
    assert answer.status == 422 and says in said["error"], said
    assert settings(ctl, server) == [] and ctl(server, "changes") == "no changes\n"


def test_an_app_is_made_larger_while_it_runs(petrel, ctl):
    server = start_app(petrel, "1")
    before = json.loads(ctl(server, "--json", "app", "web"))["processes"][0]["pid"]
    ctl(server, "set", "app", "web", "processes", "2..3")
    wait_for(lambda: len(json.loads(ctl(server, "--json", "app", "web"))["processes"]) == 2, "another process")
    assert before in [p["pid"] for p in json.loads(ctl(server, "--json", "app", "web"))["processes"]]
    assert "petrel reload" in ctl(server, "set", "app", "web", "command", "true", status=1)


def test_changes_of_servers_stay_when_a_directive_is_set(petrel, ctl, backends):
    one, two = backends
    server = petrel(conf(one.address))
    ctl(server, "pool", "api", "add", two.address, "weight", "3")
    ctl(server, "server", "api", one.address, "drain")
    ctl(server, "set", "pool", "api", "queue", "9")
    peers = {s["server"]: (s["states"][0], s["weight"]) for s in pool(ctl, server)["servers"]}
    assert peers == {one.address: ("drain", 1), two.address: ("ready", 3)}
    # A reload forgets all of it, since nothing of it was to be kept.
    server.reload()
    assert [s["server"] for s in pool(ctl, server)["servers"]] == [one.address]
    assert pool(ctl, server)["queue"]["length"] == 7 and settings(ctl, server) == []


@pytest.mark.threads
def test_two_operators_at_once(petrel, ctl):
    """One after the other: the later one wins, and both stand in the list."""
    server = petrel(conf())
    threads = [threading.Thread(target=ctl, args=(server, "set", "pool", "api", "queue", str(n))) for n in range(20, 40)]
    for t in threads:
        t.start()
    for t in threads:
        t.join()
    changes = [c["did"] for c in json.loads(ctl(server, "--json", "changes"))["changes"]]
    assert sorted(changes) == [f"set: pool api queue {n}" for n in range(20, 40)]
    assert settings(ctl, server) == [changes[-1].removeprefix("set: ")]
    assert pool(ctl, server)["queue"]["length"] == int(changes[-1].split()[-1])


@pytest.mark.threads
def test_reloads_and_settings_at_once(petrel, ctl):
    server = petrel(conf())
    done = threading.Event()

    def set_some():
        for n in range(100, 130):
            ctl(server, "--keep", "set", "pool", "api", "queue", str(n))
        done.set()
    thread = threading.Thread(target=set_some)
    thread.start()
    while not done.is_set():
        assert ctl(server, "reload") == "reloaded\n"
    thread.join()
    assert pool(ctl, server)["queue"]["length"] == 129


# --- What is kept. ---

def change_some(ctl, server, one, two):
    assert ctl(server, "--keep", "set", "pool", "api", "queue", "2000") == "set: pool api queue 2000; kept\n"
    assert "; kept" in ctl(server, "--keep", "pool", "api", "add", two, "weight", "3")
    ctl(server, "--keep", "server", "api", one, "drain")
    ctl(server, "set", "limits", "header", "8k")


def kept_is_there(ctl, server, one, two):
    p = pool(ctl, server)
    assert p["queue"]["length"] == 2000
    assert {s["server"]: (s["states"][0], s["weight"]) for s in p["servers"]} == {one: ("drain", 1), two: ("ready", 3)}
    assert settings(ctl, server) == ["pool api queue 2000"]


@pytest.mark.threads
def test_what_is_kept_outlives_reload_worker_and_server(petrel, ctl, backends):
    one, two = (b.address for b in backends)
    server = petrel(conf(one, STATE))
    change_some(ctl, server, one, two)
    server.reload()
    kept_is_there(ctl, server, one, two)
    before = server.worker
    os.kill(before, signal.SIGKILL)
    server.wait_worker(other_than=before)
    wait_for(lambda: ctl_works(ctl, server), "the new worker")
    kept_is_there(ctl, server, one, two)
    assert names_of(server) == {"two"}
    state = server.dir / "state.json"
    assert state.stat().st_mode & 0o777 == 0o600
    assert json.loads(state.read_text())["settings"][0]["set"] == "pool api queue 2000"
    server.stop()
    again = petrel(conf(one, f"state {state};"))
    kept_is_there(ctl, again, one, two)
    # Taken back, it is gone from the file, too.
    ctl(again, "unset", "pool")
    assert json.loads(state.read_text())["settings"] == []


def names_of(server):
    return {server.request("/api/x", headers={"Host": "example.org"}).body.decode() for _ in range(10)}


def ctl_works(ctl, server):
    try:
        ctl(server, "status")
        return True
    except AssertionError:
        return False


def test_without_a_file_the_answer_says_so(petrel, ctl):
    server = petrel(conf())
    said = ctl(server, "--keep", "set", "pool", "api", "queue", "8").replace("\n", " ")
    assert "kept, but not over a restart of the server: the configuration names no file" in said
    answer = json.loads(ctl(server, "--json", "--keep", "set", "pool", "api", "queue", "9"))
    assert answer["kept"] is False and answer["ok"] is True
    before = server.worker
    os.kill(before, signal.SIGKILL)
    server.wait_worker(other_than=before)
    wait_for(lambda: ctl_works(ctl, server), "the new worker")
    assert pool(ctl, server)["queue"]["length"] == 9


def test_what_fits_no_more_is_dropped_and_said(petrel, ctl, tmp_path):
    state = tmp_path / "state.json"
    state.write_text(json.dumps({"petrel": "state 1", "settings": [
        {"set": "pool gone queue 5"}, {"set": "limits connections 77"}, {"set": "nonsense"}, {"set": 5}, {}, 7,
        {"set": "listen 80"}, {"set": "pool api queue 11"},
    ], "servers": [
        {"pool": "gone", "server": "a:1", "state": "down"}, {"pool": "api", "server": "nobody:1", "weight": 3},
        {"pool": "api", "server": "127.0.0.1:5", "add": {"weight": 9999}}, {"pool": "api", "server": "x y", "add": {}}, 7, {},
        {"pool": "api", "server": "127.0.0.1:6", "add": {"weight": 2, "connections": 0, "backup": False}},
    ], "unknown": [1]}))
    server = petrel(conf(more=f"state {state};"))
    assert settings(ctl, server) == ["limits connections 77", "pool api queue 11"]
    assert [s["server"] for s in pool(ctl, server)["servers"]] == ["127.0.0.1:1", "127.0.0.1:6"]
    server.wait_said("kept changes that are lost")
    for lost in ("pool gone queue 5", "nonsense", "listen 80", "server a:1 of pool gone", "nobody:1", "127.0.0.1:5"):
        assert lost in server.stderr
    # The next reload drops what it does not have any more, and says so, too.
    server.reload(conf(more=f"state {state};").replace("pool api {", "pool other { server 127.0.0.1:7; }\npool api {"))
    assert settings(ctl, server) == ["limits connections 77", "pool api queue 11"]
    time.sleep(1.1)  # the log has a message of a kind once a second
    server.reload(conf(more=f"state {state};").replace("pool api {", "pool apx {").replace("proxy api", "proxy apx"))
    assert settings(ctl, server) == ["limits connections 77"]
    server.wait_said('"pool api queue 11": there is no pool')


@pytest.mark.parametrize("text, says", [
    ('{"petrel":"state 1","settings":[{"set":"limits', "can't be read, and is lost: line 1"),
    ("\0\x01garbage", "can't be read, and is lost"), ("[]", "no state of this petrel"), ("{}", "no state of this petrel"),
    ('{"petrel":"state 99"}', "no state of this petrel"), ('{"petrel":5}', "no state of this petrel"),
    ('{"petrel":"state 1","settings":7,"servers":"x"}', None), ("", None),
    ('{"petrel":"state 1","settings":%s' % ("[" * 5000), "can't be read"),
])
def test_a_state_file_that_is_none(petrel, ctl, tmp_path, text, says):
    state = tmp_path / "state.json"
    state.write_text(text)
    server = petrel(conf(more=f"state {state};"))
    if says:
        server.wait_said(says)
    assert settings(ctl, server) == []
    assert ctl(server, "--keep", "set", "pool", "api", "queue", "8") == "set: pool api queue 8; kept\n"
    assert json.loads(state.read_text())["settings"][0]["set"] == "pool api queue 8"


def test_a_state_file_that_is_too_large(petrel, ctl, tmp_path):
    state = tmp_path / "state.json"
    with open(state, "wb") as f:
        f.truncate(64 << 20)
    server = petrel(conf(more=f"state {state};"))
    server.wait_said("what was kept can't be read, and is lost")
    assert get(server, "/x")[0] == 200


def not_kept(ctl, server):
    answer = json.loads(ctl(server, "--json", "--keep", "set", "pool", "api", "queue", "8"))
    assert answer["ok"] is True and answer["kept"] is False
    assert "can't be written" in answer["did"]
    assert pool(ctl, server)["queue"]["length"] == 8
    server.wait_said("what is kept is lost with the next restart")
    server.reload()
    assert pool(ctl, server)["queue"]["length"] == 8


def test_a_folder_that_is_gone(petrel, ctl, tmp_path):
    folder = tmp_path / "there"
    folder.mkdir()
    server = petrel(conf(more=f"state {folder}/state.json;"))
    folder.rmdir()
    not_kept(ctl, server)


def test_a_device_that_is_full(petrel, ctl, tmp_path):
    (tmp_path / "state.json.new").symlink_to("/dev/full")
    server = petrel(conf(more=f"state {tmp_path}/state.json;"))
    not_kept(ctl, server)
    assert not (tmp_path / "state.json").exists()


def test_a_file_that_may_not_grow(petrel, ctl, tmp_path):
    """As on a full disk: what was kept before stays as it was."""
    server = petrel(conf(more=f"state {tmp_path}/state.json;"))
    ctl(server, "--keep", "set", "limits", "connections", "77")
    before = (tmp_path / "state.json").read_text()
    resource.prlimit(server.pid, resource.RLIMIT_FSIZE, (10, 10))
    said = ctl(server, "--keep", "set", "pool", "api", "queue", "8").replace("\n", " ")
    assert "but not over a restart of the server" in said
    assert (tmp_path / "state.json").read_text() == before
    assert get(server, "/x")[0] == 200


@pytest.mark.skipif(os.geteuid() != 0, reason="mounting takes root")
def test_a_disk_that_is_full(petrel, ctl, tmp_path):
    disk = tmp_path / "disk"
    disk.mkdir()
    if subprocess.run(["mount", "-t", "tmpfs", "-o", "size=64k", "tmpfs", disk], capture_output=True).returncode:
        pytest.skip("nothing can be mounted here")
    try:
        server = petrel(conf(more=f"state {disk}/state.json;"))
        with open(disk / "rest", "wb", buffering=0) as f, pytest.raises(OSError):
            while True:
                f.write(b"x" * 4096)
        not_kept(ctl, server)
        (disk / "rest").unlink()
        assert ctl(server, "--keep", "set", "pool", "api", "queue", "9") == "set: pool api queue 9; kept\n"
        server.stop()
    finally:
        subprocess.run(["umount", disk], check=True)


def test_a_read_only_disk(petrel, ctl, tmp_path):
    if os.geteuid() == 0:
        disk = tmp_path / "disk"
        disk.mkdir()
        if subprocess.run(["mount", "-t", "tmpfs", "-o", "ro,size=64k", "tmpfs", disk], capture_output=True).returncode:
            pytest.skip("nothing can be mounted here")
    else:
        disk = tmp_path / "disk"
        disk.mkdir(mode=0o500)
    try:
        server = petrel(conf(more=f"state {disk}/state.json;"))
        not_kept(ctl, server)
        server.stop()
    finally:
        if os.geteuid() == 0:
            subprocess.run(["umount", disk], check=True)


def test_the_file_is_another_after_a_reload(petrel, ctl, tmp_path):
    server = petrel(conf(more=f"state {tmp_path}/one.json;"))
    ctl(server, "--keep", "set", "pool", "api", "queue", "8")
    server.reload(conf(more=f"state {tmp_path}/two.json;"))
    assert (tmp_path / "one.json").read_text() == (tmp_path / "two.json").read_text()


# --- As configuration. ---

def test_changes_as_configuration(petrel, ctl, command, backends, tmp_path):
    one, two = (b.address for b in backends)
    server = petrel(conf(one, STATE) + 'app web { command "exec sleep \\"9;{\\""; processes 1; }\n')
    assert ctl(server, "changes", "--as-config") == "# nothing is changed\n"
    change_some(ctl, server, one, two)
    for words in ("limits connections 500", "site example.org deny 10.0.0.0/8", "site example.org limits body 1m",
                  "site example.org route = /ping throttle 5k", "site example.org route = /ping respond 200 ping",
                  "app web processes 2..4", "pool api retry 1 on connect", "header X-A 1"):
        ctl(server, "set", *words.split())
    ctl(server, "set", "header", "X-B", 'a "b" ; { c')
    text = ctl(server, "changes", "--as-config")
    pasted = tmp_path / "pasted.conf"
    pasted.write_text("listen 127.0.0.1:8080;\n" + text)
    done = command("check", "-c", pasted)
    assert done.returncode == 0, (text, done.stderr)
    for line in (f"    server {one};  # now: drain\n", f"    server {two} weight 3;\n", "    queue 2000;\n",
                 "    connections 500;\n", "        throttle 5k;\n", "    processes 2..4;\n"):
        assert line in text
    for block in ("limits {", "pool api {", "site example.org {", "route = /ping {", "app web {"):
        assert text.count(block) == (2 if block == "limits {" else 1), text
    effective = command("config", "-c", pasted).stdout
    assert 'X-B "a \\"b\\" ; { c";' in effective
    ctl(server, "pool", "api", "remove", one)
    assert f"    # removed: server {one};" in ctl(server, "changes", "--as-config")
    pasted.write_text("listen 127.0.0.1:8080;\n" + ctl(server, "changes", "--as-config"))
    assert command("check", "-c", pasted).returncode == 0


# --- What does not end well. ---

@pytest.mark.threads
def test_clients_that_vanish_while_it_is_set(petrel, ctl):
    server = petrel(conf(more=STATE))
    for n in range(30):
        connection = Unix(server.dir / "admin.sock")
        connection.request("POST", "/settings?keep", body=json.dumps({"set": f"pool api queue {n + 10}"}))
        connection.close()
    for _ in range(10):
        connection = Unix(server.dir / "admin.sock")
        connection.putrequest("POST", "/settings")
        connection.putheader("Content-Length", "100")
        connection.endheaders(b'{"set":"limits')
        connection.close()
    assert "kept" in ctl(server, "--keep", "set", "pool", "api", "queue", "99")
    changes = json.loads(ctl(server, "--json", "changes"))["changes"]
    assert changes[-1]["did"] == "set: pool api queue 99; kept"
    assert json.loads((server.dir / "state.json").read_text())["settings"][0]["set"] == "pool api queue 99"
    assert get(server, "/x")[0] == 200


@pytest.mark.threads
def test_the_server_stops_while_it_is_set(petrel, ctl):
    server = petrel(conf(more=STATE))
    threads = [threading.Thread(target=subprocess.run, daemon=True, kwargs={"capture_output": True}, args=(
        [BINARY, "ctl", "--socket", server.dir / "admin.sock", "--keep", "set", "pool", "api", "queue", str(n)],))
        for n in range(10, 20)]
    for t in threads:
        t.start()
    server.stop()
    for t in threads:
        t.join(20)
        assert not t.is_alive()


def test_more_settings_than_are_allowed(petrel, ctl):
    server = petrel(conf())
    connection = Unix(server.dir / "admin.sock")
    for n in range(201):
        connection.request("POST", "/settings", body=json.dumps({"set": f"deny 10.0.{n}.0/24"}))
        answer = connection.getresponse()
        said = json.loads(answer.read())
        assert answer.status == (200 if n < 200 else 409), said
        if SLOW and n == 20:
            return
    connection.close()
