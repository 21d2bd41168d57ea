"""docker-compose.yml compared with the code: no container engine runs the tests, so what can be checked without is."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from django.conf import settings
from django.core.management import get_commands

from kgbuilder.celery import LANES
from kgbuilder.conf.environment import ROOT, SETTINGS, read
from kgbuilder.supervision import parts
from tests.kgbuilder.compose import SECRETS, compose, environment, ours, part_of, services

BY_NAME = {setting.name: setting for setting in SETTINGS}


def test_every_part_of_up_is_a_service_and_no_other() -> None:
    run = {part_of(service) for service in ours().values()} - {""}
    assert run == set(parts.table())
    beside_web = {part.name for part in parts.of_component("web", 1, parts.run_folder())}
    assert {part.name for part in parts.all_parts() if not part.once} == run | beside_web
    assert beside_web == {"web", "web-2", "consoles"}


def test_commands_are_those_of_manage_py() -> None:
    commands = get_commands()
    dockerfile = (ROOT / "Dockerfile").read_text()
    assert 'ENTRYPOINT ["python", "manage.py"]' in dockerfile
    assert 'CMD ["up"]' in dockerfile
    for name, service in ours().items():
        assert service["command"][0] in commands, name
    arguments = [sys.executable, "manage.py", "prepare", "--help"]
    helped = subprocess.run(arguments, cwd=ROOT, capture_output=True, text=True, check=True)
    assert services()["migrate"]["command"][1] in helped.stdout


def test_every_queue_is_consumed_by_a_service_that_always_runs() -> None:
    heard = set()
    for service in ours().values():
        part = parts.table().get(part_of(service))
        if part is not None and "-Q" in part.command and "profiles" not in service:
            heard |= set(part.command[part.command.index("-Q") + 1].split(","))
    assert heard == set(LANES)


@pytest.mark.parametrize("name", ours())
def test_variables_are_settings_and_secrets_are_files(name: str) -> None:
    given = environment(name)
    for key, value in given.items():
        setting = BY_NAME.get(key) or BY_NAME[key.removesuffix("_FILE")]
        if key.endswith("_FILE"):
            assert setting.secret, key
            assert value.removeprefix(SECRETS) in services()[name]["secrets"]
        else:
            assert not setting.secret or "@" not in value or ":" not in urlsplit(value).netloc.split("@")[0], key
    # Only addresses without a password are left of what may be a secret.
    assert {key for key in given if key in BY_NAME and BY_NAME[key].secret} == {"DATABASE_URL", "BROKER_URL"}
    plain = {key: value for key, value in given.items() if not key.endswith("_FILE") and "$" not in value}
    read(plain)


USES = {  # which part uses what, beside the database, the broker and what opens sealed feed passwords
    "migrate": {"sparql_token", "neo4j_password", "admin_password"},
    "web": {"sparql_token", "neo4j_password", "metrics_token"},
    "io": {"sparql_token", "neo4j_password"},
    "sparql": {"sparql_token"},
}


@pytest.mark.parametrize("name", ours())
def test_a_container_is_given_the_secrets_that_it_uses_and_reads_them_all(name: str) -> None:
    mounted = set(services()[name]["secrets"])
    assert mounted == {"postgres_password", "rabbitmq_password", "secret_key"} | USES.get(name, set())
    named = {value.removeprefix(SECRETS) for key, value in environment(name).items() if key.endswith("_FILE")}
    assert named == mounted


def test_no_password_is_written_down_and_every_secret_is_a_file_that_make_makes(tmp_path: Path) -> None:
    text = (ROOT / "docker-compose.yml").read_text()
    assert not re.search(r"(?i)(password|pass|token|secret_key)[ \t]*[:=][ \t]*[\"']?[a-z0-9]{4,}", text)
    for name, service in services().items():
        for secret in service.get("secrets", []):
            assert compose()["secrets"][secret] == {"file": f"./secrets/{secret}"}, name
    made = subprocess.run(
        [sys.executable, "kgbuilder/install/make_secrets.py", str(tmp_path / "secrets")],
        cwd=ROOT, capture_output=True, text=True, check=True,
    )  # fmt: skip
    assert "Made in" in made.stdout
    files = {path.name: path.read_text() for path in (tmp_path / "secrets").iterdir()}
    assert set(files) == set(compose()["secrets"])
    assert len(set(files.values())) == len(files) and all(len(value) > 40 for value in files.values())
    assert (tmp_path / "secrets").stat().st_mode & 0o077 == 0
    subprocess.run(
        [sys.executable, "kgbuilder/install/make_secrets.py", str(tmp_path / "secrets")], cwd=ROOT, check=True
    )
    assert {path.name: path.read_text() for path in (tmp_path / "secrets").iterdir()} == files
    assert "secrets/" in (ROOT / ".gitignore").read_text().split()
    assert {"secrets", ".env", "var"} <= set((ROOT / ".dockerignore").read_text().split())


def test_addresses_name_services_their_ports_and_a_network_in_common() -> None:
    listens = {"postgres": 5432, "rabbitmq": 5672, "neo4j": 7687, "sparql": 7879}
    for name in ours():
        for value in environment(name).values():
            address = urlsplit(value)
            if not address.hostname or "$" in value:
                continue
            assert address.port == listens[address.hostname], value
            assert set(services()[name]["networks"]) & set(services()[address.hostname]["networks"]), value
    bundled = urlsplit(environment("sparql")["SPARQL_BUNDLED_URL"])
    settings_then = settings.SPARQL_BUNDLED_URL
    try:
        settings.SPARQL_BUNDLED_URL = bundled.geturl()
        command = parts.table()["sparql"].command
        assert command[command.index("--listen") + 1] == f"0.0.0.0:{bundled.port}"
        assert "sparql" not in {part.name for part in parts.all_parts()}
    finally:
        settings.SPARQL_BUNDLED_URL = settings_then


def test_only_the_web_port_is_published_to_this_machine_alone_and_only_web_and_io_reach_out() -> None:
    published = {name: service["ports"] for name, service in services().items() if "ports" in service}
    assert published == {"web": ["${PUBLISH:-127.0.0.1:8000}:8000"]}
    assert environment("web")["PORT"] == "8000"
    assert "EXPOSE 8000" in (ROOT / "Dockerfile").read_text()
    assert {name for name, service in services().items() if "outside" in service["networks"]} == {"web", "io"}
    assert compose()["networks"]["inside"] == {"internal": True}


def test_what_must_last_lies_on_named_volumes() -> None:
    used = {name: volume.split(":") for name, service in services().items() for volume in service.get("volumes", [])}
    assert {volume for volume, *_ in used.values()} == set(compose()["volumes"])
    for name in ours():
        volume, place = used[name]
        assert place == environment(name)["DATA_DIR"] == "/data"
        assert volume == ("graph" if name == "sparql" else "data")
    assert used["postgres"][1] == "/var/lib/postgresql/data"


def test_tables_are_made_once_before_anything_that_needs_them() -> None:
    for name, service in ours().items():
        if name == "migrate":
            assert service["restart"] == "no"
            assert set(service["depends_on"]) == {"postgres", "rabbitmq", "sparql"}
        elif name == "sparql":
            assert service["depends_on"] == {}
        else:
            assert service["depends_on"] == {"migrate": {"condition": "service_completed_successfully"}}, name


def test_every_lasting_service_has_its_own_health_check() -> None:
    for name, service in services().items():
        if name == "migrate":
            continue
        test = service["healthcheck"]["test"]
        if name in ours():
            assert test == ["CMD", "python", "manage.py", "health", part_of(service)]
        assert service["healthcheck"]["timeout"] and service["restart"] == "unless-stopped"


def test_the_gpu_is_a_profile_and_its_reader_is_configured_for_it() -> None:
    gpu = [name for name, service in services().items() if "profiles" in service]
    assert gpu == ["reader-gpu"]
    assert environment("reader-gpu")["DEVICE"] == "cuda"
    devices = services()["reader-gpu"]["deploy"]["resources"]["reservations"]["devices"]
    assert devices[0]["capabilities"] == ["gpu"]


def test_neo4j_reads_no_files_and_reaches_no_address() -> None:
    assert services()["neo4j"]["image"].startswith("neo4j:5.26")
    given = environment("neo4j")
    settings_of_neo4j = {
        key.removeprefix("NEO4J_").replace("__", "\0").replace("_", ".").replace("\0", "_"): value
        for key, value in given.items()
    }
    assert settings_of_neo4j["dbms.security.allow_csv_import_from_file_urls"] == "false"
    assert settings_of_neo4j["internal.dbms.cypher_ip_blocklist"] == "0.0.0.0/0,::/0"
    for limit in ("db.transaction.timeout", "db.memory.transaction.max", "dbms.memory.transaction.total.max"):
        assert settings_of_neo4j[limit]
    assert "NEO4J_AUTH" not in given


def test_the_image_holds_no_secret_and_runs_as_a_user() -> None:
    dockerfile = (ROOT / "Dockerfile").read_text()
    assert re.search(r"^USER kgbuilder$", dockerfile, re.M)
    assert "constraints.txt" in dockerfile
    for service in ours().values():
        assert service["cap_drop"] == ["ALL"]
        assert service["security_opt"] == ["no-new-privileges:true"]
