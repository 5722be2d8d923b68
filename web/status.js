/* Keeps the status page up to date: each event names a section, and brings what stands in it now. */
"use strict";

/* Makes a like b, touching only what differs: so that a button that is being pressed, and text that is being marked, stay. */
function morph(a, b) {
	if (a.nodeName !== b.nodeName || a.childElementCount && a.dataset?.key !== b.dataset?.key)
		return a.replaceWith(b);
	if (a.nodeType === Node.TEXT_NODE && a.data !== b.data)
		a.data = b.data;
	for (const { name } of [...a.attributes ?? []])
		if (!b.hasAttribute(name) && name !== "open")
			a.removeAttribute(name);
	for (const { name, value } of b.attributes ?? [])
		if (a.getAttribute(name) !== value)
			a.setAttribute(name, value);
	const old = [...a.childNodes], fresh = [...b.childNodes];
	fresh.forEach((node, i) => old[i] ? morph(old[i], node) : a.append(node));
	old.slice(fresh.length).forEach(node => node.remove());
}

function show(event) {
	const end = event.data.indexOf("\n"), section = document.getElementById(event.data.slice(0, end));
	if (!section)
		return;
	const fresh = section.cloneNode(false);
	fresh.innerHTML = event.data.slice(end + 1);
	morph(section, fresh);
	const alerts = document.querySelectorAll("#alerts li:not(.silenced)").length;
	document.title = (alerts ? `(${alerts}) ` : "") + "petrel";
}

const live = document.getElementById("live");
let stream, again;

function say(state, text) {
	live.className = state;
	live.textContent = text;
}

function watch() {
	stream = new EventSource("?events");
	stream.addEventListener("section", show);
	stream.onopen = () => say("on", "live");
	stream.onerror = () => {
		say("off", "No connection. What you see was so at " + new Date().toLocaleTimeString());
		if (stream.readyState === EventSource.CLOSED)
			again = setTimeout(watch, 3000);
	};
}

/* Nobody looks: nothing is sent. */
function look() {
	clearTimeout(again);
	stream?.close();
	if (!document.hidden)
		watch();
}

document.addEventListener("visibilitychange", look);
look();
