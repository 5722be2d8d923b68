"""What a person types: commands, options, exit statuses."""

import json
import os
import re
import signal
import socket

import pytest

NAMES = "serve", "run", "check", "config", "help", "version"

def test_help_lists_every_command(command):
    for args in ("--help",), ("-h",):
        done = command(*args)
        assert done.returncode == 0
        for name in NAMES:
            assert re.search(rf"petrel {name} ", done.stdout)


@pytest.mark.parametrize("name", NAMES)
def test_every_command_has_help(command, name):
    for option in "--help", "-h":
        done = command(name, option)
        assert done.returncode == 0
        assert done.stdout.startswith(f"petrel {name}") and "--help" in done.stdout


def test_help_lists_the_variables_of_templates(command):
    done = command("help", "variables")
    assert done.returncode == 0
    for name in "$path", "$cookie_NAME", "$status":
        assert re.search(rf"^  {re.escape(name)} +\S", done.stdout, re.M)


@pytest.mark.parametrize("args, said", [
    (["servr"], "did you mean petrel serve?"),
    (["frobnicate"], "there is no command"),
    (["run", "--confg", "x"], "did you mean --config?"),
    (["serve", "--port", "80"], "--listen"),
    (["serve", "--ap", "php-cgi"], "did you mean --app?"),
    (["serve", "--listing=yes"], "takes no value"),
    (["serve", "--listen"], "needs a value"),
    (["serve", "--listen", "localhost:80"], "names are not looked up"),
    (["serve", "a", "b"], "too much"),
    (["run"], "-c petrel.conf"),
    (["run", "-c"], "needs a value"),
    (["version", "x"], "too much"),
])
def test_wrong_usage(command, args, said):
    done = command(*args)
    assert done.returncode == 2
    assert said in done.stderr
    assert not done.stdout


def test_version(command):
    done = command("version")
    assert done.returncode == 0
    assert re.match(r"petrel \d+\.\d+\.\d+\n", done.stdout)
    for name in "zlib", "zstd", "brotli", "pcre2", "io_uring", "cachestat":
        assert name in done.stdout
    told = json.loads(command("version", "--json").stdout)
    assert told["kernel"]["release"] == f"{os.uname().sysname} {os.uname().release}"
    assert done.stdout.startswith(f"petrel {told['version']}\n")


def test_serve_needs_a_folder(command, tmp_path):
    done = command("serve", tmp_path / "nowhere")
    assert done.returncode == 1 and "nowhere" in done.stderr
    (tmp_path / "file").write_text("x")
    done = command("serve", tmp_path / "file")
    assert done.returncode == 1 and "folder" in done.stderr


@pytest.mark.parametrize("name", ["plain", "with blank", 'quo"te', "dollar ${env.HOME} $x", "semi;colon{}#", "ünï"])
def test_serve_a_folder(petrel, tmp_path, name):
    folder = tmp_path / name
    folder.mkdir()
    (folder / "hello.txt").write_text("hello\n")
    server = petrel(args=[str(folder), "--listen=127.0.0.1:{port}"])
    assert server.request("/hello.txt").body == b"hello\n"
    assert server.stdout.endswith(f"serves {folder}\n  http://127.0.0.1:{server.port}/\n")
    assert server.request("/").status in (403, 404)


def test_serve_with_a_listing(petrel, tmp_path):
    (tmp_path / "hello.txt").write_text("hello\n")
    server = petrel(args=["serve", "--listing", str(tmp_path), "--listen", "127.0.0.1:0"])
    server.port = int(re.search(r"http://127\.0\.0\.1:(\d+)/", server.stdout)[1])
    assert server.port
    assert b"hello.txt" in server.request("/").body


def test_serve_takes_the_next_free_port(petrel, tmp_path):
    try:
        taken = socket.create_server(("127.0.0.1", 8080))
    except OSError:
        taken = None  # someone has it: as good
    server = petrel(args=["serve", str(tmp_path)])
    assert "127.0.0.1:8080 is in use by" in server.stderr
    port = int(re.search(r"taking the next free port, (\d+)", server.stderr)[1])
    assert 8081 <= port <= 8089
    assert f"http://127.0.0.1:{port}/" in server.stdout
    server.port = port
    server.request()
    server.signal(signal.SIGINT)
    assert server.wait_end() == 0
    if taken:
        taken.close()


@pytest.mark.parametrize("route, count", [
    ('route /x { respond 200 "" type "a\\nb"; } route /y { files { type .x "a\\rb"; } }', 2),
    ('route /x { respond 200 "" type a/b; }', 0),
])
def test_check_refuses_what_no_field_can_hold(command, tmp_path, route, count):
    """Rather than a server that ends when it is asked for it; and it says nothing where all is fine."""
    conf = tmp_path / "petrel.conf"
    conf.write_text(f"listen 127.0.0.1:8080; site * {{ root {tmp_path}; {route} }}")
    done = command("check", "-c", conf)
    assert done.stderr.count("can't hold a control character") == count
    assert done.returncode == (1 if count else 0)
