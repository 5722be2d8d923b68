"""What can be asked on the admin socket is described by the same table that answers: the description is valid OpenAPI, and
what it says of each operation is so."""

import json
import socket

import jsonschema
import pytest
from conftest import wait_for
from test_operator import Unix

SPECIFICATION = "/usr/share/openapi-specification/schemas/v3.0/schema.json"
CONF = """
listen 127.0.0.1:{port};
admin unix:{dir}/admin.sock;
site * { route * { proxy api; } }
pool api { server 127.0.0.1:1; }
"""
# What a path's parameter stands for in a request that finds what it names, and in one that does not.
THERE = {"pool": "api", "server": "127.0.0.1:1"}
NOBODY = "nobody"


def ask(server, method, path, body=None, headers=None):
    connection = Unix(server.dir / "admin.sock")
    try:
        connection.request(method.upper(), path, body=body, headers=headers or {})
        answer = connection.getresponse()
        return answer, answer.read()
    finally:
        connection.close()


@pytest.fixture
def described(petrel):
    server = petrel(CONF)
    answer, text = ask(server, "GET", "/openapi.json")
    assert answer.status == 200
    return server, json.loads(text)


def operations(spec):
    return [(path, method, operation) for path, item in spec["paths"].items() for method, operation in item.items()]


def fill(path, values):
    for name in set(values) | set(part[1:-1] for part in path.split("/") if part.startswith("{")):
        path = path.replace("{%s}" % name, values.get(name, NOBODY))
    return path


def example_body(operation):
    """The least that the description allows, made of its examples."""
    if "requestBody" not in operation:
        return None
    schema = operation["requestBody"]["content"]["application/json"]["schema"]
    names = schema.get("required") or list(schema["properties"])[:1]
    return json.dumps({name: schema["properties"][name]["example"] for name in names})


def refused(answer, text, status):
    assert answer.status == status, text
    assert answer.getheader("Content-Type") == "application/json"
    said = json.loads(text)
    assert said["ok"] is False and said["error"]


def test_it_is_valid(described):
    with open(SPECIFICATION) as f:
        jsonschema.Draft4Validator(json.load(f)).validate(described[1])


def test_references_lead_somewhere(described):
    spec = described[1]
    schemas = {f"#/components/schemas/{name}" for name in spec["components"]["schemas"]}
    assert set(part.split('"')[0] for part in json.dumps(spec).split('"$ref": "')[1:]) == schemas


def test_what_is_read_answers_as_described(described):
    server, spec = described
    for path, method, operation in operations(spec):
        if method != "get" or "{" in path.replace("{pool}", ""):
            continue
        required = [p for p in operation.get("parameters", []) if p["in"] == "query" and p["required"]]
        query = "&".join(f"{p['name']}={p['schema']['example']}" for p in required)
        content = operation["responses"]["200"]["content"]
        if "application/x-ndjson" in content:
            continue  # it does not end
        answer, text = ask(server, method, fill(path, THERE) + ("?" + query if query else ""))
        assert answer.status == 200, (path, text)
        assert answer.getheader("Content-Type") in content, path
        if "application/json" in content:
            json.loads(text)


def test_errors_are_as_described(described):
    server, spec = described
    for path, method, operation in operations(spec):
        there, nowhere = fill(path, THERE), fill(path, {})
        answers = operation["responses"]
        refused(*ask(server, method, there + "?surely_not=1"), 400)
        if "requestBody" in operation and "{" not in path.replace("{pool}", "").replace("{server}", ""):
            for body in ("", "[]", '{"surely_not":1}', '{"', "nonsense", '{"a":1,"a":2}', "\xff"):
                refused(*ask(server, method, there, body.encode("latin-1")), 400)
            answer, _ = ask(server, method, there, b" " * 70000)
            assert answer.status == 413 and "413" in answers
            for name, schema in operation["requestBody"]["content"]["application/json"]["schema"]["properties"].items():
                wrong = {"string": 1, "integer": schema.get("maximum", 0) + 1, "boolean": "yes"}[schema["type"]]
                refused(*ask(server, method, there, json.dumps({name: wrong})), 422)
            assert "422" in answers
        if "404" in answers and "{" in path:
            refused(*ask(server, method, nowhere, example_body(operation)), 404)
    assert json.loads(ask(server, "GET", "/changes")[1])["count"] == 0


def test_other_paths_and_methods(described):
    server, spec = described
    refused(*ask(server, "GET", "/surely/not"), 404)
    for path, item in spec["paths"].items():
        answer, text = ask(server, next(m for m in ("PUT", "PATCH", "POST") if m.lower() not in item), fill(path, THERE))
        if answer.status != 405:  # another row's star takes this path
            continue
        refused(answer, text, 405)
        allowed = {m.lower() for m in answer.getheader("Allow").split(", ")}
        assert set(item) <= allowed, path


def test_half_written_requests(described):
    """Those who never end what they began hold up nobody, and change nothing."""
    server, _ = described
    pieces = [b"", b"PO", b"POST /settings HTTP/1.1\r\nHo", b"POST /settings HTTP/1.1\r\nHost: a\r\n",
              b'POST /settings HTTP/1.1\r\nHost: a\r\nContent-Length: 40\r\n\r\n{"set":"limits connec',
              b"POST /pools/api/servers HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n1e\r\n{\"server\":"]
    began = []
    for piece in pieces * 5:
        s = socket.socket(socket.AF_UNIX)
        s.connect(str(server.dir / "admin.sock"))
        s.sendall(piece)
        began.append(s)
    answer, _ = ask(server, "GET", "/pools")
    assert answer.status == 200
    for s in began:
        s.close()

    def are_gone():
        return json.loads(ask(server, "GET", "/status.json")[1])["connections"]["open"] <= 1

    wait_for(are_gone, "the end of their connections")
    assert json.loads(ask(server, "GET", "/changes")[1])["count"] == 0
