"""docker-compose.yml as data, and its product services as processes of this machine, where no container engine runs."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any

import yaml

from kgbuilder.conf.environment import ROOT, SETTINGS

FILE = ROOT / "docker-compose.yml"
SECRETS = "/run/secrets/"


@cache
def compose() -> dict[str, Any]:
    content: dict[str, Any] = yaml.safe_load(FILE.read_text(encoding="utf-8"))
    return content


def services() -> dict[str, dict[str, Any]]:
    found: dict[str, dict[str, Any]] = compose()["services"]
    return found


def ours() -> dict[str, dict[str, Any]]:
    """The services that run the product's image."""
    return {name: service for name, service in services().items() if service["image"] == "kgbuilder"}


def environment(name: str) -> dict[str, str]:
    return {key: str(value) for key, value in services()[name].get("environment", {}).items()}


def part_of(service: Mapping[str, Any]) -> str:
    """The component that a service runs (`part reader`: reader); empty for what runs once."""
    command = service["command"]
    return str(command[1]) if command[0] == "part" else ""


class Container:
    """A product service as a process: its volumes are folders, its secrets files, other services' names addresses."""

    def __init__(self, name: str, folder: Path, environ: Mapping[str, str], addresses: Mapping[str, str]) -> None:
        self.name, self._folder = name, folder
        self._service = services()[name]
        self._environ = self._settings(environ, addresses)
        self.process: subprocess.Popen[bytes] | None = None
        self._terminated = False

    def _settings(self, environ: Mapping[str, str], addresses: Mapping[str, str]) -> dict[str, str]:
        data = next(volume.split(":")[0] for volume in self._service["volumes"] if volume.endswith(":/data"))
        chosen = {setting.name: "" for setting in SETTINGS} | dict(environ)
        for key, value in environment(self.name).items():
            value = re.sub(r"\$\{(\w+)[:?-].*\}", lambda found: environ[found[1]], value)
            value = re.sub(r"^/data", str(self._folder / "volumes" / data), value)
            value = value.replace(SECRETS, f"{self._folder}/secrets/")
            for host, address in addresses.items():
                value = value.replace(host, address)
            chosen[key] = value
        return {**os.environ, **chosen, "DJANGO_SETTINGS_MODULE": "kgbuilder.settings"}

    def _manage(self, *arguments: str) -> list[str]:
        return [sys.executable, str(ROOT / "manage.py"), *arguments]

    def start(self) -> None:
        Path(self._environ["DATA_DIR"]).mkdir(parents=True, exist_ok=True, mode=0o700)
        with (self._folder / f"{self.name}.txt").open("ab") as log:
            self.process = subprocess.Popen(
                self._manage(*self._service["command"]),
                cwd=ROOT,
                env=self._environ,
                stdout=log,
                stderr=subprocess.STDOUT,
                process_group=0,
            )

    def command(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        command = self._manage(*arguments)
        return subprocess.run(command, cwd=ROOT, env=self._environ, capture_output=True, text=True, check=False)

    def healthy(self) -> bool:
        """Whether its health check, the command in the file, succeeds."""
        test = self._service["healthcheck"]["test"]
        assert test[:3] == ["CMD", "python", "manage.py"]
        return self.command(*test[3:]).returncode == 0

    def output(self) -> str:
        return (self._folder / f"{self.name}.txt").read_text()

    def terminate(self) -> None:
        """Sends SIGTERM once: a second one, to an interpreter that is about to end, would change its exit code."""
        if self.process is not None and self.process.poll() is None and not self._terminated:
            self._terminated = True
            self.process.send_signal(signal.SIGTERM)

    def stop(self) -> None:
        """As `docker stop` does: SIGTERM, and SIGKILL after the time of grace."""
        if self.process is None or self.process.poll() is not None:
            return
        self.terminate()
        deadline = time.monotonic() + 30
        while self.process.poll() is None and time.monotonic() < deadline:
            time.sleep(0.05)
        self.process.kill()
        self.process.wait()
