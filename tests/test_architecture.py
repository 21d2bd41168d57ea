"""Dependencies point one way, and the processes that serve pages load no networks."""

from __future__ import annotations

import ast
import json
import os
import subprocess
import sys
from collections.abc import Iterator
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

import pytest

from kgbuilder.conf.environment import ROOT

ROOMS = ("kgbuilder", "extraction", "knowledge", "training")
HEAVY = ("torch", "spacy", "thinc", "ot", "transformers", "sentence_transformers", "numpy", "safetensors")
WITHOUT_DJANGO = ("crawler.parsers", "datasets", "features", "labels", "networks", "reader", "schema", "text", "vision")
EDGES = ("tasks", "views", "admin", "api", "management")
# What compares names and contexts: arrays, and no network. Only the link queue and commands load it.
LINKING = (
    "knowledge.linking.text_similarity",
    "knowledge.linking.candidate_ranking",
    "knowledge.linking.linker",
    "knowledge.linking.fit",
)
ARRAYS = ("numpy", "safetensors")
KNOWLEDGE_MAY = (
    *("extraction.schema", "extraction.labels", "extraction.models", "extraction.leases"),
    "extraction.text.cleaning",  # names and texts are cleaned alike; it imports nothing
)
FORBIDDEN_NAMES = {"utils", "helpers", "services", "base", "common"}
LONGEST_MODULE = 400
# Django's idiom, and tables that keep what a schema calls by the same word.
SHARED_NAMES = {"Command", "Entity", "Mention"}
LARGEST_FOLDER = 18  # entries of a folder, without those whose names Django fixes
NAMED_BY_DJANGO = {"__init__.py", "admin.py", "__pycache__", "management", "migrations", "templatetags"}
# The rooms of each application from the ground up: a room imports only rooms before it. Edges stand above all of them.
LAYERS = {
    "extraction": (
        *("schema", "labels", "models", "leases"),
        *("text", "crawler", "vision", "features", "networks", "reader", "datasets"),
        *("images", "readings", "posts", "feeds", "samples"),
    ),
    "knowledge": (
        *("models", "ontology", "record", "entities", "sources", "linking", "recording", "graphs", "middleware"),
    ),
    "training": (
        *("config", "scores", "models", "forms", "recipes", "corpora"),
        *("data", "dependency_parser", "engine", "evaluation", "publishing"),
        *("heads", "run", "jobs"),
    ),
    "kgbuilder": (
        *("models", "conf", "installation", "accounts", "broker", "supervision", "celery", "deployment", "install"),
        *("backup", "monitoring", "benchmarks", "fuzzing", "web"),
    ),
}
ABOVE = {"settings", "urls", "__main__", "templatetags"}  # with the edges: what only Django or a person starts


def modules() -> dict[str, Path]:
    found = {}
    for room in ROOMS:
        for path in sorted((ROOT / room).rglob("*.py")):
            parts = path.relative_to(ROOT).with_suffix("").parts
            if "migrations" not in parts:
                found[".".join(parts[:-1] if parts[-1] == "__init__" else parts)] = path
    return found


MODULES = modules()


