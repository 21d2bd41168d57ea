"""DATA_DIR's marks, and tables with rows of the first state brought up to the present one."""

from __future__ import annotations

import json
import os
import sqlite3
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from kgbuilder import VERSION
from kgbuilder.conf import connections
from kgbuilder.conf.environment import ROOT
from kgbuilder.install import data_folder

# The state that the first installations have. A release adds a line: what its tables were.
OLD_STATES = {
    "0.1.0": {
        "kgbuilder": "0002_base_iri",
        "extraction": "0002_search",
        "knowledge": "0002_groups",
        "training": "0001_initial",
    },
}


def test_a_folder_of_a_newer_program_is_left_alone(tmp_path: Path) -> None:
    data_folder.check_and_mark(tmp_path)
    mark = tmp_path / data_folder.MARK
    assert json.loads(mark.read_text()) == {"format": data_folder.FORMAT, "program": VERSION}
    newer = json.dumps({"format": data_folder.FORMAT + 1, "program": "9.9"})
    mark.write_text(newer)
    with pytest.raises(data_folder.NewerData, match="written by kgbuilder 9"):
        data_folder.check_and_mark(tmp_path)
    assert mark.read_text() == newer
    mark.write_text("{")
    with pytest.raises(data_folder.NewerData, match="cannot be read"):
        data_folder.check_and_mark(tmp_path)
    data_folder.check(mark)  # no folder at all
    data_folder.check(tmp_path / "not there")


