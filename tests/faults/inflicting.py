"""The faults as context managers: each stands inside the block and is over after it."""

from __future__ import annotations

import contextlib
import os
import signal
import sqlite3
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from tests.faults.link import Link
from tests.kill.product import Product, Stuck

BACK_SECONDS = 3600
DISK_MB = 128


class NotHere(Exception):
    """This machine cannot inflict the fault; the message gives the reason."""


@dataclass(slots=True)
class Ground:
    """The product, and what stands between it and its services. `seconds`: how long a fault lasts."""

    product: Product
    folder: Path
    seconds: float
    database: Link | None = None
    broker: Link | None = None
    notes: list[str] = field(default_factory=list)


Fault = Callable[[Ground], AbstractContextManager[None]]


def mount(folder: Path, megabytes: int) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    command = ["mount", "-t", "tmpfs", "-o", f"size={megabytes}m,mode=700", "none", str(folder)]
    ended = subprocess.run(command, capture_output=True, text=True, check=False)
    if ended.returncode:
        raise NotHere(f"no file system can be mounted here: {ended.stderr.strip()}")


def shiftable_clock(folder: Path) -> dict[str, str]:
    """The environment of processes whose time of day is the machine's, shifted by the contents of CLOCK_SHIFT_FILE. The
    clock of the machine itself is everybody's."""
    library, file = folder / "clock.so", folder / "clock"
    file.write_text("0")
    command = ["cc", "-shared", "-fPIC", "-O1", "-o", str(library), str(Path(__file__).parent / "clock.c")]
    try:
        subprocess.run(command, capture_output=True, text=True, check=True)
    except FileNotFoundError:
        raise NotHere("no C compiler is installed, for a clock that can be set back for the product alone") from None
    except subprocess.CalledProcessError as error:
        raise NotHere(f"a clock for the product alone cannot be compiled: {error.stderr[-300:]}") from error
    return {"LD_PRELOAD": str(library), "CLOCK_SHIFT_FILE": str(file)}


def unmount(folder: Path) -> None:
    subprocess.run(["umount", "-l", str(folder)], capture_output=True, check=False)


@contextmanager
def full_disk(ground: Ground) -> Iterator[None]:
    """DATA_DIR lies on a small file system of its own, and something fills it to the last byte."""
    filler = ground.folder / "filler"
    size = 0
    with filler.open("wb", buffering=0) as file:
        for block in (1 << 20, 1 << 12, 1):
            with contextlib.suppress(OSError):
                while True:
                    file.write(b"x" * block)
                    size += block
    ground.notes.append(f"filled with {size >> 20} MB")
    yield
    filler.unlink()


@contextmanager
def read_only_store(ground: Ground) -> Iterator[None]:
    """The graph's folder is a file system that turns read-only, as one does after a fault of the disk."""
    graph = ground.folder / "graph"
    until = time.monotonic() + 60
    # A file system that is written to cannot be turned: its writer dies first, and is started again by `up`.
    while subprocess.run(["mount", "-o", "remount,ro", str(graph)], capture_output=True, check=False).returncode:
        if time.monotonic() > until:
            raise NotHere("the graph's file system cannot be made read-only")
        entry = ground.product.ready("sparql")
        if entry is not None:
            with contextlib.suppress(ProcessLookupError):
                os.kill(entry.pid, signal.SIGKILL)
        time.sleep(0.02)
    yield
    subprocess.run(["mount", "-o", "remount,rw", str(graph)], check=True)


@contextmanager
def database_away(ground: Ground) -> Iterator[None]:
    """PostgreSQL: every connection is cut and none accepted. SQLite: a process locks the file for longer than any other
    waits for it."""
    if ground.database is not None:
        ground.database.cut()
        yield
        ground.database.mend()
        return
    link = sqlite3.connect(ground.folder / "kgbuilder.sqlite3", timeout=60, isolation_level=None)
    link.execute("BEGIN EXCLUSIVE")
    time.sleep(21)  # the product waits 20
    yield
    link.execute("ROLLBACK")
    link.close()


