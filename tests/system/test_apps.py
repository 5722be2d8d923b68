"""Applications that petrel runs: started, watched, replaced and ended, and their clients notice nothing."""

import collections
import http.client
import os
import pathlib
import re
import signal
import subprocess
import threading
import time

import pytest

from conftest import BINARY, SLOW, Petrel, alive, wait_for

ROOT = pytest.mark.skipif(os.geteuid() != 0, reason="only root can start processes as someone else")
SITE = """
listen 127.0.0.1:{port};
loops 2;
error_log stderr info;
APPS
site * {{
    root {dir};
    route *.php { fastcgi php; }
    route *     { proxy web; }
}}
""".replace("{{", "{").replace("}}", "}")


def php(more=""):
    return f"app php {{ command php-cgi; processes 2; {more} }}\n"



# An HTTP server that does as it is told by the path.
WEB = r"""
import http.server, json, os, signal, sys, time
kept = []
class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    wbufsize = 65536
    def do_GET(self):
        what, _, value = self.path[1:].partition("/")
        if what == "leak": kept.append(b"x" * int(value))
        if what == "open": kept.extend(open("/dev/null") for _ in range(int(value)))
        if what == "sleep":
            open("asleep", "w").close()
            time.sleep(float(value))
        if what == "die": os.kill(os.getpid(), signal.SIGKILL)
        if what == "flood":
            for n in range(int(value)): os.write(2, b"line %d " % n + b"x" * 200 + b"\n")
        body = (json.dumps({"pid": os.getpid(), "path": self.path, "env": dict(os.environ)}) + "\n").encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)
    do_POST = do_GET
    def log_message(self, *args): pass
class Server(http.server.ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 128
"""
SERVE = 'Server(("127.0.0.1", int(os.environ["PORT"])), Handler).serve_forever()\n'


def children(pid):
    try:
        return [int(p) for p in pathlib.Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]
    except (FileNotFoundError, ProcessLookupError):
        return []


def comm(pid):
    try:
        return pathlib.Path(f"/proc/{pid}/comm").read_text().strip()
    except (FileNotFoundError, ProcessLookupError):
        return ""


def family(pid):
    """It and all its descendants."""
    return [pid] + [one for child in children(pid) for one in family(child)]


def zombies(pid):
    def state(p):
        try:
            return pathlib.Path(f"/proc/{p}/stat").read_text().rpartition(")")[2].split()[0]
        except (FileNotFoundError, ProcessLookupError):
            return "X"
    return [p for p in family(pid) if state(p) == "Z"]


class Site(Petrel):
    """A petrel with applications: what it has started."""

    @property
    def spawner(self):
        return next((p for p in children(self.pid) if comm(p) == "petrel: spawner" and alive(p)), None)

    @property
    def apps(self):
        spawner = self.spawner
        return [p for p in children(spawner) if alive(p)] if spawner else []

    def wait_apps(self, count, seconds=10.0):
        wait_for(lambda: len(self.apps) == count, f"{count} processes", seconds)
        return self.apps

    def pid_of(self, target):
        return self.get_json(target)["pid"]


@pytest.fixture
def site(tmp_path):
    """site(apps) starts a server with these app blocks; {dir} has web.py and pid.php."""
    running = []

    def start(apps, wait=True, conf=SITE, **kwargs):
        folder = tmp_path / "site"
        folder.mkdir()
        (folder / "web.py").write_text(WEB + SERVE)
        (folder / "pid.php").write_text("<?php echo getmypid(), ' ', posix_geteuid(), ' ', getenv('MARK'), \"\\n\";")
        (folder / "file.txt").write_text("a file\n")
        for file in (tmp_path, *tmp_path.parents):
            if file.stat().st_uid == os.geteuid() and file != file.parent and str(file).startswith("/tmp/"):
                file.chmod(file.stat().st_mode | 0o055)
        for name in ("php", "web"):
            if "fastcgi php" in conf and f"app {name} " not in apps:
                apps += f"pool {name} {{ server 127.0.0.1:9; }}\n"
        one = Site(folder, conf.replace("APPS", apps), **kwargs)
        running.append(one)
        return one.wait_ready() if wait else one

    yield start
    for one in running:
        one.stop()


