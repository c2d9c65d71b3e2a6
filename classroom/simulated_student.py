"""A student as the load test simulates one: what a browser would send, in the same order."""

import asyncio
import time
import uuid
from dataclasses import dataclass, field

import aiohttp
import nbformat
from nbformat.v4 import output_from_msg
from yarl import URL

OUTPUTS = ("stream", "display_data", "execute_result", "error")


@dataclass
class Student:
    """Logs in, opens the notebook at `path`, runs all its cells and saves it.

    Times are seconds from the moment of logging in. `saved` is the notebook as it was sent.
    """

    hub: str
    name: str
    path: str
    patience: float
    began: float = 0.0
    server_ready: float | None = None
    first_output: float | None = None
    finished: float | None = None
    failures: list[str] = field(default_factory=list)
    saved: nbformat.NotebookNode | None = None

    async def work(self) -> None:
        # Cookies of 127.0.0.1 are kept only if told so.
        jar = aiohttp.CookieJar(unsafe=True)
        quiet = aiohttp.ClientTimeout(total=self.patience)
        self.began = time.monotonic()
        try:
            async with aiohttp.ClientSession(cookie_jar=jar, timeout=quiet) as self.session:
                async with asyncio.timeout(self.patience):
                    await self._log_in()
                    await self._wait_for_server()
                    notebook = await self._open()
                    await self._run(notebook)
                    await self._save(notebook)
            self.finished = self._now()
        except Exception as error:
            self.failures.append(f"{type(error).__name__}: {error}")

    def _now(self) -> float:
        return time.monotonic() - self.began

    async def _log_in(self) -> None:
        login = f"{self.hub}/hub/login"
        async with self.session.get(login) as reply:
            reply.raise_for_status()
        form = {"username": self.name, "password": "any", "_xsrf": self._xsrf("/hub/")}
        async with self.session.post(login, data=form, allow_redirects=False) as reply:
            if reply.status != 302:
                raise RuntimeError(f"logging in: status {reply.status}")
        async with self.session.get(f"{self.hub}/hub/spawn") as reply:  # begins to start it
            reply.raise_for_status()

    async def _wait_for_server(self) -> None:
        """Until the server itself answers; the hub answers in its place before that."""
        page = f"{self.hub}/user/{self.name}/lab"
        while True:
            async with self.session.get(page) as reply:
                if reply.status == 200 and reply.url.path.startswith(f"/user/{self.name}/"):
                    break
                if reply.status >= 500 and reply.status != 503:
                    raise RuntimeError(f"starting the server: status {reply.status}")
            await asyncio.sleep(1)
        self.server_ready = self._now()

    async def _open(self) -> nbformat.NotebookNode:
        model = await self._api("GET", f"contents/{self.path}")
        return nbformat.from_dict(model["content"])

    async def _run(self, notebook: nbformat.NotebookNode) -> None:
        wanted = {"name": self.path, "path": self.path, "type": "notebook"}
        wanted["kernel"] = {"name": "python3"}
        kernel = (await self._api("POST", "sessions", json=wanted))["kernel"]["id"]
        address = f"{self._server}/api/kernels/{kernel}/channels?session_id={uuid.uuid4().hex}"
        async with self.session.ws_connect(address, max_msg_size=0) as channels:
            for number, cell in enumerate(notebook.cells):
                if cell.cell_type == "code" and cell.source.strip():
                    cell.outputs = await self._run_cell(channels, number, cell.source)

    async def _run_cell(self, channels, number: int, code: str) -> list:
        request = uuid.uuid4().hex
        header = {"msg_id": request, "msg_type": "execute_request", "version": "5.3"}
        header |= {"username": self.name, "session": request, "date": ""}
        content = {"code": code, "silent": False, "store_history": True, "allow_stdin": False}
        message = {"header": header, "parent_header": {}, "metadata": {}, "content": content}
        await channels.send_json(message | {"channel": "shell", "buffers": []})
        outputs, replied, idle = [], False, False
        while not (replied and idle):
            answer = await self._receive(channels)
            if answer is None or answer["parent_header"].get("msg_id") != request:
                continue
            kind, content = answer["header"]["msg_type"], answer["content"]
            replied |= kind == "execute_reply"
            idle |= kind == "status" and content["execution_state"] == "idle"
            if kind in OUTPUTS:
                self.first_output = self.first_output or self._now()
                outputs.append(output_from_msg(nbformat.from_dict(answer)))
            if kind == "error":
                self.failures.append(f"cell {number}: {content['ename']}: {content['evalue']}")
        return outputs

    async def _receive(self, channels) -> dict | None:
        message = await channels.receive()
        if message.type is aiohttp.WSMsgType.TEXT:
            return message.json()
        if message.type is aiohttp.WSMsgType.BINARY:  # a widget with buffers
            return None
        why = f"{channels.close_code} {message.extra or ''}".strip()
        raise RuntimeError(f"the connection to the kernel closed: {why}")

    async def _save(self, notebook: nbformat.NotebookNode) -> None:
        notebook.cells.append(nbformat.v4.new_markdown_cell(f"The work of {self.name}."))
        model = {"type": "notebook", "format": "json", "content": notebook}
        await self._api("PUT", f"contents/{self.path}", json=model)
        self.saved = notebook

    @property
    def _server(self) -> str:
        return f"{self.hub}/user/{self.name}"

    async def _api(self, method: str, name: str, **options) -> dict:
        headers = {"X-XSRFToken": self._xsrf(f"/user/{self.name}/")}
        address = f"{self._server}/api/{name}"
        async with self.session.request(method, address, headers=headers, **options) as reply:
            if reply.status >= 400:
                raise RuntimeError(f"{method} {name}: status {reply.status}")
            return await reply.json()

    def _xsrf(self, path: str) -> str:
        return self.session.cookie_jar.filter_cookies(URL(self.hub + path))["_xsrf"].value
