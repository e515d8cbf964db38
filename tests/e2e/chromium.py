"""A headless Chromium, told what to do over its DevTools protocol."""

from __future__ import annotations

import contextlib
import itertools
import json
import os
import select
import shutil
import subprocess
import time
from base64 import b64decode
from collections.abc import Iterator
from pathlib import Path
from typing import Any

_PATIENCE = 30.0
_FLAGS = (
    "--headless=new",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-dev-shm-usage",
    "--no-first-run",
    "--disable-extensions",
    "--disable-background-networking",
    "--hide-scrollbars",
    "--remote-debugging-pipe",
)


def program() -> str:
    """The browser's program; empty where there is none."""
    return next(
        (found for name in ("chromium", "chromium-browser", "google-chrome") if (found := shutil.which(name))), ""
    )


class Page:
    """One page of a browser."""

    def __init__(self, told: int, says: int) -> None:
        """
        Args:
            told: the descriptor on which the browser listens.
            says: the one on which it answers.
        """
        self._told, self._says = told, says
        self._numbers = itertools.count(1)
        self._rest = b""
        self._session = ""
        target = self.call("Target.createTarget", url="about:blank")["targetId"]
        self._session = self.call("Target.attachToTarget", targetId=target, flatten=True)["sessionId"]
        self.call("Page.enable")

    def call(self, method: str, **parameters: Any) -> dict[str, Any]:
        """Calls a method of the protocol, and returns its result."""
        number = next(self._numbers)
        sent: dict[str, Any] = {"id": number, "method": method, "params": parameters}
        if self._session:
            sent["sessionId"] = self._session
        os.write(self._told, json.dumps(sent).encode() + b"\0")
        for said in self._messages():
            if said.get("id") == number:
                assert "error" not in said, said
                return dict(said["result"])
        raise AssertionError(f"{method}: the browser ended")

    def _messages(self) -> Iterator[dict[str, Any]]:
        end = time.monotonic() + _PATIENCE
        while True:
            message, zero, rest = self._rest.partition(b"\0")
            if zero:
                self._rest = rest
                yield json.loads(message)
                continue
            ready, _, _ = select.select([self._says], [], [], max(end - time.monotonic(), 0))
            assert ready, f"the browser said nothing for {_PATIENCE:g} s"
            read = os.read(self._says, 1 << 16)
            if not read:
                return
            self._rest += read

    def open(self, url: str, width: int = 1280, height: int = 800, dark: bool = False) -> None:
        """Opens an address in a window of that size."""
        self.call(
            "Emulation.setDeviceMetricsOverride", width=width, height=height, deviceScaleFactor=1, mobile=width < 600
        )
        scheme = {"name": "prefers-color-scheme", "value": "dark" if dark else "light"}
        self.call("Emulation.setEmulatedMedia", features=[scheme])
        self.call("Page.navigate", url=url)

    def run(self, script: str) -> Any:
        """The value of a JavaScript expression on the page; a promise's once it is there."""
        said = self.call("Runtime.evaluate", expression=script, returnByValue=True, awaitPromise=True)
        assert "exceptionDetails" not in said, said
        return said["result"].get("value")

    def until(self, script: str, seconds: float = _PATIENCE) -> Any:
        """Waits until a JavaScript expression is true, and returns its value."""
        end = time.monotonic() + seconds
        while True:
            # between two pages there is none
            with contextlib.suppress(AssertionError):
                if found := self.run(script):
                    return found
            assert time.monotonic() < end, f"not within {seconds:g} s: {script}\n{self.run('document.body.innerText')}"
            time.sleep(0.05)

    def picture(self, file: Path) -> None:
        """Writes what the window shows, as PNG."""
        file.write_bytes(b64decode(self.call("Page.captureScreenshot", format="png")["data"]))


@contextlib.contextmanager
def page(home: Path) -> Iterator[Page]:
    """A browser with one page, gone afterwards.

    Args:
        home: an empty directory for its profile.
    """
    told, tell = os.pipe()
    hear, says = os.pipe()
    # it listens on descriptor 3 and answers on 4; sh may know no numbers of two digits
    shell = ["bash", "-c", f'exec "$@" 3<&{told} 4>&{says}', "bash", program(), *_FLAGS, f"--user-data-dir={home}"]
    browser = subprocess.Popen(
        shell, pass_fds=(told, says), stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    os.close(told)
    os.close(says)
    try:
        yield Page(tell, hear)
    finally:
        os.close(tell)
        os.close(hear)
        browser.terminate()
        browser.wait(timeout=20)
