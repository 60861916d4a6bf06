"""The kernels of the dashboards' visitors: how many there may be, what they are told, and when they end.

Loaded where dashboards are served: Jupyter's server takes a second to import.
"""

import asyncio
import sys
import time
from collections.abc import Mapping
from typing import Any

from jupyter_client.kernelspec import KernelSpec, KernelSpecManager
from jupyter_server.services.kernels.kernelmanager import AsyncMappingKernelManager
from traitlets import Integer

AWAY_S = 60
"""A page whose kernel nobody is connected to for so long is closed: a network may be away for a moment."""

# What a page's kernel is told of this process's surroundings. All else stays here: a kernel runs whatever its visitor
# makes it run, and what sends mail, for one, is none of its business.
TOLD = frozenset({
    *("PATH", "HOME", "USER", "LOGNAME", "SHELL", "TMPDIR", "TZ", "LANG", "LANGUAGE", "VIRTUAL_ENV", "SYSTEMROOT"),
    *("DATABASE_URL", "REDIS_URL", "DASHLIB_HOME", "DASHLIB_PG_BIN", "DASHLIB_LANG", "DASHLIB_MAX_UPLOAD_MIB"),
    *("DASHLIB_PHI_KEY", "DASHLIB_PHI_KEY_FILE"),
    *("SCRIPT_NAME", "PATH_INFO", "QUERY_STRING", "SERVER_SOFTWARE", "SERVER_PROTOCOL", "SERVER_PORT", "SERVER_NAME"),
})  # fmt: skip
TOLD_BEGINNINGS = (
    "LC_",
    "LD_",
    "DYLD_",
    "XDG_",
    "PYTHON",
    "PG",
    "VOILA_",
    "JUPYTER_",
    "POLARS_",
    "MALLOC_",
    "COVERAGE_",
)


def told(environment: Mapping[str, str]) -> dict[str, str]:
    """Of these variables those that a page's kernel gets."""
    return {name: value for name, value in environment.items() if name in TOLD or name.startswith(TOLD_BEGINNINGS)}


class PageKernels(KernelSpecManager):  # type: ignore[misc]  # Jupyter is not typed here
    """Knows one kernel, whatever a notebook names: this environment's Python, as pages need it."""

    def get_kernel_spec(self, kernel_name: str) -> KernelSpec:
        # -P: the folder of the notebooks is not searched for modules.
        command = [sys.executable, "-P", "-m", "dashlib.page_kernel", "-f", "{connection_file}"]
        quiet = ["--HistoryManager.enabled=False", "--IPCompleter.use_jedi=False"]
        return KernelSpec(
            argv=[*command, *quiet],
            display_name="dashlib",
            language="python",
            metadata={"supported_encryption": ["curve"]},
            kernel_protocol_version="5.5",
        )


class Kernels(AsyncMappingKernelManager):  # type: ignore[misc]
    """Jupyter's kernels, as many as there may be visitors; those that nobody is connected to any more end soon."""

    most = Integer(config=True)
    """Visitors at a time, and kernels of theirs that there may be."""

    def __init__(self, **traits: Any) -> None:
        super().__init__(**traits)
        self._alone_since: dict[str, float | None] = {}
        self._left: set[str] = set()
        self.arriving: set[asyncio.Task[Any] | None] = set()

    @property
    def visitors(self) -> int:
        """Pages that are open or about to be; a kernel kept warm for the next visitor is nobody's."""
        warm = {ready.result()["kernel_id"] for pool in self._pools.values() for ready in pool if _is_made(ready)}
        taken = [kernel for kernel in self._alone_since if kernel in self and kernel not in warm | self._left]
        return len(taken) + len(self.arriving)

    def is_warm(self, notebook: str) -> bool:
        """Whether a kernel waits for the next visitor of this notebook."""
        return any(_is_made(ready) for ready in self._pools.get(notebook, [])[:1])

    async def make_room(self) -> None:
        """Ends kernels whose pages were left, the first left first, until one more visitor fits into the memory."""
        for kernel in sorted(self._left, key=lambda one: self._alone_since.get(one) or 0.0):
            if self.visitors + len(self._left) < self.most:
                return
            await self.shutdown_kernel(kernel)

    async def start_kernel(self, **how: Any) -> str:
        how["env"] = told(how["env"])
        kernel: str = await super().start_kernel(**how)
        self._alone_since[kernel] = None
        self.arriving.discard(asyncio.current_task())
        return kernel

    def notify_connect(self, kernel_id: str) -> None:
        super().notify_connect(kernel_id)
        self._left.discard(kernel_id)

    def notify_disconnect(self, kernel_id: str) -> None:
        super().notify_disconnect(kernel_id)
        if not self._kernel_connections.get(kernel_id):
            self._left.add(kernel_id)
            self._alone_since[kernel_id] = time.monotonic()

    async def cull_kernel_if_idle(self, kernel_id: str) -> None:
        """Ends a kernel whose page is closed, or never connected; one that somebody looks at never.

        Voila asks it of kernels that a visitor was given: how long one was kept warm before does not count.
        """
        now = time.monotonic()
        is_at_work = self.get_kernel(kernel_id).execution_state == "busy"
        since = self._alone_since[kernel_id] = now if is_at_work else self._alone_since.get(kernel_id) or now
        if not self._kernel_connections.get(kernel_id) and now - since > self.cull_idle_timeout:
            await self.shutdown_kernel(kernel_id)

    async def shutdown_kernel(self, kernel_id: str, *args: Any, **how: Any) -> None:
        self._alone_since.pop(kernel_id, None)
        self._left.discard(kernel_id)
        await super().shutdown_kernel(kernel_id, *args, **how)


def _is_made(ready: asyncio.Task[Any]) -> bool:
    return ready.done() and not ready.cancelled() and ready.exception() is None
