"""Checksums of a file that is sent: a WSGI application, run by gunicorn behind `proxy`.

petrel takes an upload in first (request_body collect), so that a slow one holds no thread of this."""
import email.parser
import email.policy
import hashlib
import html
import os
import zlib

PIECE = 64 * 1024
MOST = 32 << 20

PAGE = """<!doctype html><html lang="en"><head><meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1"><title>Checksums – petrel</title>
<link rel="icon" href="data:,"><link rel="stylesheet" href="/style.css"></head><body class="app">
<header><a class="name" href="/">petrel</a> <a href="/#applications">Applications</a></header><main>
<h1>Checksums</h1>
<form method="post" enctype="multipart/form-data" action="/checksum/">
<label>A file <input type="file" name="file" required></label> <button>Compute</button></form>
{result}
<p class="soft">Or from a terminal:</p><pre>curl -T FILE {url}</pre>
</main><footer>{server}, process {pid}</footer></body></html>"""


def sums(pieces):
    """What there is to say about these bytes, as rows."""
    size, crc, md5, sha = 0, 0, hashlib.md5(), hashlib.sha256()
    for piece in pieces:
        size += len(piece)
        crc = zlib.crc32(piece, crc)
        md5.update(piece)
        sha.update(piece)
    return [("Bytes", f"{size:,}"), ("CRC-32", f"{crc:08x}"), ("MD5", md5.hexdigest()), ("SHA-256", sha.hexdigest())]


def body_of(environ):
    """Its pieces; the length is known, because petrel has all of it before we are asked."""
    left = int(environ.get("CONTENT_LENGTH") or 0)
    while left and (piece := environ["wsgi.input"].read(min(left, PIECE))):
        left -= len(piece)
        yield piece


def file_of(environ):
    """The name and the bytes of the form's file."""
    head = f"Content-Type: {environ.get('CONTENT_TYPE', '')}\r\n\r\n".encode()
    form = email.parser.BytesParser(policy=email.policy.HTTP).parsebytes(head + b"".join(body_of(environ)))
    for part in form.iter_parts() if form.is_multipart() else ():
        if part.get_filename():
            return part.get_filename(), part.get_payload(decode=True) or b""
    return None, b""


def table(name, rows):
    cells = "".join(f"<tr><th>{title}</th><td><code>{value}</code></td></tr>" for title, value in rows)
    return f"<h2>{html.escape(name)}</h2><div class='scroll'><table>{cells}</table></div>"


def answer(start, status, kind, text):
    body = text.encode()
    start(status, [("Content-Type", f"{kind}; charset=utf-8"), ("Content-Length", str(len(body))),
                   ("Cache-Control", "no-store")])
    return [body]


def app(environ, start):
    method = environ["REQUEST_METHOD"]
    if int(environ.get("CONTENT_LENGTH") or 0) > MOST:
        return answer(start, "413 Content Too Large", "text/plain", f"At most {MOST >> 20} MB, please.\n")
    if method == "PUT":
        return answer(start, "200 OK", "text/plain", "".join(f"{k:8} {v}\n" for k, v in sums(body_of(environ))))
    if method not in ("GET", "HEAD", "POST"):
        return answer(start, "405 Method Not Allowed", "text/plain", "GET, POST or PUT\n")
    name, content = file_of(environ) if method == "POST" else (None, b"")
    result = table(name, sums([content])) if name else ""
    if method == "POST" and not name:
        result = '<p class="wrong" role="alert">Which file?</p>'
    status = "200 OK" if name or method != "POST" else "422 Unprocessable Content"
    return answer(start, status, "text/html", PAGE.format(
        result=result, pid=os.getpid(), server=html.escape(environ.get("SERVER_SOFTWARE", "a WSGI server")),
        url=f"{environ['wsgi.url_scheme']}://{html.escape(environ.get('HTTP_HOST', ''))}/checksum/"))
