"""Alerts: rules that begin and end, and everybody who is told: by webhook, by command, by mail."""

import hashlib
import hmac
import http.server
import json
import os
import pathlib
import re
import shutil
import signal
import ssl
import subprocess
import threading
import time
import urllib.parse

import pytest
from conftest import ROOT, wait_for

SECRET = "s3cret"
CONF = """
loops 2;
listen 127.0.0.1:{port};
admin unix:{dir}/admin.sock;
error_log stderr info;
site * { route /api/* { proxy 127.0.0.1:9; } route * { respond 200 fine; } }
alerts { group 1s; clear 1s; }
"""
# Begins when three connections are open, and ends when they are closed.
BUSY = 'alert busy { when petrel_connections > 2; text "so \\"many\\" clients"; }\n'


class Receiver:
    """An HTTP server that is told of alerts; script(n) says what becomes of request number n: a status, or None to hang."""

    def __init__(self, script=lambda n: 200, tls=None):
        self.got, self.times, self.bad = [], [], []
        self.let_go = threading.Event()

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(handler):
                body = handler.rfile.read(int(handler.headers["Content-Length"]))
                number = len(self.times)
                self.times.append(time.monotonic())
                handler.check(body)
                status = script(number)
                if status is None:
                    self.let_go.wait(60)
                    return
                handler.send_response(status)
                handler.send_header("Content-Length", "5")
                handler.end_headers()
                handler.wfile.write(b"so so")
                if status == 200:
                    self.got.append(json.loads(body))

            def check(handler, body):
                stamp = handler.headers["X-Petrel-Timestamp"]
                wanted = hmac.new(SECRET.encode(), stamp.encode() + b"." + body, hashlib.sha256).hexdigest()
                if handler.headers["X-Petrel-Signature"] != "sha256=" + wanted or abs(time.time() - int(stamp)) > 60:
                    self.bad.append(dict(handler.headers))
                if handler.headers["Content-Type"] != "application/json":
                    self.bad.append(dict(handler.headers))

            def log_message(handler, *args):
                pass

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.server.daemon_threads = True
        self.port = self.server.server_port
        if tls:
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            context.load_cert_chain(tls / "cert.pem", tls / "key.pem")
            self.server.socket = context.wrap_socket(self.server.socket, server_side=True, do_handshake_on_connect=False)
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def stop(self):
        self.let_go.set()
        self.server.shutdown()
        self.server.server_close()


@pytest.fixture
def receiver():
    """receiver(script): started, and stopped at the end."""
    running = []

    def start(*args, **kwargs):
        running.append(Receiver(*args, **kwargs))
        return running[-1]

    yield start
    for one in running:
        one.stop()
        assert not one.bad, one.bad


@pytest.fixture
def ctl(command):
    def run(server, *words, status=0):
        done = command("ctl", "--socket", server.dir / "admin.sock", *words)
        assert done.returncode == status, (done.stdout, done.stderr)
        return done.stderr if status else done.stdout
    return run


@pytest.fixture
def told(public):
    """A folder that commands can write to, whoever they run as."""
    public.chmod(0o777)
    return public


def hook(receiver, more="", name="hook", scheme="http", host="127.0.0.1"):
    return f"notify {name} {{ webhook {scheme}://{host}:{receiver.port}/in?x=1; secret {SECRET}; {more} }}\n"


def listing(ctl, server):
    return json.loads(ctl(server, "--json", "alerts"))


def rule(ctl, server, name):
    return next(r for r in listing(ctl, server)["alerts"] if r["name"] == name)


def way(ctl, server, name):
    return next(w for w in listing(ctl, server)["notify"] if w["name"] == name)


def outcome(ctl, server, name):
    return way(ctl, server, name).get("last", {}).get("outcome", "")


class Crowd:
    """Three clients that stay."""

    def __init__(self, server):
        self.clients = [server.connect() for _ in range(3)]

    def leave(self):
        for client in self.clients:
            client.close()


