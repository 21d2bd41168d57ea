"""Places are counted over processes, and come back when their process is killed."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from kgbuilder.conf.environment import ROOT
from kgbuilder.web.places import Places

HOLDER = """
import sys, time
from pathlib import Path
from kgbuilder.web.places import Places
with Places(Path(sys.argv[1])).taken({"person 1": 2}) as full:
    print(repr(full), flush=True)
    time.sleep(600)
"""


def test_a_name_has_so_many_places_and_another_name_has_its_own(tmp_path: Path) -> None:
    places = Places(tmp_path / "places")
    with (
        places.taken({"person 1": 2, "network a": 3}) as first,
        places.taken({"person 1": 2, "network a": 3}) as second,
    ):
        assert (first, second) == ("", "")
        with places.taken({"person 1": 2, "network a": 3}) as third:
            assert third == "person 1"
        with places.taken({"person 2": 2, "network a": 3}) as other:
            assert other == ""
            with places.taken({"person 3": 2, "network a": 3}) as fourth:
                assert fourth == "network a"
            with places.taken({"person 3": 2}) as given_back:
                assert given_back == "", "a place that was taken before the refusal came back"
    with places.taken({"person 1": 1}) as again:
        assert again == ""


def test_processes_count_together_and_a_killed_one_leaves_no_place_taken(tmp_path: Path) -> None:
    path = tmp_path / "places"
    command = [sys.executable, "-c", HOLDER, str(path)]
    holders = [subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True) for _ in range(2)]
    try:
        for holder in holders:
            assert holder.stdout is not None
            assert holder.stdout.readline() == "''\n"
        with Places(path).taken({"person 1": 2}) as full:
            assert full == "person 1"
        holders[0].kill()
        holders[0].wait()
        with Places(path).taken({"person 1": 2}) as free:
            assert free == ""
    finally:
        for holder in holders:
            holder.kill()
            holder.communicate()
