// A chat: Node.js behind `proxy`, its WebSockets (RFC 6455) through petrel's tunnels.  No packages.
"use strict";
const http = require("http"), crypto = require("crypto"), fs = require("fs"), path = require("path");

const PAGE = fs.readFileSync(path.join(__dirname, "chat.html"));
const MAGIC = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11";  // RFC 6455, 1.3
const TEXT = 1, CLOSE = 8, PING = 9, PONG = 10;
const KEPT = 50, MESSAGE_B = 4096, TEXT_MOST = 1000, NAME_MOST = 30;

const people = new Set(), kept = [];

function frame(type, data) {
	const n = data.length;
	const head = n < 126 ? Buffer.from([0x80 | type, n]) : Buffer.from([0x80 | type, 126, n >> 8, n & 255]);
	return Buffer.concat([head, data]);
}

function say(to, what) {
	const bytes = frame(TEXT, Buffer.from(JSON.stringify(what)));
	for (const socket of to)
		socket.write(bytes);
}

function tellCount() {
	say(people, { kind: "count", count: people.size });
}

// The first frame of what was received, or null where it is not whole yet; throws where it can't be one of ours.
function parse(bytes) {
	if (bytes.length < 2)
		return null;
	let n = bytes[1] & 127, at = 2;
	if (n === 127 || !(bytes[0] & 0x80) || !(bytes[1] & 0x80))
		throw new Error("too large, in pieces, or not masked");
	if (n === 126) {
		if (bytes.length < 4)
			return null;
		n = bytes.readUInt16BE(2);
		at = 4;
	}
	if (n > MESSAGE_B)
		throw new Error("too large");
	if (bytes.length < at + 4 + n)
		return null;
	const mask = bytes.subarray(at, at + 4), data = Buffer.from(bytes.subarray(at + 4, at + 4 + n));
	for (let i = 0; i < n; i++)
		data[i] ^= mask[i & 3];
	return { type: bytes[0] & 15, data, length: at + 4 + n };
}

function cut(value, most) {
	return String(value ?? "").trim().slice(0, most);
}

function onText(data) {
	const said = JSON.parse(data), text = cut(said.text, TEXT_MOST);
	if (!text)
		return;
	const message = { kind: "message", name: cut(said.name, NAME_MOST) || "Somebody", text, time: Date.now() };
	kept.push(message);
	if (kept.length > KEPT)
		kept.shift();
	say(people, message);
}

function onFrame(socket, f) {
	if (f.type === TEXT)
		onText(f.data);
	else if (f.type === PING)
		socket.write(frame(PONG, f.data));
	else if (f.type === CLOSE)
		socket.end(frame(CLOSE, f.data.subarray(0, 2)));
}

function converse(socket, first) {
	let bytes = first;
	const take = () => {
		try {
			for (let f; (f = parse(bytes)); bytes = bytes.subarray(f.length))
				onFrame(socket, f);
		} catch {
			socket.destroy();
		}
	};
	people.add(socket);
	say([socket], { kind: "welcome", kept });
	tellCount();
	socket.on("data", (more) => { bytes = Buffer.concat([bytes, more]); take(); });
	socket.on("end", () => socket.end());
	socket.on("error", () => socket.destroy());
	socket.on("close", () => { people.delete(socket); tellCount(); });
	take();
}

// Other sites' pages could open a WebSocket here in their visitors' names: a browser says whose page it is.
function isOurs(request) {
	const origin = request.headers.origin;
	return !origin || origin.replace(/^https?:\/\//, "") === request.headers.host;
}

const server = http.createServer((request, answer) => {
	const found = request.url.split("?")[0] === "/chat/";
	answer.writeHead(found ? 200 : 404, { "Content-Type": `text/${found ? "html" : "plain"}; charset=utf-8` });
	answer.end(found ? PAGE : "Nothing here.\n");
});
server.on("upgrade", (request, socket, first) => {
	const key = request.headers["sec-websocket-key"];
	if (request.url !== "/chat/socket" || !key || !isOurs(request)) {
		socket.end("HTTP/1.1 403 Forbidden\r\nContent-Length: 0\r\nConnection: close\r\n\r\n");
		return;
	}
	const accept = crypto.createHash("sha1").update(key + MAGIC).digest("base64");
	socket.write("HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n" +
		`Sec-WebSocket-Accept: ${accept}\r\n\r\n`);
	converse(socket, first);
});
server.keepAliveTimeout = 90000;  // longer than petrel keeps an idle connection
server.listen(process.env.PORT, "127.0.0.1");
process.on("SIGTERM", () => process.exit(0));