@pytest.mark.threads
def test_a_webhook_is_told_once_when_it_begins_and_once_when_it_ends(petrel, ctl, receiver):
    ear = receiver()
    server = petrel(CONF + BUSY + hook(ear, 'header Authorization "Bearer x"; '))
    crowd = Crowd(server)
    wait_for(lambda: ear.got, "a message that it begins")
    assert rule(ctl, server, "busy")["state"] == "firing"
    wait_for(lambda: rule(ctl, server, "busy")["notices"], "it is known to have arrived")
    shown = ctl(server, "alerts")
    assert re.search(r"^busy +firing +3 +\d+s +hook: delivered", shown, re.M), shown
    assert 'busy: petrel_connections > 2: so "many" clients' in shown
    crowd.leave()
    wait_for(lambda: len(ear.got) == 2, "a message that it ends")
    begin, end = ear.got
    assert begin["state"] == "firing" and end["state"] == "resolved"
    assert begin["id"] != end["id"] and re.fullmatch("[0-9a-f]{16}", begin["id"])
    alert = begin["alerts"][0]
    assert alert["alert"] == "busy" and alert["value"] == 3 and alert["when"] == "petrel_connections > 2"
    assert alert["text"] == 'so "many" clients'
    assert " busy begins: 3 (petrel_connections > 2): so \"many\" clients" in begin["text"]
    assert " busy ends after " in end["text"]
    time.sleep(2)
    assert len(ear.got) == 2
    server.wait_said(r"warn: alert busy begins: 3 \(petrel_connections > 2\): so")
    server.wait_said(r"info: alert busy ends after \d+s")


def certificates(folder, name):
    subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes",
                    "-days", "2", "-subj", "/CN=test", "-addext", f"subjectAltName={name}", "-keyout", folder / "key.pem",
                    "-out", folder / "cert.pem"], check=True, capture_output=True)
    (folder / "cert.pem").chmod(0o644)


@pytest.mark.parametrize("name,ca,expected", [
    ("IP:127.0.0.1", True, "answered 200"),
    ("DNS:localhost", True, "answered 200"),
    ("IP:127.0.0.1", False, "the server's certificate: self-signed certificate"),
    ("DNS:elsewhere.example", True, "the server's certificate: hostname mismatch"),
    ("IP:127.0.0.9", True, "the server's certificate: IP address mismatch"),
])
def test_a_webhook_over_tls_looks_at_the_certificate(petrel, ctl, receiver, told, name, ca, expected):
    certificates(told, name)
    ear = receiver(tls=told)
    host = "localhost" if name.startswith("DNS") else "127.0.0.1"
    server = petrel(CONF + hook(ear, f"ca {told}/cert.pem;" if ca else "", scheme="https", host=host))
    fine = expected.startswith("answered")
    said = ctl(server, "alerts", "test")
    assert said.startswith("hook: delivered" if fine else "hook: failed"), said
    assert expected in outcome(ctl, server, "hook")
    assert len(ear.got) == fine


def test_a_webhook_that_refuses_is_asked_again(petrel, ctl, receiver):
    ear = receiver(lambda n: 200 if n == 3 else 503)
    server = petrel(CONF + BUSY + hook(ear, "retry 5 after 400ms;"))
    crowd = Crowd(server)
    wait_for(lambda: ear.got, "a message at last")
    assert len(ear.times) == 4
    waits = [b - a for a, b in zip(ear.times, ear.times[1:])]
    assert waits[0] > 0.39 and waits[1] > 0.79 and waits[2] > 1.59, waits
    server.wait_said(r"notify hook: message \w+: answered 503: so so; it is sent again in 1600 ms")
    wait_for(lambda: way(ctl, server, "hook")["delivered"] == 1, "it is known to have arrived")
    crowd.leave()


def test_a_message_is_given_up_one_day(petrel, ctl, receiver):
    ear = receiver(lambda n: 302)
    server = petrel(CONF + BUSY + hook(ear, "retry 1 after 100ms;"))
    crowd = Crowd(server)
    server.wait_said("was not delivered and is given up: answered 302: it is elsewhere, and redirects are not followed")
    assert len(ear.times) == 2
    notice = rule(ctl, server, "busy")["notices"][0]
    assert notice["notify"] == "hook" and notice["state"] == "firing" and not notice["ok"]
    crowd.leave()