class Load:
    """Clients that ask again and again, until told to stop: statuses and exceptions are counted."""

    def __init__(self, petrel, target, clients=8, method="GET"):
        self.seen = collections.Counter()
        self.bodies = collections.Counter()
        self.running = True
        self.where = petrel.port, target, method
        self.threads = [threading.Thread(target=self.run) for _ in range(clients)]
        for thread in self.threads:
            thread.start()

    def run(self):
        port, target, method = self.where
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
        while self.running:
            try:
                connection.request(method, target)
                answer = connection.getresponse()
                self.bodies[answer.read()] += 1
                self.seen[answer.status] += 1
            except OSError as error:
                self.seen[repr(error)] += 1
                connection.close()

    def stop(self):
        self.running = False
        for thread in self.threads:
            thread.join()
        return self.seen

    def __enter__(self):
        return self

    def __exit__(self, *args):
        self.stop()


def no_failure(load, least=50):
    """Not while it went on so far, nor in what it takes until there were enough of them."""
    wait_for(lambda: sum(load.seen.values()) >= least, f"{least} answers", 60)
    seen = load.stop()
    assert set(seen) == {200}, seen


# --- They answer. ---

def test_php_and_python_answer(site):
    one = site(php() + 'app web { command "exec python3 web.py"; folder {dir}; protocol http; processes 1; env MARK "a b"; }')
    pids = {int(one.request("/pid.php").body.split()[0]) for _ in range(8)}
    assert pids <= set(one.wait_apps(3))
    seen = one.get_json("/x?y=%2F")
    assert seen["path"] == "/x?y=%2F"
    environment = seen["env"]
    assert environment.pop("MARK") == "a b"
    assert set(environment) <= {"PATH", "HOME", "USER", "LANG", "TZ", "PORT", "PWD", "LC_CTYPE", "SHLVL", "_", "OLDPWD"}
    assert one.request("/", method="POST", body=b"x" * 100).status == 200


@pytest.mark.parametrize("command, protocol, handler", [
    ("uwsgi --plugin python3 --wsgi-file wsgi.py --need-app", "uwsgi", "uwsgi"),
    ("uwsgi --protocol scgi --plugin python3 --wsgi-file wsgi.py --need-app", "scgi", "scgi"),
    ("gunicorn -b 127.0.0.1:$PORT wsgi:application", "http", "proxy"),
    ("waitress-serve --listen=127.0.0.1:$PORT wsgi:application", "http", "proxy"),
    ("node node.js", "http", "proxy"),
])
def test_servers_of_the_wild(site, command, protocol, handler):
    one = site(f'app web {{ command "{command}"; protocol {protocol}; folder {{dir}}; processes 1; stop_timeout 2s; }}',
               wait=False, conf=SITE.replace("proxy web", f"{handler} web"))
    (one.dir / "wsgi.py").write_text(
        "def application(env, start):\n    start('200 OK', [('Content-Type', 'text/plain')])\n"
        "    return [env['PATH_INFO'].encode() + b' ' + env['wsgi.input'].read()]\n")
    (one.dir / "node.js").write_text(
        "require('http').createServer((q, r) => { let b = ''; q.on('data', d => b += d);"
        " q.on('end', () => r.end(q.url + ' ' + b)) }).listen(process.env.PORT)")
    one.wait_ready()
    for _ in range(3):
        answer = one.request("/some/path", method="POST", body=b"said", timeout=30)
        assert (answer.status, answer.body) == (200, b"/some/path said"), one.stderr


@ROOT
def test_they_run_as_their_user(site):
    one = site("user www-data;\n" + php("user nobody; group daemon;") +
               'app web { command "python3 {dir}/web.py"; protocol http; processes 1; }')
    assert one.request("/pid.php").body.split()[1] == b"65534"
    pid = one.pid_of("/")
    assert pathlib.Path(f"/proc/{pid}").stat().st_uid == 33
    assert "CapEff:\t0000000000000000" in pathlib.Path(f"/proc/{pid}/status").read_text()


def test_limits_hold(site):
    one = site('app web { command "exec python3 web.py"; folder {dir}; protocol http; processes 1; retry 0; '
               'limits_process { descriptors 64; memory 2g; } }')
    limits = pathlib.Path(f"/proc/{one.pid_of('/')}/limits").read_text()
    assert re.search(r"Max open files\s+64\s+64", limits)
    assert re.search(r"Max address space\s+2147483648\s+2147483648", limits)


# --- They fail. ---