def imported(path: Path) -> Iterator[str]:
    """Every name that the module imports anywhere, `from a import b` as a.b; not what is for type checkers only."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    skipped = {
        id(inner)
        for node in ast.walk(tree)
        if isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING"
        for inner in ast.walk(node)
    }
    for node in ast.walk(tree):
        if id(node) in skipped:
            continue
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path} imports relatively; name the module in full"
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def under(module: str, rooms: tuple[str, ...]) -> bool:
    """Whether an extraction module lies in one of these rooms."""
    return any(f"{module}.".startswith(f"extraction.{room}.") for room in rooms)


def edge(module: str) -> bool:
    return any(part in EDGES for part in module.split(".")[1:])


def reaches(module: str, targets: tuple[str, ...]) -> list[str]:
    """What `module` imports of `targets`, in full."""
    return [n for n in imported(MODULES[module]) if n in targets or n.startswith(tuple(f"{t}." for t in targets))]


@pytest.mark.parametrize("module", [m for m in MODULES if not edge(m) and not m.endswith(".urls")])
def test_nothing_imports_an_edge(module: str) -> None:
    assert [name for name in reaches(module, ROOMS) if edge(name)] == []


@pytest.mark.parametrize("module", [m for m in MODULES if m.startswith("extraction") and not edge(m)])
def test_extraction_knows_neither_knowledge_nor_training(module: str) -> None:
    assert reaches(module, ("knowledge", "training")) == []


@pytest.mark.parametrize("module", [m for m in MODULES if m.startswith("knowledge") and not edge(m)])
def test_knowledge_knows_of_extraction_only_its_words_and_tables(module: str) -> None:
    reached = [name for name in reaches(module, ("extraction",)) if not name.startswith(KNOWLEDGE_MAY)]
    assert reached == [] or module.endswith(".urls")
    heavy = [name for name in HEAVY if not (module in LINKING and name in ARRAYS)]
    assert reaches(module, ("training", *heavy)) == []


@pytest.mark.parametrize("module", [m for m in MODULES if m.startswith("training") and not edge(m)])
def test_training_knows_of_knowledge_only_its_tables(module: str) -> None:
    assert [name for name in reaches(module, ("knowledge",)) if not name.startswith("knowledge.models")] == []


@pytest.mark.parametrize("module", [m for m in MODULES if under(m, WITHOUT_DJANGO)])
def test_what_runs_in_a_notebook_imports_no_django(module: str) -> None:
    assert reaches(module, ("django", "celery", "kgbuilder")) == []


@pytest.mark.parametrize("module", MODULES)
def test_modules_have_names_that_say_something_and_can_be_read_at_once(module: str) -> None:
    assert not FORBIDDEN_NAMES & set(module.split("."))
    assert len(MODULES[module].read_text(encoding="utf-8").splitlines()) <= LONGEST_MODULE


def test_a_class_of_knowledge_shares_its_name_with_none_of_another_module() -> None:
    places: dict[str, list[str]] = {}
    for module, path in MODULES.items():
        for node in ast.parse(path.read_text(encoding="utf-8")).body:
            if isinstance(node, ast.ClassDef) and node.name not in SHARED_NAMES:
                places.setdefault(node.name, []).append(module)
    twice = {name: found for name, found in places.items() if len(found) > 1}
    assert {name: found for name, found in twice.items() if any(one.startswith("knowledge.") for one in found)} == {}


def room(module: str) -> str:
    """The folder or loose module of its application in which a module lies: "reader" of extraction.reader.decoding."""
    return module.split(".")[1]


def above(module: str) -> bool:
    return edge(module) or module.split(".")[1] in ABOVE or module.endswith(".urls")


LAYERED = [module for module in MODULES if module.count(".") and not above(module)]


@pytest.mark.parametrize("module", LAYERED)
def test_a_room_imports_only_rooms_below_it(module: str) -> None:
    app = module.split(".")[0]
    order = LAYERS[app]
    reached = {room(name) for name in imported_modules(module) if name.startswith(f"{app}.")}
    allowed = set(order[: order.index(room(module)) + 1])
    assert reached <= allowed, f"{module} imports {sorted(reached - allowed)}, which stand above {room(module)}"


def imported_modules(module: str) -> set[str]:
    """Our modules that `module` imports, also inside functions; a name out of a module counts as the module."""
    found = set()
    for name in imported(MODULES[module]):
        while name and name not in MODULES:
            name = name.rpartition(".")[0]
        found |= {name} - {"", module}
    return found


def test_no_modules_import_one_another_in_a_circle() -> None:
    graph = {module: imported_modules(module) for module in MODULES}
    try:
        tuple(TopologicalSorter(graph).static_order())
    except CycleError as error:
        pytest.fail(f"These modules import one another: {' -> '.join(error.args[1])}")


def test_no_folder_holds_more_than_one_can_take_in() -> None:
    folders = {path.parent for path in MODULES.values()}
    sizes = {folder: len({entry.name for entry in folder.iterdir()} - NAMED_BY_DJANGO) for folder in folders}
    assert {str(folder.relative_to(ROOT)): size for folder, size in sizes.items() if size > LARGEST_FOLDER} == {}


def loaded_by(code: str) -> set[str]:
    """The top-level packages in memory after `code` has run in a fresh process."""
    program = f"{code}\nimport json, sys\nprint(json.dumps(sorted({{name.split('.')[0] for name in sys.modules}})))"
    command = [sys.executable, "-c", program]
    ended = subprocess.run(command, cwd=ROOT, env=os.environ, capture_output=True, text=True, check=False)
    assert ended.returncode == 0, ended.stderr
    return set(json.loads(ended.stdout.splitlines()[-1]))


START = "import django; django.setup()\n"


@pytest.mark.parametrize(
    "code",
    [
        START
        + "from django.urls import get_resolver; get_resolver().url_patterns\n"
        + "import kgbuilder.web.server, kgbuilder.web.wsgi",
        START + "import kgbuilder.celery, extraction.tasks, knowledge.tasks",
        START + "import kgbuilder.management.commands.up, kgbuilder.install.first_start, kgbuilder.monitoring.doctor",
        START + "import knowledge.graphs.sparql_server.server",
    ],
    ids=["web", "workers and beat", "up and doctor", "SPARQL server"],
)
def test_no_process_but_the_reader_loads_networks(code: str) -> None:
    assert loaded_by(code) & set(HEAVY) == set()


def test_text_and_networks_load_no_django() -> None:
    loaded = loaded_by(
        "import extraction.schema, extraction.labels, extraction.features.batch, extraction.reader.load\n"
        "import extraction.text.parser"
    )
    assert "django" not in loaded