def test_a_webhook_that_hangs_holds_nobody_up(petrel, ctl, receiver, told):
    hangs, ear = receiver(lambda n: None), receiver()
    server = petrel(CONF + BUSY + hook(hangs, "timeout 2s; retry 0;", name="dead") + hook(ear))
    crowd = Crowd(server)
    wait_for(lambda: hangs.times and ear.got, "both were asked")
    begin = time.monotonic()
    assert server.request("/").status == 200
    assert way(ctl, server, "dead")["state"] == "sending"
    assert time.monotonic() - begin < 1
    server.wait_said("notify dead: message .* given up: took longer than 2000 ms and was ended")
    crowd.leave()


def test_nobody_listens(petrel, ctl, receiver):
    ear = receiver()
    server = petrel(CONF + hook(ear, "retry 0;") + "notify gone { webhook http://127.0.0.1:9/; }\n"
                    "notify lost { webhook http://nowhere.invalid/; timeout 20s; }\n")
    said = ctl(server, "alerts", "test", "gone")
    assert "gone: failed: 127.0.0.1 port 9 can't be connected to: Connection refused" in said
    assert "lost: failed: nowhere.invalid can't be found:" in ctl(server, "alerts", "test", "lost")
    assert not ear.got


def test_a_command_finds_a_json_object(petrel, ctl, told):
    command = f"cat >> {told}/json; echo $PETREL_TEXT >> {told}/text; id -un >> {told}/user"
    server = petrel(CONF + BUSY + f'notify cmd {{ command "{command}"; }}\n')
    crowd = Crowd(server)
    wait_for(lambda: (told / "user").exists() and way(ctl, server, "cmd")["delivered"] == 1, "it was run")
    message = json.loads((told / "json").read_text())
    assert message["alerts"][0]["alert"] == "busy" and message["host"]
    assert (told / "text").read_text().strip() == message["text"]
    if os.geteuid() == 0:
        assert (told / "user").read_text() == "nobody\n"
    assert outcome(ctl, server, "cmd") == "delivered"
    crowd.leave()


def test_a_command_that_never_ends_is_ended(petrel, ctl, told):
    server = petrel(CONF + f'notify cmd {{ command "echo $$ > {told}/pid; echo I begin; sleep 1000 & sleep 1000"; '
                           'timeout 500ms; }\n')
    said = ctl(server, "alerts", "test")
    assert said == "cmd: failed: took longer than 500 ms and was ended: I begin\n"
    pid = int((told / "pid").read_text())
    wait_for(lambda: not pathlib.Path(f"/proc/{pid}").exists(), "it is gone")


def test_a_command_that_floods_is_cut_off(petrel, ctl):
    server = petrel(CONF + 'notify cmd { command "yes flood"; timeout 20s; }\n')
    begin = time.monotonic()
    said = ctl(server, "alerts", "test")
    assert said.startswith("cmd: failed: wrote more than 64 KB and was ended: flood")
    assert time.monotonic() - begin < 10
    assert server.stderr.count("flood") < 5
    assert len(way(ctl, server, "cmd")["last"]["lines"]) == 5


def test_the_last_lines_of_a_command_are_kept(petrel, ctl):
    command = "for i in 1 2 3 4 5 6 7; do printf 'line %d\\033[31m\\n' $i; done; exit 3"
    server = petrel(CONF + f'notify cmd {{ command "{command}"; }}\n')
    assert "cmd: failed: exited with status 3: line 7" in ctl(server, "alerts", "test")
    last = way(ctl, server, "cmd")["last"]
    assert last["lines"] == [f"line {n}\x1b[31m" for n in range(3, 8)]
    assert "\x1b" not in ctl(server, "alerts")


def test_mail(petrel, ctl, told):
    fake = told / "sendmail"
    fake.write_text(f'#!/bin/sh\necho "$@" > {told}/args\ncat > {told}/mail.part\nmv {told}/mail.part {told}/mail\n')
    fake.chmod(0o755)
    server = petrel(CONF + 'alert ferry { when petrel_connections > 2; text "zu viele Gäste\\nBcc: x@y"; }\n' +
                    f"notify desk {{ mail on@example.org off@example.org; from petrel@example.org; sendmail {fake}; }}\n")
    crowd = Crowd(server)
    wait_for((told / "mail").exists, "a mail")
    head, _, body = (told / "mail").read_text().partition("\n\n")
    assert (told / "args").read_text() == "-t -i\n"
    assert "From: petrel@example.org\nTo: on@example.org,\n off@example.org\n" in head
    assert not re.search("^bcc", head, re.M | re.I)
    import email.header
    import email.parser
    subject = email.parser.Parser().parsestr(head)["Subject"]
    subject = str(email.header.make_header(email.header.decode_header(subject)))
    assert "ferry begins: 3 (petrel_connections > 2): zu viele Gäste Bcc: x@y" in subject
    assert "- ferry begins: 3" in body and "petrel ctl alerts" in body
    crowd.leave()