def test_one_that_ends_at_start_harms_nobody_else(site):
    one = site('app web { command "echo no database >&2; exit 3"; protocol http; processes 1; queue 10 timeout 300ms; }' +
               php())
    one.wait_said(r"app web: process \d+ \(web/1\) exited with status 3 after .*; it said last: no database", count=3)
    assert one.request("/").status == 503
    assert one.request("/pid.php").status == 200
    wait_for(lambda: not zombies(one.pid), "its burial")


def test_what_can_not_be_started_is_started_later(site):
    one = site('app web { command "exec python3 web.py"; folder {dir}/later; protocol http; processes 1; }')
    one.wait_said(r"could not be started: can't enter the folder .*later \(No such file or directory\)", count=2)
    (one.dir / "later").mkdir()
    (one.dir / "later/web.py").write_text(WEB + SERVE)
    assert one.request("/", timeout=30).status == 200


def test_one_that_never_listens_is_ended(site):
    one = site('app web { command "exec sleep 1000"; protocol http; processes 1; start_timeout 500ms; }')
    one.wait_said(r"took no connection on port \d+ within start_timeout, and is ended", count=2)
    assert len(one.apps) <= 1


@pytest.mark.threads
def test_a_request_that_had_not_reached_it_goes_elsewhere(site):
    """Twenty of them are killed; nobody who asks with GET notices."""
    one = site(php())
    with Load(one, "/pid.php") as load:
        for _ in range(20):
            time.sleep(0.3)
            os.kill(one.wait_apps(2)[0], signal.SIGKILL)
        no_failure(load)
    one.wait_said(r"was killed by SIGKILL", count=18)
    one.wait_apps(2)
    assert not zombies(one.pid)


@pytest.mark.threads
def test_one_that_dies_of_a_request_costs_only_that(site):
    one = site('app web { command "exec python3 web.py"; folder {dir}; protocol http; processes 2; retry 0; }')
    with Load(one, "/") as load:
        statuses = [one.request("/die").status for _ in range(5)]
        time.sleep(0.5)
    assert set(statuses) <= {502, 503}
    # Requests that were under way in the same process are lost with it.
    assert load.seen[200] > 50 and set(load.seen) <= {200, 502}


def test_a_flood_on_standard_error_is_bounded(site):
    one = site('app web { command "exec python3 web.py"; folder {dir}; protocol http; processes 1; }' + php())
    with Load(one, "/pid.php", clients=2) as load:
        assert one.request("/flood/50000", timeout=60).status == 200
        one.wait_said(r"said \d+ more lines, which are left out here")
        wait_for(lambda: sum(load.seen.values()) >= 20, "answers beside the flood", 30)
        no_failure(load, 20)
    assert one.stderr.count("app web[") < 2000


def test_a_line_is_safe_to_read(site):
    one = site(r'''app web { command "printf '\\033[31mred\\rline\n'; exec python3 web.py"; folder {dir};
                   protocol http; processes 1; }''')
    one.wait_said(r"app web\[\d+\]: \\x1b\[31mred\\x0dline")


# --- They are replaced. ---

@pytest.mark.threads
def test_recycling_by_requests(site):
    one = site(php("recycle requests 100;"))
    with Load(one, "/pid.php") as load:
        wait_for(lambda: len(set(b.split()[0] for b in load.bodies)) > 6, "new processes", 20)
        no_failure(load)
    one.wait_apps(2)
    assert one.stderr.count("is replaced for its requests") >= 4
    assert "has not ended within stop_timeout" not in one.stderr


def test_a_leak_stays_within_its_bound(site):
    """Memory and descriptors; nobody who asks notices."""
    one = site('app web { command "exec python3 web.py"; folder {dir}; protocol http; processes 1; '
               'recycle memory 60m descriptors 200; }')
    most = 0
    with Load(one, "/leak/10000", clients=2) as memory, Load(one, "/open/1", clients=1) as files:
        deadline = time.monotonic() + 6
        while time.monotonic() < deadline:
            for pid in one.apps:
                try:
                    most = max(most, int(re.search(r"VmRSS:\s+(\d+)",
                                                   pathlib.Path(f"/proc/{pid}/status").read_text())[1]))
                except (FileNotFoundError, TypeError, ProcessLookupError):
                    pass
            time.sleep(0.05)
        no_failure(memory)
        no_failure(files, 10)
    assert "is replaced for its" in one.stderr
    assert most < 250_000, most


