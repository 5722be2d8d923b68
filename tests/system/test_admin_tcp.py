"""The admin socket's other doors: its file's mode and group, and addresses over TCP, where each request brings a token."""

import grp
import http.client
import json
import os
import select
import socket
import stat
import time

import pytest
from conftest import free_port
from test_operator import Unix

TOKEN = "0123456789-abcdefXYZ"
CONF = """
loops 2;
listen 127.0.0.1:{port};
admin unix:{dir}/admin.sock;
admin 127.0.0.1:ADMIN token TOKEN;
site * { route * { respond 200 fine; } }
"""


@pytest.fixture
def tcp(petrel):
    """A server with an admin address over TCP: server.admin is its port."""
    def start(token=TOKEN, more=""):
        port = free_port()
        server = petrel(CONF.replace("ADMIN", str(port)).replace("TOKEN", token) + more)
        server.admin = port
        return server
    return start


def ask(port, path="/pools", method="GET", body=None, **headers):
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
    try:
        connection.request(method, path, body=body, headers={k.replace("_", "-"): v for k, v in headers.items()})
        answer = connection.getresponse()
        return answer, json.loads(answer.read())
    finally:
        connection.close()


def test_who_has_the_token_may_ask(tcp):
    server = tcp()
    answer, body = ask(server.admin, Authorization=f"Bearer {TOKEN}")
    assert answer.status == 200 and body == {"pools": []}
    answer, body = ask(server.admin, "/settings", "POST", '{"set":"deny 10.0.0.0/8"}', Authorization=f"bearer  {TOKEN}")
    assert answer.status == 200 and body["ok"]
    _, body = ask(server.admin, "/changes", Authorization=f"Bearer {TOKEN}")
    assert body["changes"][0]["address"] == "127.0.0.1" and body["changes"][0]["by"] == "token"
    assert "pid" not in body["changes"][0]


@pytest.mark.parametrize("authorization", [
    None, "", "Bearer", "Bearer ", "Bearer " + TOKEN[:-1], "Bearer " + TOKEN + "x", "Bearer " + TOKEN.lower(), TOKEN,
    "Basic " + TOKEN, "Bearer " + "x" * 4000, "Bearer \xff\xfe", f"Bearer {TOKEN}\t{TOKEN}",
])
def test_who_has_not_waits_and_is_refused(tcp, authorization):
    server = tcp()
    before = time.monotonic()
    answer, body = ask(server.admin, **({} if authorization is None else {"Authorization": authorization}))
    assert answer.status == 401 and body["ok"] is False
    assert answer.getheader("WWW-Authenticate").startswith("Bearer") and time.monotonic() - before >= 0.99
    server.wait_said(r"warn: admin: refused 127\.0\.0\.1, who sent (no|a wrong) token")
    assert TOKEN not in server.stderr


def test_nothing_is_done_without_it(tcp):
    server = tcp()
    for path, method, body in (("/settings", "POST", '{"set":"shed all on"}'), ("/reload", "POST", None), ("/nothing", "GET", None),
                               ("/settings", "OPTIONS", None), ("*", "OPTIONS", None)):
        if path != "*":
            assert ask(server.admin, path, method, body)[0].status == 401
    assert server.request("/").status == 200


@pytest.mark.threads
def test_guesses_do_not_hold_up_others(tcp):
    server = tcp()
    guesses = [socket.create_connection(("127.0.0.1", server.admin)) for _ in range(50)]
    for s in guesses:
        s.sendall(b"GET /pools HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer guess\r\n\r\n")
    before = time.monotonic()
    assert ask(server.admin, Authorization=f"Bearer {TOKEN}")[0].status == 200
    assert time.monotonic() - before < 0.9
    for s in guesses[:25]:
        s.close()
    for s in guesses[25:]:
        assert s.recv(100).startswith(b"HTTP/1.1 401")
        s.close()
    assert server.stderr.count("refused") <= 3