@contextmanager
def broker_away(ground: Ground) -> Iterator[None]:
    """The connections are cut; or the folder of messages is a file."""
    if ground.broker is not None:
        ground.broker.cut()
        yield
        ground.broker.mend()
        return
    folder = ground.folder / "broker"
    folder.rename(ground.folder / "broker-away")
    with contextlib.suppress(OSError):
        folder.write_text("")
    yield
    if folder.is_file():
        folder.unlink()
    (ground.folder / "broker-away").rename(ground.folder / "broker-lost")


@contextmanager
def clock_set_back(ground: Ground) -> Iterator[None]:
    """The clock is set back by an hour, while the product runs, and stays there."""
    Path(ground.product.environ["CLOCK_SHIFT_FILE"]).write_text(str(-BACK_SECONDS))
    yield


@contextmanager
def store_hangs(ground: Ground) -> Iterator[None]:
    """The SPARQL server is stopped in the middle of its work, and continued later."""
    entry = ground.product.wait_until_ready("sparql")
    os.kill(entry.pid, signal.SIGSTOP)
    yield
    with contextlib.suppress(ProcessLookupError):
        os.kill(entry.pid, signal.SIGCONT)


@contextmanager
def two_supervisors(ground: Ground) -> Iterator[None]:
    """A second `up` in the same folder reports the first and ends."""
    ended = ground.product.command("up", "--no-samples")
    if not ended.returncode or "running already" not in ended.stderr:
        raise Stuck(f"A second `up` did not end as it should: {ended.stdout}{ended.stderr}")
    ground.notes.append(ended.stderr.strip().partition("\n")[0][:80])
    yield


@contextmanager
def broken_messages(ground: Ground) -> Iterator[None]:
    """In every queue: an empty message, half of one, one of another program, one of an unknown task."""
    from kgbuilder.celery import LANES

    whole = b'{"body": "W10=", "properties": {"delivery_info": {}}, "headers": {'
    broken = [b"", whole, b"\0\xff" * 50, b"[]", b'{"body": 1, "properties": {"delivery_info": {}}}']
    for lane in LANES:
        if ground.product.environ.get("BROKER_URL"):
            _publish(ground.product.environ["BROKER_URL"], lane, broken)
            continue
        folder = ground.folder / "broker" / "queues" / lane
        folder.mkdir(parents=True, exist_ok=True)
        for number, content in enumerate(broken):
            (folder / f"0000000000000000000{number}-x.msg").write_bytes(content)
    yield


def _publish(address: str, lane: str, bodies: list[bytes]) -> None:
    """To RabbitMQ as messages of no known kind; into Redis's list as they are, where kombu expects its own JSON."""
    if address.startswith("redis"):
        import redis

        with redis.Redis.from_url(address) as client:
            client.lpush(lane, *[body for body in bodies if body])
        return
    from kombu.connection import Connection

    with Connection(address) as link:
        for body in bodies:
            producer = link.Producer()
            producer.publish(body, routing_key=lane, content_type="application/json", content_encoding="utf-8")


@contextmanager
def cut_picture(ground: Ground) -> Iterator[None]:
    """A kept picture loses its second half; check_record detects it, and has it fetched again."""
    path = next((ground.folder / "media").rglob("*.jpg"))
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    seen = ground.product.command("check_record")
    if "cut short" not in seen.stdout:
        raise Stuck(f"check_record did not see that {path} was cut short: {seen.stdout}{seen.stderr}")
    repaired = ground.product.command("check_record", "--repair")
    ground.notes.append(repaired.stdout.partition("\n")[0])
    yield


FAULTS: dict[str, Fault] = {
    "full-disk": full_disk,
    "read-only-store": read_only_store,
    "database-away": database_away,
    "broker-away": broker_away,
    "clock-back": clock_set_back,
    "store-hangs": store_hangs,
    "two-supervisors": two_supervisors,
    "broken-messages": broken_messages,
    "cut-picture": cut_picture,
}