@pytest.mark.threads
def test_it_grows_while_requests_wait_and_shrinks_afterwards(site):
    one = site('app web { command "exec python3 web.py"; folder {dir}; protocol http; processes 1..4; connections 1; '
               'recycle idle 1s; }')
    assert len(one.wait_apps(1)) == 1
    with Load(one, "/sleep/0.2", clients=6) as load:
        one.wait_apps(4, 20)
        time.sleep(1)
        no_failure(load, 10)
    one.wait_apps(1, 20)


def test_none_runs_until_it_is_asked_for(site):
    one = site('app web { command "exec python3 web.py"; folder {dir}; protocol http; processes 0..1; recycle idle 1s; }')
    assert not one.apps
    assert one.request("/").status == 200
    one.wait_apps(1)
    one.wait_apps(0, 20)
    assert one.request("/").status == 200


def changed(one, mark):
    one.reload(re.sub(r"MARK \w+", f"MARK {mark}", one.conf_file.read_text()))


@pytest.mark.threads
def test_a_rolling_restart_drops_no_request(site, command):
    one = site(php() + 'app web { command "exec python3 web.py"; folder {dir}; protocol http; processes 2; }',
               conf=SITE + "admin unix:{dir}/admin.sock;\n")
    before = set(one.wait_apps(4))
    with Load(one, "/pid.php", clients=4) as first, Load(one, "/", clients=4) as second:
        for name in "php", "web":
            assert command("ctl", "--socket", one.dir / "admin.sock", "app", name, "restart").returncode == 0
        wait_for(lambda: len(one.apps) == 4 and not set(one.apps) & before, "others in place of all", 30)
        no_failure(first, 20)
        no_failure(second, 20)


def test_a_tunnel_does_not_hold_a_process_for_ever(site):
    one = site(STUBBORN.replace("COMMAND", "exec python3 tunnel.py").replace("stop_timeout", "drain_timeout 1s; stop_timeout"),
               wait=False)
    (one.dir / "tunnel.py").write_text(WEB + '''
class Tunnel(Handler):
    def do_GET(self):
        if not self.headers["Upgrade"]: return super().do_GET()
        self.send_response(101)
        self.send_header("Connection", "Upgrade")
        self.send_header("Upgrade", "websocket")
        self.end_headers()
        self.wfile.flush()
        while data := self.rfile.read1(1000): self.connection.sendall(data)
Handler = Tunnel
''' + SERVE)
    one.wait_ready()
    before = one.pid_of("/")
    with one.connect() as client:
        client.sendall(b"GET / HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n")
        assert client.recv(1000).startswith(b"HTTP/1.1 101 ")
        changed(one, "two")
        wait_for(lambda: one.pid_of("/") != before, "its replacement", 20)
        client.sendall(b"still here")
        assert client.recv(10) == b"still here"
        assert client.recv(1) == b""
    one.wait_said(rf"process {before} \(web/1\) is not done after drain_timeout \(1 under way\), and is ended")
    wait_for(lambda: not alive(before), "its end")


@pytest.mark.threads
def test_a_reload_that_changes_an_app_replaces_its_processes(site):
    one = site(php("env MARK one;") +
               'app web { command "exec python3 web.py"; folder {dir}; protocol http; processes 1; }')
    web = one.pid_of("/")
    with Load(one, "/pid.php") as load:
        for mark in ("two", "three"):
            changed(one, mark)
            wait_for(lambda: one.request("/pid.php").body.split()[-1] == mark.encode(), f"MARK {mark}", 20)
        no_failure(load)
    wait_for(lambda: len(one.apps) == 3, "as many as before")
    assert one.pid_of("/") == web


@pytest.mark.threads
def test_a_new_command_that_does_not_work_leaves_the_old_processes(site):
    one = site('app web { command "exec python3 web.py"; folder {dir}; protocol http; processes 1; }')
    before = one.pid_of("/")
    with Load(one, "/") as load:
        one.reload(one.conf_file.read_text().replace("exec python3 web.py", "exec python3 missing.py"))
        one.wait_said(r"exited with status 2", count=3)
        no_failure(load)
    assert one.pid_of("/") == before
    one.reload(one.conf_file.read_text().replace("missing.py", "web.py"))
    assert one.pid_of("/") == before or one.wait_apps(1)


