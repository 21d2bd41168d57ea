"""The full-text index of `search` and the triggers that update it, as SQL for both databases.

A migration that makes SQLite rebuild the tables of posts or versions loses their triggers: it must call `install` again
(the search tests fail where one does not).
"""

# The SQL is made of this file's own constants.
# ruff: noqa: S608

from __future__ import annotations

import string

from django.db.backends.base.base import BaseDatabaseWrapper

# PostgreSQL holds a tsvector to 1 MB; this much text stays below it in any script.
LONGEST_TEXT = 200_000

_SQLITE_TRIGGERS = {
    "insert": "AFTER INSERT ON extraction_post",
    "update": "AFTER UPDATE OF current_version_id ON extraction_post "
    "WHEN OLD.current_version_id IS NOT NEW.current_version_id",
    "delete": "AFTER DELETE ON extraction_post",
    "text": "AFTER UPDATE OF text ON extraction_postversion",
}
_SQLITE_DROP = "DELETE FROM extraction_search WHERE rowid = OLD.id;"
_SQLITE_ADD = f"""INSERT INTO extraction_search (rowid, words)
    SELECT p.id, substr(v.text, 1, {LONGEST_TEXT})
    FROM extraction_post p JOIN extraction_postversion v ON v.id = p.current_version_id WHERE """
_SQLITE_BODIES = {
    "insert": f"{_SQLITE_ADD} p.id = NEW.id;",
    "update": f"{_SQLITE_DROP} {_SQLITE_ADD} p.id = NEW.id;",
    "delete": _SQLITE_DROP,
    "text": "DELETE FROM extraction_search WHERE rowid IN "
    f"(SELECT id FROM extraction_post WHERE current_version_id = NEW.id); {_SQLITE_ADD} v.id = NEW.id;",
}

# Replaced by spaces, so that "COVID-19", hosts, decimals and tags fall into the same words as on SQLite.
_SEPARATORS = string.punctuation + "’‘“”…–—«»"
_QUOTED_SEPARATORS = _SEPARATORS.replace("'", "''")
_POSTGRES = f"""
CREATE TABLE IF NOT EXISTS extraction_search (post_id bigint PRIMARY KEY, words tsvector NOT NULL);
CREATE INDEX IF NOT EXISTS extraction_search_words ON extraction_search USING gin (words);

CREATE OR REPLACE FUNCTION extraction_search_fold(said text) RETURNS text LANGUAGE sql IMMUTABLE AS $$
    SELECT translate(regexp_replace(normalize(lower(left(said, {LONGEST_TEXT})), NFKD), '[\u0300-\u036f]+', '', 'g'),
                     '{_QUOTED_SEPARATORS}', '{" " * len(_SEPARATORS)}')
$$;

CREATE OR REPLACE FUNCTION extraction_search_add(post bigint, version bigint) RETURNS void LANGUAGE sql AS $$
    DELETE FROM extraction_search WHERE post_id = post;
    INSERT INTO extraction_search (post_id, words)
        SELECT post, to_tsvector('simple', extraction_search_fold(text)) FROM extraction_postversion WHERE id = version;
$$;

CREATE OR REPLACE FUNCTION extraction_search_post() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF TG_OP = 'TRUNCATE' THEN
        DELETE FROM extraction_search;
    ELSIF TG_OP = 'DELETE' THEN
        DELETE FROM extraction_search WHERE post_id = OLD.id;
    ELSIF TG_OP = 'INSERT' OR NEW.current_version_id IS DISTINCT FROM OLD.current_version_id THEN
        PERFORM extraction_search_add(NEW.id, NEW.current_version_id);
    END IF;
    RETURN NULL;
END $$;

CREATE OR REPLACE FUNCTION extraction_search_version() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    PERFORM extraction_search_add(id, NEW.id) FROM extraction_post WHERE current_version_id = NEW.id;
    RETURN NULL;
END $$;

DROP TRIGGER IF EXISTS extraction_search_post ON extraction_post;
CREATE TRIGGER extraction_search_post AFTER INSERT OR DELETE OR UPDATE OF current_version_id ON extraction_post
    FOR EACH ROW EXECUTE FUNCTION extraction_search_post();
DROP TRIGGER IF EXISTS extraction_search_posts ON extraction_post;
CREATE TRIGGER extraction_search_posts AFTER TRUNCATE ON extraction_post
    FOR EACH STATEMENT EXECUTE FUNCTION extraction_search_post();
DROP TRIGGER IF EXISTS extraction_search_version ON extraction_postversion;
CREATE TRIGGER extraction_search_version AFTER UPDATE OF text ON extraction_postversion
    FOR EACH ROW EXECUTE FUNCTION extraction_search_version();

DELETE FROM extraction_search;
SELECT extraction_search_add(id, current_version_id) FROM extraction_post WHERE current_version_id IS NOT NULL;
"""
_POSTGRES_REMOVE = """
DROP TRIGGER IF EXISTS extraction_search_post ON extraction_post;
DROP TRIGGER IF EXISTS extraction_search_posts ON extraction_post;
DROP TRIGGER IF EXISTS extraction_search_version ON extraction_postversion;
DROP FUNCTION IF EXISTS extraction_search_post, extraction_search_version;
DROP FUNCTION IF EXISTS extraction_search_add, extraction_search_fold;
DROP TABLE IF EXISTS extraction_search;
"""


def install(connection: BaseDatabaseWrapper) -> None:
    """Create the index and its triggers, and index all posts; idempotent."""
    with connection.cursor() as cursor:
        if connection.vendor == "postgresql":
            cursor.execute(_POSTGRES.replace("%", "%%"), [])
            return
        for name in _SQLITE_TRIGGERS:
            cursor.execute(f"DROP TRIGGER IF EXISTS extraction_search_{name}")
        cursor.execute(
            "CREATE VIRTUAL TABLE IF NOT EXISTS extraction_search "
            "USING fts5(words, tokenize='unicode61 remove_diacritics 2')"
        )
        for name, when in _SQLITE_TRIGGERS.items():
            cursor.execute(f"CREATE TRIGGER extraction_search_{name} {when} BEGIN {_SQLITE_BODIES[name]} END")
        cursor.execute("DELETE FROM extraction_search")
        cursor.execute(f"{_SQLITE_ADD} TRUE")


def remove(connection: BaseDatabaseWrapper) -> None:
    with connection.cursor() as cursor:
        if connection.vendor == "postgresql":
            cursor.execute(_POSTGRES_REMOVE)
            return
        for name in _SQLITE_TRIGGERS:
            cursor.execute(f"DROP TRIGGER IF EXISTS extraction_search_{name}")
        cursor.execute("DROP TABLE IF EXISTS extraction_search")