@pytest.mark.parametrize("host, status", [
    ("127.0.0.1", 200), ("127.0.0.1:9911", 200), ("localhost", 200), ("localhost:1", 200), ("[::1]:80", 200),
    ("evil.example", 403), ("evil.example:9911", 403), ("127.0.0.1.evil.example", 403), ("localhost.evil.example", 403),
    ("127.1", 403),
])
def test_names_could_be_anybodys(tcp, host, status):
    """DNS rebinding: a page's own name may lead here."""
    server = tcp()
    answer, _ = ask(server.admin, Host=host, Authorization=f"Bearer {TOKEN}")
    assert answer.status == status
    assert answer.getheader("Access-Control-Allow-Origin") is None


def test_pages_of_others_get_nothing(tcp):
    server = tcp()
    answer, _ = ask(server.admin, "/settings", "OPTIONS", Origin="https://evil.example",
                    Access_Control_Request_Method="POST", Access_Control_Request_Headers="authorization")
    assert answer.status == 401 and answer.getheader("Access-Control-Allow-Origin") is None
    answer, _ = ask(server.admin, "/settings", "OPTIONS", Origin="https://evil.example", Authorization=f"Bearer {TOKEN}")
    assert answer.status == 405 and answer.getheader("Access-Control-Allow-Origin") is None


def test_the_unix_socket_needs_none(tcp):
    server = tcp()
    connection = Unix(server.dir / "admin.sock")
    connection.request("GET", "/pools", headers={"Host": "evil.example"})
    assert connection.getresponse().status == 200
    connection.close()


def test_petrel_ctl_over_tcp(tcp, command, tmp_path):
    server = tcp()
    at = ("ctl", "--socket", f"127.0.0.1:{server.admin}")
    env = {**os.environ, "PETREL_TOKEN": TOKEN}
    assert command(*at, "pools", env=env).stdout == "no pools\n"
    assert "token of this address is needed" in command(*at, "pools").stderr
    token = tmp_path / "token"
    token.write_text(TOKEN + "\n")
    assert command(*at, "--token-file", token, "set", "deny", "10.0.0.0/8").stdout == "set: deny 10.0.0.0/8\n"
    assert " 127.0.0.1  set: deny" in command(*at, "changes", env=env).stdout
    assert "no token in" in command(*at, "--token-file", tmp_path / "none", "pools").stderr
    token.write_text("\x01\n")
    assert "no token in" in command(*at, "--token-file", token, "pools").stderr
    # The configuration has both; where only TCP is in it, it has the token, too.
    assert command("ctl", "-c", server.conf_file, "pools").returncode == 0
    only = tmp_path / "only.conf"
    only.write_text(f'admin 127.0.0.1:{server.admin} token "{TOKEN}";\n')
    assert command("ctl", "-c", only, "pools").stdout == "no pools\n"
    assert command("ctl", "-c", only, "--token-file", token, "pools").returncode == 1


@pytest.mark.threads
def test_another_token_after_a_reload(tcp):
    server = tcp()
    with open(server.conf_file) as f:
        text = f.read()
    server.reload(text.replace(TOKEN, "another-token-of-16"))
    assert ask(server.admin, Authorization=f"Bearer {TOKEN}")[0].status == 401
    assert ask(server.admin, Authorization="Bearer another-token-of-16")[0].status == 200
    server.reload(text.replace(f"admin 127.0.0.1:{server.admin} token {TOKEN};", ""))
    with pytest.raises(ConnectionRefusedError):
        ask(server.admin)


def test_two_addresses_with_a_token_each(petrel):
    first, second = free_port(), free_port()
    server = petrel(CONF.replace("ADMIN", str(first)).replace("TOKEN", TOKEN) +
                    f"admin [::]:{second} token other-token-1234;\n")
    assert ask(second, Authorization="Bearer other-token-1234")[0].status == 200
    assert ask(second, Authorization=f"Bearer {TOKEN}")[0].status == 401
    assert ask(first, Authorization="Bearer other-token-1234")[0].status == 401