def test_what_happens_together_is_told_together(petrel, receiver):
    ear = receiver()
    both = "petrel_connections(state=idle) + petrel_connections(state=busy)"
    server = petrel(CONF + BUSY + f"alert crowd {{ when {both} >= 3; }}\n"
                    "alert other { when petrel_connections > 2; to nobody; }\n" + hook(ear))
    crowd = Crowd(server)
    wait_for(lambda: ear.got, "a message")
    assert sorted(a["alert"] for a in ear.got[0]["alerts"]) == ["busy", "crowd"]
    assert ": 2 begin, 0 end; " in ear.got[0]["text"]
    crowd.leave()
    wait_for(lambda: len(ear.got) == 2, "a message that they end")
    assert len(ear.got[1]["alerts"]) == 2
    server.wait_said("alert other ends")


@pytest.mark.threads
def test_messages_are_bounded(petrel, ctl, receiver):
    ear = receiver()
    server = petrel(CONF.replace("group 1s", "group 0").replace("clear 1s", "clear 0") + BUSY + hook(ear, "limit 3;"))
    for _ in range(3):
        crowd = Crowd(server)
        server.wait_said("alert busy begins", count=_ + 1)
        crowd.leave()
        server.wait_said("alert busy ends", count=_ + 1)
    wait_for(lambda: len(ear.got) == 3, "three messages")
    time.sleep(1)
    assert len(ear.got) == 3
    assert way(ctl, server, "hook")["waiting"] == 3
    assert "idle, 3 wait" in ctl(server, "alerts")


def test_silence(petrel, ctl, receiver):
    ear = receiver()
    server = petrel(CONF + BUSY + hook(ear))
    said = ctl(server, "alerts", "silence", "busy", "2h", "a \"large\" deploy")
    assert said.startswith('alert busy: nobody is told of it for 2h (a "large" deploy)'), said
    crowd = Crowd(server)
    server.wait_said("alert busy begins")
    shown = ctl(server, "alerts")
    assert re.search(r"^busy +firing, silenced ", shown, re.M)
    assert re.search(r'^busy: silenced for another \d+m: a "large" deploy', shown, re.M), shown
    server.reload()
    time.sleep(2)
    assert not ear.got
    assert ctl(server, "alerts", "unsilence", "busy").startswith("alert busy: whoever is to be told of it is told again")
    wait_for(lambda: ear.got, "what it was silent about is told")
    # Who was told that it began is told that it ends.
    ctl(server, "alerts", "silence", "busy", "2h")
    crowd.leave()
    wait_for(lambda: len(ear.got) == 2, "the end")
    assert ctl(server, "changes").count("alert busy: nobody is told") == 2
    assert 'did you mean "busy"?' in ctl(server, "alerts", "silence", "bussy", "2h", status=1)
    assert "is no time" in ctl(server, "alerts", "silence", "busy", "2", status=1)
    assert "is not silenced" in ctl(server, "alerts", "unsilence", "long_turn", status=1)
    ctl(server, "alerts", "silence", "busy", "1s")
    crowd = Crowd(server)
    wait_for(lambda: len(ear.got) == 3, "told when the silence is over")
    crowd.leave()


def test_a_silence_survives_a_restart(petrel, ctl):
    server = petrel(CONF + BUSY + "state {dir}/state;\n")
    assert ctl(server, "alerts", "silence", "busy", "2h", "deploying") == \
        "alert busy: nobody is told of it for 2h (deploying)\n"
    worker = server.worker
    os.kill(worker, signal.SIGKILL)
    server.wait_worker(other_than=worker)
    left = wait_for(lambda: rule(ctl, server, "busy").get("silence"), "it is silent still")
    assert 7000000 < left["left_ms"] <= 7200000 and left["reason"] == "deploying"
    server.stop()
    again = petrel(CONF + BUSY + f"state {server.dir}/state;\n")
    assert rule(ctl, again, "busy")["silence"]["reason"] == "deploying"
    ctl(again, "alerts", "unsilence", "busy")
    assert not (server.dir / "state").exists() or "deploying" not in (server.dir / "state").read_text()