def manage(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    environ = os.environ | {"DATA_DIR": str(folder), "DJANGO_SETTINGS_MODULE": "kgbuilder.settings"}
    environ |= {"DATABASE_URL": "", "BROKER_URL": "", "SECRET_KEY": ""}
    command = [sys.executable, str(ROOT / "manage.py"), *arguments]
    return subprocess.run(command, env=environ, capture_output=True, text=True, check=False)


@pytest.mark.parametrize("command", ["prune", "migrate", "add_feed"])
def test_every_command_refuses_a_newer_programs_folder(tmp_path: Path, command: str) -> None:
    newer = json.dumps({"format": data_folder.FORMAT + 1, "program": "9.9"})
    (tmp_path / data_folder.MARK).write_text(newer)
    ended = manage(tmp_path, command)
    assert ended.returncode == 1 and "was written by kgbuilder 9.9" in ended.stderr
    assert [path.name for path in tmp_path.iterdir()] == [data_folder.MARK]


def run(folder: Path, code: str) -> str:
    ended = manage(folder, "shell", "--no-imports", "-c", code)
    assert ended.returncode == 0, ended.stderr
    return ended.stdout


# By the tables' own words: the models of today know columns that these do not have.
ROWS = """
INSERT INTO auth_user (id, username, password, is_superuser, is_staff, is_active, first_name, last_name, email,
    date_joined)
    VALUES (1, 'editor', '!', 0, 0, 1, '', '', '', '2026-01-01');
INSERT INTO extraction_feed (id, url, credentials, title, site, state, sample, interval_s, etag, last_modified,
    failures, notice, created_at, lease_token, attempts, error) VALUES
    (1, 'https://news.example/feed', 'user:word', 'News', '', 'active', 0, 1800, '', '', 0, '', '2026-01-01', '', 0,
    '');
INSERT INTO extraction_post (id, public_id, link, link_key, publisher, state, state_reason, published_at,
    published_text, published_notice, seen_at, visits, etag, last_modified, sample, lease_token, attempts, error) VALUES
    (1, '00000000000000000000000000000001', 'https://news.example/1', 'k', 'news.example', 'live', '', '2026-01-01', '',
    '', '2026-01-01', 1, '', '', 0, '', 0, '');
INSERT INTO extraction_postversion (id, post_id, ordinal, text, title_end, language, text_hash, source, fetched_at)
    VALUES (1, 1, 1, 'Storm' || char(10, 10) || 'Ada met Zoë.', 5, 'en', 'h', 'page', '2026-01-01');
INSERT INTO extraction_postimage (id, post_id, url, position, caption, file, media_type, width, height, sha256, error)
    VALUES (1, 1, 'https://news.example/1.jpg', 0, 'Waves', 'pictures/a.jpg', 'image/jpeg', 80, 80, 's', '');
INSERT INTO extraction_checkpoint (id, name, digest, system, path, floor, thresholds, metrics, created_at)
    VALUES (1, 'first', 'd', 'eega', '/nowhere', 0.1, '{"default": 0.5}', '{}', '2026-01-01');
INSERT INTO extraction_deployment (id, checkpoint_id, thresholds, since, active) VALUES (1, 1, '{}', '2026-01-01', 1);
INSERT INTO extraction_reading (id, version_id, checkpoint_id, inputs, stage, results, missing, declined_code,
    declined_message, created_at, lease_token, attempts, error)
    VALUES (1, 1, 1, 'text', 'done', '{}', '[]', '', '', '2026-01-01', '', 0, '');
UPDATE extraction_post SET current_version_id = 1, current_reading_id = 1;
INSERT INTO knowledge_entity (id, public_id, type, label, key, created_at)
    VALUES (1, '00000000000000000000000000000002', 'person', 'Ada', 'ada|person', '2026-01-01'),
           (2, '00000000000000000000000000000003', 'person', 'Zoë', 'zoe|person', '2026-01-01');
INSERT INTO knowledge_entityname (id, entity_id, name, key, language, source) VALUES (1, 1, 'Ada', 'ada', 'en', 'text');
INSERT INTO knowledge_mention (id, reading_id, entity_id, start, "end", type, score)
    VALUES (1, 1, 1, 7, 10, 'person', 0.9), (2, 1, 2, 15, 18, 'person', 0.9);
INSERT INTO knowledge_statement (id, public_id, head_id, relation, tail_id)
    VALUES (1, '00000000000000000000000000000004', 1, 'spouse', 2);
INSERT INTO knowledge_assertion (id, public_id, reading_id, statement_id, head_mention_id, tail_mention_id, relation,
    score, qualifiers, asserted_at, valid_from, valid_to)
    VALUES (1, '00000000000000000000000000000005', 1, 1, 1, 2, 'spouse', 0.9, '[]', '2026-01-01', '', '');
INSERT INTO knowledge_review (id, post_id, statement_id, verdict, quintuple, quotes, lost, by_id, at)
    VALUES (1, 1, 1, 'accept', '{}', '{}', 0, 1, '2026-01-01');
INSERT INTO knowledge_projection (id, store, kind, key, wanted, done, attempts, error)
    VALUES (1, 'rdf', 'post', '00000000000000000000000000000001', 3, 3, 0, '');
"""
LOOK = """
from kgbuilder.conf.encrypted_field import open_sealed
from django.contrib.auth.models import Group
from extraction.models import *
from extraction.search import search
from knowledge import current
from knowledge.models import *
post = search("Zoe").get()
words = post.current_version.text
print([words[m.start:m.end] for m in post.current_reading.mentions.order_by("start")])
print([str(row.statement) for row in current.assertions()], Review.objects.get().verdict, post.images.get().caption)
print(open_sealed(Feed.objects.get().credentials), EntityName.objects.get().name, Projection.objects.get().done)
print(sorted(Group.objects.values_list("name", flat=True)))
PostVersion.objects.update(text="Calm")
print(search("Zoe").count(), search("calm").count())
"""


@pytest.mark.parametrize("release", OLD_STATES)
def test_tables_of_a_former_release_are_brought_up_to_date_with_their_rows(tmp_path: Path, release: str) -> None:
    for app, name in OLD_STATES[release].items():
        assert manage(tmp_path, "migrate", app, name).returncode == 0
    (tmp_path / "secret_key").write_text("x")
    (tmp_path / "secret_key").chmod(0o644)
    database = tmp_path / "kgbuilder.sqlite3"
    with sqlite3.connect(database) as link:
        link.executescript(ROWS)
    ended = manage(tmp_path, "prepare", "--no-samples")
    assert ended.returncode == 0, ended.stderr
    assert run(tmp_path, LOOK).splitlines() == [
        "['Ada', 'Zoë']",
        "['Ada spouse Zoë'] accept Waves",
        "user:word Ada 3",
        "['admin', 'editor', 'viewer']",
        "0 1",
    ]
    [copy] = (tmp_path / "backups").iterdir()
    assert str(copy) in ended.stdout and stat.S_IMODE(copy.stat().st_mode) == 0o600
    with sqlite3.connect(copy) as link:
        assert link.execute("SELECT COUNT(*) FROM extraction_post").fetchone() == (1,)
        assert link.execute("SELECT name FROM pragma_table_info('extraction_postversion')").fetchall()[-1] != (
            "pruned_at",
        )
    assert stat.S_IMODE((tmp_path / "secret_key").stat().st_mode) == 0o600
    again = manage(tmp_path, "prepare", "--no-samples")
    assert again.returncode == 0 and "backups" not in again.stdout, "nothing waits, nothing is copied"
    refuses_what_a_newer_program_wrote(tmp_path, database)


def refuses_what_a_newer_program_wrote(folder: Path, database: Path) -> None:
    with sqlite3.connect(database) as link:
        link.execute(
            "INSERT INTO django_migrations (app, name, applied) VALUES ('extraction', '9999_new', '2027-01-01')"
        )
    ended = manage(folder, "prepare")
    assert ended.returncode == 1 and "written by a newer kgbuilder: extraction.9999_new is unknown" in ended.stderr


def test_a_command_without_a_folder_reports_it(tmp_path: Path) -> None:
    environ = os.environ | {"DATA_DIR": str(tmp_path / "none"), "DATABASE_URL": "", "BROKER_URL": ""}
    environ["DJANGO_SETTINGS_MODULE"] = "kgbuilder.settings"
    command = [sys.executable, str(ROOT / "manage.py"), "migrate"]
    ended = subprocess.run(command, env=environ, capture_output=True, text=True, check=False)
    assert ended.returncode == 1 and "Traceback" not in ended.stderr
    assert f"the folder {tmp_path / 'none'} does not exist. `manage.py prepare` makes it" in ended.stderr


def test_an_unreachable_database_is_reported_in_a_sentence() -> None:
    server = connections.database("postgresql://me@127.0.0.1:1/x", Path())
    message = connections.why_not(Exception("connection failed: Connection refused\n more"), server)
    assert message == "The database at 127.0.0.1:1 cannot be reached: connection failed: Connection refused"
    assert connections.why_not(Exception("deadlock detected"), server) == ""
