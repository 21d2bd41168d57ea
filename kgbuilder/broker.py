"""The default message broker: files in DATA_DIR. A transport for kombu that survives kills.

kombu's own filesystem transport writes messages in place and keeps its routes in files; a reader that meets a
half-written message, or a route file emptied by a death, fails forever. Here a message is written beside its queue
and renamed into it, one that cannot be read is set aside, and routes are kept in memory (direct queues only).

A message may be lost by a kill between its taking and its reading. That is allowed: these are wake-up messages.
"""

from __future__ import annotations

import logging
import os
import re
import time
import uuid
from collections.abc import Iterator
from pathlib import Path
from queue import Empty
from typing import Any

from kombu.exceptions import ChannelError
from kombu.transport import TRANSPORT_ALIASES, virtual
from kombu.utils.json import dumps, loads

logger = logging.getLogger(__name__)

QUEUE_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*")
# A message that was being written or read this long ago belongs to a process that died.
LEFT_BEHIND_SECONDS = 60.0


class Channel(virtual.Channel):
    """Queues are folders: `<folder>/queues/<queue>/<time>-<uuid>.msg`."""

    supports_fanout = False

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)  # type: ignore[no-untyped-call]  # kombu has no types
        self.folder = Path(self.connection.client.transport_options["folder"])
        self._sweep()

    def _made(self, *parts: str) -> Path:
        path = self.folder.joinpath(*parts)
        path.mkdir(parents=True, exist_ok=True)
        return path

    def _checked(self, queue: str) -> str:
        if not QUEUE_NAME.fullmatch(queue):
            raise ChannelError(f"{queue!r} cannot be the name of a queue.")
        return queue

    def _messages(self, queue: str) -> list[Path]:
        """The waiting messages, oldest first; none where the folder is gone."""
        # Every worker lists every one of its queues ten times a second, so this is all that an idle product does.
        folder = f"{self.folder}/queues/{self._checked(queue)}"
        try:
            names = os.listdir(folder)  # noqa: PTH208  (a Path for each would be slow)
        except OSError:
            return []
        return [Path(folder, name) for name in sorted(names) if name.endswith(".msg")]

    def _put(self, queue: str, message: dict[str, Any], **kwargs: Any) -> None:
        target = self.folder / "queues" / self._checked(queue)
        name = f"{time.time_ns():020d}-{uuid.uuid4().hex}.msg"
        draft = self._made("drafts") / name
        draft.write_text(dumps(message), encoding="utf-8")
        target.mkdir(parents=True, exist_ok=True)
        draft.rename(target / name)

    def _get(self, queue: str, timeout: float | None = None) -> dict[str, Any]:
        for path in self._messages(queue):
            message = self._take(path)
            if message is not None:
                return message
        raise Empty()

    def _take(self, path: Path) -> dict[str, Any] | None:
        """Takes the message; None where another process was quicker or it cannot be read."""
        taken = self._made("taken") / path.name
        try:
            path.rename(taken)
        except FileNotFoundError:
            return None
        message = _decoded(taken.read_bytes())
        if message is None:
            logger.warning("A message in %s cannot be read; it was set aside in 'unreadable'.", path.parent)
            taken.rename(self._made("unreadable") / path.name)
        else:
            taken.unlink(missing_ok=True)
        return message

    def _size(self, queue: str) -> int:
        return len(self._messages(queue))

    def _purge(self, queue: str) -> int:
        waiting = self._messages(queue)
        for path in waiting:
            path.unlink(missing_ok=True)
        return len(waiting)

    def _sweep(self) -> None:
        for path in self._left_behind():
            path.unlink(missing_ok=True)

    def _left_behind(self) -> Iterator[Path]:
        for name in ("drafts", "taken"):
            for path in self._made(name).iterdir():
                try:
                    age = time.time() - path.stat().st_mtime
                except FileNotFoundError:
                    continue
                if age > LEFT_BEHIND_SECONDS:
                    yield path


def _decoded(raw: bytes) -> dict[str, Any] | None:
    try:
        message = loads(raw.decode("utf-8"))
    except ValueError:
        return None
    whole = isinstance(message, dict) and "body" in message and isinstance(message.get("properties"), dict)
    return message if whole and "delivery_info" in message["properties"] else None


class Transport(virtual.Transport):
    """Chosen by the address `filesystem://`; its one option is `folder`."""

    Channel = Channel
    implements = virtual.Transport.implements.extend(asynchronous=False, exchange_type=frozenset(["direct"]))
    # Routes belong to the process, not to a connection: a producer may use another connection than the consumer.
    routes = virtual.BrokerState()
    driver_type = "filesystem"
    driver_name = "filesystem"

    def __init__(self, client: Any, **kwargs: Any) -> None:
        super().__init__(client, **kwargs)  # type: ignore[no-untyped-call]  # kombu has no types
        self.state = self.routes

    def driver_version(self) -> str:
        return "kgbuilder"


def register() -> None:
    """Registers this transport for `filesystem://` in this process."""
    TRANSPORT_ALIASES["filesystem"] = f"{__name__}:Transport"