@pytest.mark.threads
def test_an_app_that_comes_and_goes_with_a_reload(site):
    one = site(php())
    assert one.request("/").status in (502, 503)
    text = one.conf_file.read_text()
    one.reload(text.replace("pool web { server 127.0.0.1:9; }",
                            'app web { command "exec python3 web.py"; folder {dir}; protocol http; processes 2; }'))
    assert one.request("/").status == 200
    one.wait_apps(4)
    slow = threading.Thread(target=lambda: answers.append(one.request("/sleep/1").status))
    answers = []
    slow.start()
    wait_for((one.dir / "asleep").exists, "the request to be at the application")
    one.reload(text)
    slow.join()
    assert answers == [200]
    one.wait_apps(2)


def test_the_first_app_may_come_with_a_reload(site):
    one = site("")
    assert one.spawner is None
    one.reload(one.conf_file.read_text().replace("pool web { server 127.0.0.1:9; }",
               'app web { command "exec python3 web.py"; folder {dir}; protocol http; processes 1; }'))
    assert one.request("/").status == 200


# --- They end. ---

STUBBORN = 'app web { command "COMMAND"; folder {dir}; protocol http; processes 1; stop_timeout 500ms; env MARK one; }'


def test_one_that_ignores_sigterm_is_killed(site):
    one = site(STUBBORN.replace("COMMAND", "trap '' TERM; python3 stubborn.py"), wait=False)
    (one.dir / "stubborn.py").write_text(WEB + "signal.signal(signal.SIGTERM, signal.SIG_IGN)\n" + SERVE)
    one.wait_ready()
    before = one.pid_of("/")
    changed(one, "two")
    one.wait_said(r"has not ended within stop_timeout: killed")
    wait_for(lambda: not alive(before), "its end")
    after = one.pid_of("/")
    begin = time.monotonic()
    one.stop()
    assert not alive(after)
    assert time.monotonic() - begin < 5


def test_one_that_writes_to_closed_pipes(site):
    """Its client is gone in the middle of its answer, which kills it: another takes its place.  Nobody dies of what he
    says to a worker that is gone: it can still be said while he ends."""
    one = site(STUBBORN.replace("COMMAND", "exec python3 chatty.py"), wait=False)
    (one.dir / "chatty.py").write_text(WEB + '''
def bye(*args):
    for n in range(100): os.write(2, b"bye\\n")
    open("said", "w").close()
    os._exit(0)
class Endless(Handler):
    def do_GET(self):
        if self.path != "/endless": return super().do_GET()
        self.send_response(200)
        self.end_headers()
        self.wfile.flush()
        while True:
            try: self.connection.sendall(b"x" * 100000)
            except ConnectionResetError: pass
Handler = Endless
signal.signal(signal.SIGPIPE, signal.SIG_DFL)
signal.signal(signal.SIGTERM, bye)
''' + SERVE)
    one.wait_ready()
    before = one.pid_of("/")
    with one.connect() as client:
        client.sendall(b"GET /endless HTTP/1.1\r\nHost: a\r\n\r\n")
        client.recv(100000)
    one.wait_said(r"was killed by SIGPIPE")
    assert one.pid_of("/") != before
    worker = one.worker
    os.kill(worker, signal.SIGKILL)
    one.wait_worker(other_than=worker)
    wait_for((one.dir / "said").exists, "its last words")
    wait_for(lambda: one.request("/").status == 200, "answers", 20)
    assert not zombies(one.pid)


def test_one_that_says_nothing_any_more(site):
    """A closed standard error is not its end."""
    one = site('app web { command "exec python3 web.py >&- 2>&-"; folder {dir}; protocol http; processes 1; }')
    pid = one.pid_of("/")
    for _ in range(5):
        assert one.pid_of("/") == pid


def test_what_it_forked_ends_with_it(site):
    mark = f"{10000 + os.getpid()}.5"
    one = site(STUBBORN.replace("COMMAND", f"sleep {mark} & setsid sleep {mark} & exec python3 web.py"))
    def left():
        return subprocess.run(["pgrep", "-fx", f"sleep {mark}"], capture_output=True, text=True).stdout.split()
    one.request("/")
    wait_for(lambda: len(left()) == 2, "what it forks")
    one.stop()
    assert not left()


