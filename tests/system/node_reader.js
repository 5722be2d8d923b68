// How Node's http parser reads what comes over a connection: once the client has sent its last byte, or the parser
// gave up, the answer is a JSON list of the messages, ended by the error's code where there was one.  Prints its port,
// and ends when its standard input does.
'use strict';
const http = require('http');

function read(request) {
	const body = [];
	request.on('data', (piece) => body.push(piece));
	request.on('end', () => request.socket.told.push({
		method: request.method,
		target: request.url,
		minor: request.httpVersionMinor,
		fields: request.rawHeaders,
		body: Buffer.concat(body).toString('latin1'),
	}));
}

// Requests that were complete before the error get to their end first.
function finish(socket) {
	setImmediate(() => setImmediate(() => socket.finish(JSON.stringify(socket.told))));
}

// Whether there is a Host is not the parser's affair there.
const server = http.createServer({ requireHostHeader: false }, read);
server.httpAllowHalfOpen = true;
server.on('checkContinue', read);
server.on('checkExpectation', (request) => request.socket.told.push('EXPECTATION'));
server.on('connect', (request, socket) => {
	setImmediate(() => socket.told.push('CONNECT'));
	finish(socket);
});
server.on('connection', (socket) => {
	socket.told = [];
	// The http server ends a connection on which it has nothing to answer.
	socket.finish = socket.end.bind(socket);
	socket.end = () => socket;
	socket.on('end', () => finish(socket));
});
server.on('clientError', (error, socket) => {
	setImmediate(() => socket.told.push(error.code));
	finish(socket);
});
server.listen(0, '127.0.0.1', () => console.log(server.address().port));
process.stdin.on('end', () => process.exit()).resume();
