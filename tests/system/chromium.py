"""A Chromium without a window, driven over its debugging protocol: what a person with a browser would see and do."""

import asyncio
import base64
import http.client
import json
import subprocess

import websockets
from conftest import wait_for

ARGS = ["--headless", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--no-first-run", "--hide-scrollbars",
        "--disable-background-networking", "--disable-component-update", "--disable-sync", "--remote-debugging-port=0"]


class Browser:
    """One page.  What it says of errors is in .errors: exceptions of scripts, and what its security policy refused."""

    def __init__(self, folder):
        self.process = subprocess.Popen(["chromium", *ARGS, f"--user-data-dir={folder}", "about:blank"],
                                        stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        self.loop = asyncio.new_event_loop()
        self.errors = []
        self.number = 0
        self.socket = None
        try:
            port = folder / "DevToolsActivePort"
            wait_for(lambda: port.exists() and len(port.read_text().splitlines()) == 2, "Chromium", 60)
            self.port = int(port.read_text().splitlines()[0])
            address = wait_for(self._page, "its page", 30)
            self.socket = self.loop.run_until_complete(self._connect(address))
            for domain in ("Page", "Runtime", "Log"):
                self.call(f"{domain}.enable")
        except BaseException:
            self.close()
            raise

    def _page(self):
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=10)
        connection.request("GET", "/json/list")
        pages = [t for t in json.loads(connection.getresponse().read()) if t["type"] == "page"]
        return pages and pages[0]["webSocketDebuggerUrl"]

    async def _connect(self, address):
        return await websockets.connect(address, max_size=None, ping_interval=None)

    def close(self):
        if self.socket:
            self.loop.run_until_complete(self.socket.close())
        self.process.terminate()
        try:
            self.process.wait(10)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        self.loop.close()

    def call(self, method, **params):
        return self.loop.run_until_complete(asyncio.wait_for(self._call(method, params), 30))

    async def _call(self, method, params):
        self.number += 1
        await self.socket.send(json.dumps({"id": self.number, "method": method, "params": params}))
        while True:
            said = json.loads(await self.socket.recv())
            if said.get("id") == self.number:
                if "navigated" in said.get("error", {}).get("message", ""):
                    return {"result": {}}  # the page that was asked is no more: the next one may answer
                assert "error" not in said, said
                return said["result"]
            if said.get("method") == "Runtime.exceptionThrown":
                self.errors.append(said["params"]["exceptionDetails"]["text"])
            if said.get("method") == "Log.entryAdded" and said["params"]["entry"]["level"] == "error":
                self.errors.append(said["params"]["entry"]["text"])

    # --- What a person does. ---

    def open(self, url):
        self.call("Page.navigate", url=url)
        wait_for(lambda: self.js("document.readyState === 'complete' && location.href !== 'about:blank'"), url, 30)

    def leave(self):
        self.call("Page.navigate", url="about:blank")
        wait_for(lambda: self.js("location.href") == "about:blank", "an empty page")

    def js(self, expression):
        said = self.call("Runtime.evaluate", expression=expression, returnByValue=True)
        assert "exceptionDetails" not in said, said
        return said["result"].get("value")

    def look(self, width, height, dark=False, scripts=True):
        self.call("Emulation.setDeviceMetricsOverride", width=width, height=height, deviceScaleFactor=1,
                  mobile=width < 600)
        self.call("Emulation.setEmulatedMedia",
                  features=[{"name": "prefers-color-scheme", "value": "dark" if dark else "light"}])
        self.call("Emulation.setScriptExecutionDisabled", value=not scripts)

    def picture(self, path):
        """All of the page as PNG."""
        shot = self.call("Page.captureScreenshot", captureBeyondViewport=True)
        path.write_bytes(base64.b64decode(shot["data"]))

    def click(self, selector):
        """With the mouse, where the element is."""
        x, y = self.js(f"(() => {{ const e = document.querySelector({json.dumps(selector)}); e.scrollIntoView();"
                       " const r = e.getBoundingClientRect(); return [r.x + r.width / 2, r.y + r.height / 2] })()")
        for kind in ("mousePressed", "mouseReleased"):
            self.call("Input.dispatchMouseEvent", type=kind, x=x, y=y, button="left", clickCount=1)
