"""A person at Open WebUI in Chromium: opens the page, asks, reads the answer as it comes, looks at it again after a reload.

Run with Open WebUI's own Python (it has a client for web sockets): open_webui_job.py URL QUESTION DEBUG_PORT PICTURE"""
import base64
import json
import sys
import time
import urllib.request

from websockets.sync.client import connect

URL, QUESTION, PORT, PICTURE = sys.argv[1:]


class Page:
    """One tab, by Chromium's debugging protocol."""

    def __init__(self, socket):
        self.socket, self.number = socket, 0

    def call(self, method, **parameters):
        self.number += 1
        self.socket.send(json.dumps({"id": self.number, "method": method, "params": parameters}))
        while True:
            said = json.loads(self.socket.recv(timeout=120))
            if said.get("id") == self.number:
                assert "error" not in said, said
                return said["result"]

    def read(self, expression):
        return self.call("Runtime.evaluate", expression=expression, returnByValue=True)["result"].get("value")

    def wait(self, expression, seconds=180):
        deadline = time.monotonic() + seconds
        while not (found := self.read(expression)):
            assert time.monotonic() < deadline, f"{expression}: {self.read('document.body.innerText')[:2000]}"
            time.sleep(0.1)
        return found


def address():
    with urllib.request.urlopen(f"http://127.0.0.1:{PORT}/json/list", timeout=20) as answer:
        return next(tab for tab in json.load(answer) if tab["type"] == "page")["webSocketDebuggerUrl"]


def drive(page):
    page.call("Emulation.setDeviceMetricsOverride", width=1280, height=900, deviceScaleFactor=1, mobile=False)
    page.call("Page.navigate", url=URL)
    page.wait("!!document.querySelector('#chat-input')")
    # What greets a first visit, if it does.
    page.read("[...document.querySelectorAll('button')].filter(b => /^(Okay, Let's Go!|Get started)$/.test(b.innerText.trim())).forEach(b => b.click())")
    model = page.wait("document.querySelector('[id^=model-selector]')?.innerText.trim()")
    time.sleep(1)
    page.read("document.querySelector('#chat-input').focus()")
    page.call("Input.insertText", text=QUESTION)
    page.wait("document.querySelector('#chat-input').innerText.includes('capital')")
    for kind in ("keyDown", "keyUp"):
        page.call("Input.dispatchKeyEvent", type=kind, key="Enter", code="Enter", windowsVirtualKeyCode=13, text="\r" if kind == "keyDown" else "")
    seen = []
    deadline = time.monotonic() + 240
    READ = "[...document.querySelectorAll('.chat-assistant')].map(e => e.innerText.trim()).join('')"
    while time.monotonic() < deadline:
        text = page.read(READ) or ""
        if text and (not seen or seen[-1] != text):
            seen.append(text)
        # Its own mark that an answer is done: the answer can be copied.
        if page.read("!!document.querySelector('.chat-assistant') && !!document.querySelector('.copy-response-button')"):
            break
        time.sleep(0.03)
    time.sleep(1)
    final = page.read(READ)
    page.read("window.thePageBefore = true")
    page.call("Page.reload")
    page.wait("!window.thePageBefore && document.querySelector('.chat-assistant')?.innerText.trim()")
    time.sleep(1)
    with open(PICTURE, "wb") as file:
        file.write(base64.b64decode(page.call("Page.captureScreenshot", format="png")["data"]))
    print(json.dumps({"model": model, "seen": seen, "final": final, "reloaded": page.read(READ)}))


with connect(address(), max_size=None) as socket:
    drive(Page(socket))