@pytest.mark.threads
def test_a_reload_keeps_what_is_firing(petrel, ctl, receiver):
    ear = receiver()
    conf = CONF + BUSY + hook(ear)
    server = petrel(conf)
    crowd = Crowd(server)
    wait_for(lambda: ear.got, "it begins")
    server.reload(conf.replace("so ", "oh so ") + "alert quiet { when petrel_connections > 100; }\n")
    time.sleep(2)
    assert len(ear.got) == 1
    assert rule(ctl, server, "busy")["state"] == "firing"
    assert rule(ctl, server, "busy")["series"][0]["for_ms"] > 2000
    # Another condition is another alert.
    server.reload(conf.replace("> 2", "> 50"))
    wait_for(lambda: len(ear.got) == 2, "it ends")
    assert ear.got[1]["state"] == "resolved"
    assert rule(ctl, server, "busy")["state"] == "fine"
    server.reload(CONF)
    assert "Nobody is told: there is no notify block; begins and ends stand in the error log." in ctl(server, "alerts")
    assert "has no notify block" in ctl(server, "alerts", "test", status=1)
    crowd.leave()


@pytest.mark.threads
def test_a_notify_block_may_come_with_a_reload(petrel, ctl, receiver):
    ear = receiver()
    server = petrel(CONF + BUSY)
    crowd = Crowd(server)
    server.wait_said("alert busy begins")
    server.reload(CONF + BUSY + hook(ear))
    assert ctl(server, "alerts", "test").startswith("hook: delivered")
    assert ear.got[0]["state"] == "test"
    crowd.leave()
    assert 'there is no notify "hok"; did you mean "hook"?' in ctl(server, "alerts", "test", "hok", status=1)


def test_the_last_server_of_a_pool(petrel, ctl, receiver, tmp_path):
    ear, origin = receiver(), receiver(lambda n: 200)
    port = origin.port
    server = petrel(CONF + hook(ear) +
                    f"pool api {{ server 127.0.0.1:{port}; health tcp every 100ms rise 1 fall 1; }}\n" +
                    "alert slow { when p99(pool api) > 5s; }\n")
    wait_for(lambda: rule(ctl, server, "no_server")["series"], "it is looked at")
    origin.server.shutdown()
    origin.server.server_close()
    wait_for(lambda: ear.got, "it is told", 15)
    alert = ear.got[0]["alerts"][0]
    assert alert["alert"] == "no_server" and alert["labels"] == {"pool": "api"}
    assert "no_server pool=api begins: 0" in ear.got[0]["text"]
    back = http.server.ThreadingHTTPServer(("127.0.0.1", port), http.server.BaseHTTPRequestHandler)
    threading.Thread(target=back.serve_forever, daemon=True).start()
    wait_for(lambda: len(ear.got) == 2, "it ends", 15)
    assert ear.got[1]["alerts"][0] == {**ear.got[1]["alerts"][0], "state": "resolved", "alert": "no_server"}
    back.shutdown()
    back.server_close()
    origin.bad.clear()


def test_an_application_that_crashes(petrel, ctl, receiver):
    ear = receiver()
    server = petrel(CONF + hook(ear) + 'app bad { command "sleep 0.3; exit 1"; processes 1; }\n')
    wait_for(lambda: ear.got, "it is told", 40)
    alert = ear.got[0]["alerts"][0]
    assert alert["alert"] == "app_crashes" and alert["labels"] == {"app": "bad"}


