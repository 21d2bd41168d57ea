"""The file broker under what a kill, a power cut or a stranger leaves behind."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import time
from pathlib import Path
from queue import Empty

import pytest
from kombu.connection import Connection
from kombu.entity import Queue
from kombu.simple import SimpleQueue

from kgbuilder import broker

broker.register()


def connection(folder: Path) -> Connection:
    return Connection("filesystem://", transport_options={"folder": str(folder), "polling_interval": 0.01})


def lane(link: Connection, name: str = "read") -> SimpleQueue:
    return link.SimpleQueue(Queue(name, routing_key=name), no_ack=True)


def received(queue: SimpleQueue) -> list[object]:
    bodies = []
    while True:
        try:
            bodies.append(queue.get(block=False).payload)
        except Empty:
            return bodies


def test_messages_arrive_once_and_in_order(tmp_path: Path) -> None:
    with connection(tmp_path) as link:
        for number in range(50):
            lane(link).put(number)
        assert lane(link).qsize() == 50
        assert received(lane(link)) == list(range(50))
        assert list(tmp_path.rglob("*.msg")) == []


def test_a_queue_name_with_a_dot_is_not_the_queue_before_the_dot(tmp_path: Path) -> None:
    with connection(tmp_path) as link:
        lane(link, "project.rdf").put("graph")
        assert received(lane(link, "project")) == []
        assert received(lane(link, "project.rdf")) == ["graph"]


@pytest.mark.parametrize("content", [b"", b'{"body": "half', b"[]", b"\xff\xfe", b'{"body": "", "properties": {}}'])
def test_an_unreadable_message_is_set_aside_and_the_next_one_read(tmp_path: Path, content: bytes) -> None:
    with connection(tmp_path) as link:
        queue = lane(link)
        queue.put("first")
        (tmp_path / "queues" / "read" / "00000000000000000000-foreign.msg").write_bytes(content)
        assert received(queue) == ["first"]
    assert [path.read_bytes() for path in (tmp_path / "unreadable").iterdir()] == [content]


def test_an_emptied_or_missing_folder_loses_its_messages_only(tmp_path: Path) -> None:
    with connection(tmp_path / "broker") as link:
        queue = lane(link)
        queue.put("lost")
        shutil.rmtree(tmp_path / "broker")
        assert received(queue) == []
        queue.put("kept")
        assert received(queue) == ["kept"]


def test_what_a_dead_process_left_is_swept(tmp_path: Path) -> None:
    old, young = tmp_path / "drafts" / "old.msg", tmp_path / "taken" / "young.msg"
    for path in (old, young):
        path.parent.mkdir()
        path.write_text("{")
    an_hour_ago = time.time() - 3600
    os.utime(old, (an_hour_ago, an_hour_ago))
    with connection(tmp_path) as link:
        lane(link)
    assert not old.exists()
    assert young.exists()


def test_a_queue_name_cannot_leave_the_folder(tmp_path: Path) -> None:
    with connection(tmp_path / "broker") as link, pytest.raises(Exception, match="cannot be the name of a queue"):
        link.default_channel._put("../outside", {})
    assert not (tmp_path / "outside").exists()


PRODUCER = """
import sys
from kombu.connection import Connection
from kombu.entity import Queue
from kgbuilder import broker
broker.register()
with Connection("filesystem://", transport_options={"folder": sys.argv[1]}) as link:
    queue = link.SimpleQueue(Queue("read", routing_key="read"), no_ack=True)
    for number in range(int(sys.argv[2])):
        queue.put({"number": number, "padding": "x" * 20000})
"""


def test_a_reader_that_polls_hard_never_sees_a_message_half_written(tmp_path: Path) -> None:
    with connection(tmp_path) as link:
        queue = lane(link)
        producer = subprocess.Popen([sys.executable, "-c", PRODUCER, str(tmp_path), "1500"])
        seen: list[object] = []
        while producer.poll() is None:
            seen += received(queue)
        seen += received(queue)
    assert producer.returncode == 0
    assert [body["number"] for body in seen] == list(range(1500))  # type: ignore[index]
    assert not (tmp_path / "unreadable").exists()
