"""What stands around the program: packages, installing, and the configurations that people copy."""

import re
import subprocess

import pytest
from conftest import ROOT, SLOW

NEED = ROOT / "packaging/need"


# --- packaging/need ---

@pytest.fixture
def machine(tmp_path):
    """A machine with these packages: every program that packaging/need asks is a small script. Returns need(task)."""
    log = tmp_path / "log"

    def need(task, installed="", uid=0, sudo=False, apt_works=True):
        log.write_text("")
        tools = {
            "id": f"echo {uid}",
            "dpkg-query": f"printf '%s' '{''.join(f'{p}=installed ' for p in installed.split())}'",
            "apt-cache": "exit 0",
            "apt-get": f'echo "apt-get $*" >> {log}; exit {0 if apt_works else 100}',
            "sudo": f'[ {int(sudo)} = 1 ] || exit 1; [ "$1" = -n ] && exit 0; echo "sudo" >> {log}; exec "$@"',
        }
        folder = tmp_path / "bin"
        folder.mkdir(exist_ok=True)
        for name, text in tools.items():
            (folder / name).write_text(f"#!/bin/sh\n{text}\n")
            (folder / name).chmod(0o755)
        done = subprocess.run([NEED, task], capture_output=True, text=True, stdin=subprocess.DEVNULL,
                              env={"PATH": f"{folder}:/usr/bin:/bin"}, timeout=30)
        done.ran = log.read_text().splitlines()
        return done

    return need


def packages_of(task, machine):
    """All that the task needs, as told on a machine that has nothing."""
    line = machine(task, uid=1000).stderr.splitlines()[-1]
    return line.split("--no-install-recommends ")[1].split()


@pytest.mark.parametrize("task", ["build", "run", "check", "bench"])
def test_nothing_is_installed_that_is_there(machine, task):
    every = packages_of(task, machine)
    done = machine(task, installed=" ".join(every))
    assert (done.returncode, done.stdout, done.stderr, done.ran) == (0, "", "", [])


def test_only_what_is_missing_is_installed(machine):
    every = packages_of("build", machine)
    done = machine("build", installed=" ".join(every[2:]))
    assert done.returncode == 0
    assert done.stdout == f"installing {every[0]} {every[1]}\n"
    assert len(done.ran) == 1
    assert done.ran[0].endswith(f"--no-install-recommends install {every[0]} {every[1]}")


def test_through_sudo(machine):
    done = machine("build", uid=1000, sudo=True)
    assert done.returncode == 0
    assert done.ran[0] == "sudo"
    assert " install gcc " in done.ran[1]


def test_without_rights_the_command_is_told(machine):
    done = machine("run", uid=1000)
    assert done.returncode == 1
    assert re.search(r"^  apt-get install --no-install-recommends gcc .*tango-icon-theme .*nodejs$", done.stderr, re.M)
    assert done.ran == []


def test_an_old_list_of_packages_is_fetched_anew(machine):
    done = machine("build", apt_works=False)
    assert done.returncode == 1
    assert [line.split()[-1] for line in done.ran if line.endswith("update")] == ["update"]
    assert "by hand" in done.stderr


def test_a_task_that_is_none(machine):
    assert machine("coffee").returncode == 2


# --- make install ---

@pytest.mark.skipif(SLOW, reason="it installs the release build")
def test_install(tmp_path):
    subprocess.run(["make", "-s", "install", f"DESTDIR={tmp_path}", "PREFIX=/usr"], cwd=ROOT, check=True, timeout=300,
                   stdout=subprocess.DEVNULL)
    there = {str(p.relative_to(tmp_path)) for p in tmp_path.rglob("*") if p.is_file()}
    assert {"usr/bin/petrel", "usr/share/man/man1/petrel.1", "usr/share/man/man5/petrel.conf.5",
            "usr/lib/systemd/system/petrel.service", "etc/petrel/petrel.conf"} <= there
    unit = (tmp_path / "usr/lib/systemd/system/petrel.service").read_text()
    assert "ExecStart=/usr/bin/petrel run -c /etc/petrel/petrel.conf" in unit
    assert "@" not in unit.replace("@system-service", "").replace("@aio", "")
    # What somebody changed stays.
    (tmp_path / "etc/petrel/petrel.conf").write_text("mine")
    subprocess.run(["make", "-s", "install", f"DESTDIR={tmp_path}", "PREFIX=/usr"], cwd=ROOT, check=True, timeout=300,
                   stdout=subprocess.DEVNULL)
    assert (tmp_path / "etc/petrel/petrel.conf").read_text() == "mine"


# --- Configurations that people copy ---

def test_the_example_is_fine(command):
    done = command("check", "-c", ROOT / "examples/petrel.conf")
    assert (done.returncode, "error" in done.stderr) == (0, False), done.stderr


def test_the_readmes_site_is_fine(command, tmp_path):
    blocks = re.findall(r"^```\n(.*?)^```$", (ROOT / "README.md").read_text(), re.M | re.S)
    (site,) = [b for b in blocks if "\nsite " in b]
    (tmp_path / "petrel.conf").write_text(site)
    done = command("check", "-c", tmp_path / "petrel.conf")
    assert (done.returncode, "error" in done.stderr) == (0, False), done.stderr