@pytest.mark.threads
def test_connections_over_tcp_are_counted(tcp):
    """Not so those of the Unix socket: whoever looks after a server that is full gets in."""
    server = tcp(more="limits { connections 2; }\n")
    held = [socket.create_connection(("127.0.0.1", server.admin), timeout=10) for _ in range(3)]
    # Several loops accept, so any of the three may be the one too many.
    refused, _, _ = select.select(held, [], [], 10)
    assert len(refused) == 1 and refused[0].recv(100).startswith(b"HTTP/1.1 503")
    connection = Unix(server.dir / "admin.sock")
    connection.request("GET", "/pools")
    assert connection.getresponse().status == 200
    connection.close()
    for s in held:
        if s is not refused[0]:
            s.sendall(f"GET /pools HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer {TOKEN}\r\n\r\n".encode())
            assert s.recv(100).startswith(b"HTTP/1.1 200")
    for s in held:
        s.close()


def test_mode_and_group_of_the_file(petrel, command):
    group = grp.getgrgid(os.getgid()).gr_name if os.geteuid() else "games"
    server = petrel("listen 127.0.0.1:{port};\nsite * { route * { respond 200; } }\n"
                    f"admin unix:{{dir}}/one.sock mode 0640 group {group};\nadmin unix:{{dir}}/two.sock group {group};\n"
                    "admin unix:{dir}/three.sock;\n")

    def file(name):
        st = (server.dir / name).stat()
        return stat.S_IMODE(st.st_mode), grp.getgrgid(st.st_gid).gr_name
    assert file("one.sock") == (0o640, group) and file("two.sock") == (0o660, group)
    assert file("three.sock")[0] == 0o600
    server.reload(server.conf_file.read_text().replace("0640", "0660"))
    assert file("one.sock") == (0o660, group)
    for name in ("one", "two", "three"):
        assert command("ctl", "--socket", server.dir / f"{name}.sock", "pools").returncode == 0


@pytest.mark.parametrize("line, says", [
    ("admin 127.0.0.1:9911;", "needs a token"),
    ("admin 127.0.0.1:9911 token short;", "shorter than 16 characters"),
    ('admin 127.0.0.1:9911 token "blanks are not for tokens";', "letters, digits and signs only"),
    ("admin 127.0.0.1:9911 mode 0600 token 0123456789abcdef;", "only a Unix socket's file has a mode"),
    ("admin unix:/x token 0123456789abcdef;", "a Unix socket takes no token"),
    ("admin unix:/x mode 9;", "three or four digits"),
    ("admin unix:/x group surely-none;", "there is no group surely-none"),
    ("admin unix:/x; admin unix:/x;", "is an admin socket already"),
    ("admin nonsense;", "wrong address"),
])
def test_what_is_wrong_with_the_line(command, tmp_path, line, says):
    file = tmp_path / "wrong.conf"
    file.write_text(f"listen 127.0.0.1:8080;\n{line}\nsite * {{ route * {{ respond 200; }} }}\n")
    done = command("check", "-c", file)
    assert done.returncode == 1 and says in done.stderr, done.stderr
    for secret in ("short;", "blanks are", "0123456789abcdef"):
        assert secret not in done.stderr
    assert "0123456789abcdef" not in command("check", "-c", file, "--json").stdout


def test_the_token_is_never_shown(command, tmp_path):
    file = tmp_path / "petrel.conf"
    file.write_text(f'listen 127.0.0.1:8080;\nadmin 127.0.0.1:9911 token "{TOKEN}";\nadmin 10.9.8.7:9911 token {TOKEN};\n'
                    "site * { route * { respond 200; } }\n")
    done = command("config", "-c", file)
    assert done.returncode == 0 and "token ****************;" in done.stdout
    assert TOKEN not in done.stdout + done.stderr
    done = command("check", "-c", file)
    assert "goes over the network as it is" in done.stderr and TOKEN not in done.stderr
    again = tmp_path / "again.conf"
    again.write_text(command("config", "-c", file).stdout)
    assert command("check", "-c", again).returncode == 0