def test_builtin_rules_can_be_switched_off(petrel, ctl):
    server = petrel(CONF + BUSY)
    names = [r["name"] for r in listing(ctl, server)["alerts"]]
    assert names[0] == "busy" and "no_server" in names and "long_turn" in names
    server.reload((CONF + BUSY).replace("alerts {", "alerts { builtin off long_turn; "))
    assert [r["name"] for r in listing(ctl, server)["alerts"]] == [n for n in names if n != "long_turn"]
    server.reload((CONF + BUSY).replace("alerts {", "alerts { builtin off; "))
    assert [r["name"] for r in listing(ctl, server)["alerts"]] == ["busy"]
    server.reload(CONF + "alert no_server { when petrel_connections > 1000; }\n")
    assert [r["builtin"] for r in listing(ctl, server)["alerts"] if r["name"] == "no_server"] == [False]


@pytest.mark.threads
def test_a_spawner_that_dies_loses_no_message(petrel, receiver):
    ear = receiver(lambda n: None if n == 0 else 200)
    server = petrel(CONF + BUSY + hook(ear, "retry 5 after 500ms; timeout 30s;"))
    crowd = Crowd(server)
    wait_for(lambda: ear.times, "it is being told")
    children = pathlib.Path(f"/proc/{server.pid}/task/{server.pid}/children").read_text().split()
    spawner = next(int(p) for p in children if "spawner" in pathlib.Path(f"/proc/{p}/comm").read_text())
    os.kill(spawner, signal.SIGKILL)
    wait_for(lambda: ear.got, "it is told all the same", 20)
    server.wait_said("its spawner is gone")
    crowd.leave()


@pytest.mark.threads
def test_a_stop_does_not_wait_for_messages(petrel, ctl, receiver, command):
    ear = receiver(lambda n: None)
    server = petrel(CONF + BUSY + hook(ear, "timeout 60s;"))
    crowd = Crowd(server)
    wait_for(lambda: ear.times, "it is being told")
    asked = threading.Thread(target=lambda: command("ctl", "--socket", server.dir / "admin.sock", "alerts", "test"))
    asked.start()
    time.sleep(0.5)
    begin = time.monotonic()
    server.signal(signal.SIGTERM)
    server.wait_end()
    assert time.monotonic() - begin < 8
    asked.join()
    crowd.leave()


def test_the_webhook_has_no_rights_and_keeps_its_secret(petrel, receiver):
    ear = receiver(lambda n: None)
    server = petrel(CONF + BUSY + hook(ear, "timeout 60s;"))
    crowd = Crowd(server)
    wait_for(lambda: ear.times, "it is being told")
    for status in pathlib.Path("/proc").glob("[0-9]*/cmdline"):
        words = status.read_bytes().split(b"\0")
        if words[1:2] == [b"webhook"]:
            text = (status.parent / "status").read_text()
            assert "NoNewPrivs:\t1" in text
            if os.geteuid() == 0:
                assert not re.search(r"^Uid:\t0\b", text, re.M)
                assert SECRET.encode() not in (status.parent / "environ").read_bytes()
            assert SECRET.encode() not in b" ".join(words)
            break
    else:
        raise AssertionError("no process tells")
    crowd.leave()


def test_the_example_sends_a_text_message(petrel, ctl, public):
    got = []

    class Gateway(http.server.BaseHTTPRequestHandler):
        def do_POST(self):
            got.append((self.headers["Authorization"], self.rfile.read(int(self.headers["Content-Length"])).decode()))
            self.send_response(200)
            self.end_headers()

        def log_message(self, *args):
            pass

    gateway = http.server.HTTPServer(("127.0.0.1", 0), Gateway)
    threading.Thread(target=gateway.serve_forever, daemon=True).start()
    example = ROOT / "examples/alerts"
    shutil.copy(example / "sms", public / "sms")
    conf = (example / "petrel.conf").read_text().replace("127.0.0.1:8080", "127.0.0.1:{port}")
    conf = conf.replace("/run/petrel/admin.sock", "{dir}/admin.sock").replace("/etc/petrel/sms", f"{public}/sms")
    server = petrel(conf.replace("/srv/www", str(public)),
                    env={"SMS_URL": f"http://127.0.0.1:{gateway.server_port}/", "SMS_TO": "+1555", "SMS_KEY": "key"})
    assert ctl(server, "alerts", "test", "sms").startswith("sms: delivered")
    key, form = got[0]
    form = urllib.parse.parse_qs(form)
    assert key == "Bearer key" and form["to"] == ["+1555"] and ": test: nothing is wrong" in form["text"][0]
    gateway.shutdown()
    gateway.server_close()