@pytest.mark.threads
def test_a_stop_ends_all_of_them(site):
    one = site(php("stop_timeout 2s;"))
    with Load(one, "/pid.php", clients=2):
        time.sleep(0.2)
        everybody = family(one.pid)
        assert len(everybody) >= 5
        one.stop()
    assert [p for p in everybody if alive(p)] == []


@pytest.mark.threads
@pytest.mark.parametrize("who", ["worker", "spawner", "supervisor"])
def test_whoever_is_killed_the_applications_follow(site, who):
    one = site(php("stop_timeout 1s;"))
    before = one.wait_apps(2)
    everybody = family(one.pid)
    os.kill({"worker": one.worker, "spawner": one.spawner, "supervisor": one.pid}[who], signal.SIGKILL)
    wait_for(lambda: not any(map(alive, before)), "their end")
    if who == "supervisor":
        wait_for(lambda: not any(map(alive, everybody)), "everybody's end")
        one.process.wait()
        one.expect_status = -signal.SIGKILL
        return
    wait_for(lambda: one.request("/pid.php").status == 200, "answers", 20)
    assert not set(one.wait_apps(2)) & set(before)
    wait_for(lambda: not zombies(one.pid), "no zombies")


# --- petrel serve --app ---

@pytest.fixture
def served(tmp_path):
    running = []

    def start(command, env=None, **files):
        folder = tmp_path / "served"
        folder.mkdir()
        for name, text in files.items():
            (folder / name.replace("_", ".")).write_text(text)
        one = Site(folder, args=["serve", ".", "--app", command, "--listen", "127.0.0.1:{port}"], env=env)
        running.append(one)
        return one.wait_ready(60)

    yield start
    for one in running:
        one.stop()


def test_serve_runs_php(served):
    one = served("php-cgi", index_php="<?php echo 'index ', $_SERVER['REQUEST_URI'];", a_txt="text")
    assert one.request("/a.txt").body == b"text"
    assert one.request("/").body == b"index /"
    assert one.request("/some/where?x=1").body == b"index /some/where?x=1"
    assert one.request("/some/where", method="POST", body=b"a=1").body == b"index /some/where"


@pytest.mark.parametrize("command", ["python3 web.py", "node web.js"])
def test_serve_runs_http(served, command):
    node = ("require('http').createServer((q, r) => r.end(JSON.stringify({pid: process.pid, path: q.url, env: process.env})))"
            ".listen(process.env.PORT)")
    one = served(command, env={"MY_SETTING": 'a "b" ; $c'}, web_py=WEB + SERVE, web_js=node, a_txt="text")
    assert one.request("/a.txt").body == b"text"
    seen = one.get_json("/some/where?x=%2F")
    assert seen["path"] == "/some/where?x=%2F"
    assert seen["env"]["MY_SETTING"] == 'a "b" ; $c'
    assert one.request("/some/where", method="POST", body=b"a=1").status == 200
    os.kill(seen["pid"], signal.SIGKILL)
    wait_for(lambda: one.request("/x").status == 200, "another process")
    assert one.pid_of("/x") != seen["pid"]


def test_serve_finds_out_that_it_is_fastcgi(served):
    """A FastCGI responder that looks at descriptor 0, as libfcgi does."""
    responder = r"""
import os, socket, struct
listening = socket.socket(fileno=os.dup(0))
def record(kind, data): return struct.pack(">BBHHBB", 1, kind, 1 if kind != 10 else 0, len(data), 0, 0) + data
while True:
    s, _ = listening.accept()
    f = s.makefile("rb")
    while head := f.read(8):
        _, kind, _, length, padding, _ = struct.unpack(">BBHHBB", head)
        f.read(length + padding)
        if kind == 9: s.sendall(record(10, b"\x0e\x01FCGI_MAX_CONNS1"))
        if kind == 5 and not length:
            s.sendall(record(6, b"Content-Type: text/plain\r\n\r\nfast\n") + record(6, b"") + record(3, b"\0" * 8))
            break
    f.close(), s.close()
"""
    one = served("python3 responder.py", responder_py=responder)
    assert one.request("/some/where").body == b"fast\n"


def test_serve_shows_what_is_wrong(served):
    one = served("python3 broken.py", broken_py="import missing_module_here\n", a_txt="text")
    one.wait_said(r"app app\[\d+\]: ModuleNotFoundError: No module named 'missing_module_here'")
    assert one.request("/a.txt").body == b"text"
