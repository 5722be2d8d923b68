"""Request ids and trace contexts: what an application is told, what the client is, and what stands in the log."""

import re

import pytest
from conftest import wait_for
from test_cgi import variables
from test_wsgi import WAYS, http_pool, run  # noqa: F401 (a fixture)
from wire import Wire, get

TRACE = "4bf92f3577b34da6a3ce929d0e0e4736"
PARENT = f"00-{TRACE}-00f067aa0ba902b7-01"
LOG = 'access_log {dir}/access.log ids; log_format ids "$id $request_id [$trace_id] $target";\n'
# What the client sends, what the application gets as its id ("" stands for petrel's own), and the trace's.
ASKED = [
    ("", "", None),
    ("X-Request-Id: from-the-client/1\r\n", "from-the-client/1", None),
    ("X-Request-Id: two words\r\n", "", None),
    ("X-Request-Id: <script>alert(1)</script>\r\n", "", None),
    ("X-Request-Id: a\r\nX-Request-Id: b\r\n", "", None),
    ("X-Request-Id: " + 65 * "a" + "\r\n", "", None),
    (f"traceparent: {PARENT}\r\ntracestate: a=1,b=2\r\n", "", PARENT),
    (f"traceparent: {PARENT.upper()}\r\ntracestate: a=1,b=2\r\n", "", None),
]


def check(server, told):
    """told(fields, n): the variables of the application that was asked with these fields, for the target with this number."""
    with Wire(server) as w:
        for n, (fields, id_, parent) in enumerate(ASKED):
            env = told(w, fields, n)
            line = wait_for(lambda n=n: re.search(rf"^(\w{{16}}) (\S+) \[(\S+)\] \S*n={n}$", log(server), re.M), f"line {n}")
            assert env["HTTP_X_REQUEST_ID"] == line[2] == (id_ or line[1])
            assert env.get("HTTP_TRACEPARENT") == parent
            assert env.get("HTTP_TRACESTATE") == (parent and "a=1,b=2")
            assert line[3] == (TRACE if parent else "-")


def log(server):
    file = server.dir / "access.log"
    return file.read_text() if file.exists() else ""


@pytest.mark.parametrize("way", WAYS, ids=lambda way: way.__name__)
def test_an_application_is_told(run, way):  # noqa: F811
    if way.__name__ == "node":
        pytest.skip("its program does not say what it was told")
    server = way(lambda backend, handler, **how: run(LOG + backend, handler, **how))
    check(server, lambda w, fields, n: w.ask(get(f"/env?n={n}", fields)).json)


def test_a_cgi_program_is_told(petrel, tmp_path):
    program = tmp_path / "petrel0/cgi/env"
    program.parent.mkdir(parents=True)
    program.write_text("#!/bin/sh\nprintf 'Content-Type: text/plain\\n\\n'; env\n")
    program.chmod(0o755)
    server = petrel("listen 127.0.0.1:{port};\n" + LOG + "site * { root {dir}; route * { cgi; } }")
    check(server, lambda w, fields, n: variables(w.ask(get(f"/cgi/env?n={n}", fields))))


def test_what_the_operator_wants(run):  # noqa: F811
    own = "request_id make answer; traceparent make;\n"
    server = http_pool(lambda backend, handler, **how: run(own + LOG + backend, handler, **how))
    with Wire(server) as w:
        answer = w.ask(get("/env", "X-Request-Id: mine\r\n"))
        assert re.fullmatch(r"[0-9a-f]{16}", answer["x-request-id"])
        assert answer.json["HTTP_X_REQUEST_ID"] == answer["x-request-id"]
        made = answer.json["HTTP_TRACEPARENT"]
        assert re.fullmatch(rf"00-[0-9a-f]{{32}}-{answer['x-request-id']}-01", made)
        assert w.ask(get("/env", f"traceparent: {PARENT}\r\n")).json["HTTP_TRACEPARENT"] == PARENT
        assert w.ask(get("/env")).json["HTTP_TRACEPARENT"] not in (made, PARENT)
        # What petrel answers itself has an id, too.
        w.send(b"GET / HTTP/1.1\r\nHost: a b\r\n\r\n")
        assert w.answer()["x-request-id"]


def test_the_error_log_calls_it_as_its_application_does(petrel):
    server = petrel("listen 127.0.0.1:{port};\nsite * { route * { proxy http://127.0.0.1:1; } }")
    assert server.request("/x", headers={"X-Request-Id": "known-as-this"}).status == 502
    server.wait_said(r"given up \(/x, request known-as-this\)")
