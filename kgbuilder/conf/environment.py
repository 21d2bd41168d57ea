"""Every setting in one typed table. `docs/settings.md` is made from it; a wrong value is refused with a sentence."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from kgbuilder.conf import secret_files
from kgbuilder.conf.values import ROOT as ROOT
from kgbuilder.conf.values import address_in as _address_in
from kgbuilder.conf.values import base_iri as _base_iri
from kgbuilder.conf.values import count as _count
from kgbuilder.conf.values import days as _days
from kgbuilder.conf.values import flag as _flag
from kgbuilder.conf.values import host_ports as _host_ports
from kgbuilder.conf.values import hours as _hours
from kgbuilder.conf.values import names as _names
from kgbuilder.conf.values import one_of as _one_of
from kgbuilder.conf.values import optional_path as _optional_path
from kgbuilder.conf.values import optional_seconds as _optional_seconds
from kgbuilder.conf.values import optional_share as _optional_share
from kgbuilder.conf.values import origins as _origins
from kgbuilder.conf.values import path as _path
from kgbuilder.conf.values import port as _port
from kgbuilder.conf.values import seconds as _seconds
from kgbuilder.conf.values import some_of as _some_of
from kgbuilder.conf.values import text as _text
from kgbuilder.conf.values import thresholds as _thresholds
from kgbuilder.conf.values import web_address as _web_address
from kgbuilder.conf.values import weights as _weights

NEO4J_SCHEMES = ("bolt", "bolt+s", "bolt+ssc", "neo4j", "neo4j+s", "neo4j+ssc")


class WrongSetting(ValueError):
    """A setting has a value that cannot be used. The message names the setting and the values that it takes."""


@dataclass(frozen=True, slots=True)
class Setting:
    name: str
    default: str
    parse: Callable[[str], Any]
    says: str
    secret: bool = False  # it may be given as a file: NAME_FILE


SETTINGS: tuple[Setting, ...] = (
    Setting("DATA_DIR", "var", _path, "The folder for all data of the product."),
    Setting("HOST", "127.0.0.1", _text, "The address that the web server listens on."),
    Setting("PORT", "8000", _port, "The port that the web server listens on."),
    Setting("WEB_PROCESSES", "2", _count, "How many processes serve pages; a stuck one does not stop the others."),
    Setting(
        "CONSOLE_PROCESSES", "1", _count, "How many processes answer queries, exports and searches, apart from pages."
    ),
    Setting("CONSOLES_AT_ONCE", "4", _count, "How many of these requests each of them answers at once."),
    Setting(
        "CONSOLES_PER_PERSON",
        "2",
        _count,
        "How many of these requests one person, one token or one address without either may have open.",
    ),
    Setting("CONSOLES_PER_ADDRESS", "16", _count, "How many of these requests one network address may have open."),
    Setting(
        "BASE_IRI",
        "",
        _base_iri,
        "What the IRIs of the graph begin with; by default the web address. Stored at the first start.",
    ),
    Setting(
        "SECRET_KEY",
        "",
        _text,
        "Django's secret; by default created at the first start and kept in DATA_DIR.",
        secret=True,
    ),
    Setting(
        "ALLOWED_HOSTS",
        "",
        _names,
        "Host names that the web server answers to, separated by commas; localhost and HOST always.",
    ),
    Setting(
        "HTTPS",
        "0",
        _flag,
        "Whether people reach the product by https (a proxy in front of it): cookies are secure, HSTS is sent, http "
        "is redirected.",
    ),
    Setting(
        "TRUSTED_PROXY",
        "",
        _text,
        "The address of the proxy in front of the web server, whose X-Forwarded-For and -Proto are believed; * for "
        "whoever connects.",
    ),
    Setting("DEBUG", "0", _flag, "Django's debug pages; never on an open network."),
    Setting("PUBLIC_READING", "0", _flag, "Whether posts, entities and the graph can be seen without signing in."),
    Setting(
        "DATABASE_URL",
        "",
        _address_in("sqlite", "postgres", "postgresql"),
        "sqlite:///FILE or postgresql://USER:PASSWORD@HOST:PORT/NAME; by default SQLite in DATA_DIR. libpq's options "
        "may follow PostgreSQL's, as ?sslmode=require&connect_timeout=10.",
        secret=True,
    ),
    Setting("DATABASE_PASSWORD", "", _text, "The password for a DATABASE_URL that has only a user.", secret=True),
    Setting(
        "BROKER_URL",
        "",
        _address_in("filesystem", "amqp", "amqps", "redis", "rediss", "memory"),
        "The message broker; by default files in DATA_DIR.",
        secret=True,
    ),
    Setting("BROKER_PASSWORD", "", _text, "The password for a BROKER_URL that has only a user.", secret=True),
    Setting(
        "SPARQL_QUERY_URL", "", _web_address, "A SPARQL 1.1 server's query address; by default the bundled server."
    ),
    Setting("SPARQL_UPDATE_URL", "", _web_address, "The same server's update address."),
    Setting(
        "SPARQL_BUNDLED_URL",
        "",
        _web_address,
        "http://HOST:PORT/ of the bundled server where it is a container or machine of its own; else a socket file.",
    ),
    Setting(
        "SPARQL_TOKEN",
        "",
        _text,
        "Sent as a bearer token; made at the first start for the bundled server.",
        secret=True,
    ),
    Setting(
        "SPARQL_LIMIT_SECONDS",
        "",
        _optional_seconds,
        "The limit of time that the server at SPARQL_QUERY_URL itself puts on queries; empty: `doctor` warns.",
    ),
    Setting("SPARQL_SECONDS", "10", _seconds, "Time limit of a SPARQL query, in seconds."),
    Setting("SPARQL_CHILDREN", "2", _count, "How many queries run at once on the bundled server."),
    Setting("NEO4J_URL", "", _address_in(*NEO4J_SCHEMES), "A Neo4j server (bolt://…); empty: none."),
    Setting("NEO4J_USER", "neo4j", _text, "Its user."),
    Setting("NEO4J_PASSWORD", "", _text, "Its password; empty: the server asks for none.", secret=True),
    Setting("NEO4J_DATABASE", "", _text, "The database that the graph is written to; by default the user's own."),
    Setting(
        "NEO4J_READER_USER",
        "",
        _text,
        "The user that people's Cypher runs as, on a server with roles; by default NEO4J_USER.",
    ),
    Setting("NEO4J_READER_PASSWORD", "", _text, "That user's password.", secret=True),
    Setting("CYPHER_SECONDS", "10", _seconds, "Time limit of a Cypher query, in seconds."),
    Setting("CYPHER_AT_ONCE", "2", _count, "How many Cypher queries run at once; as many again may wait."),
    Setting(
        "CHECKPOINT",
        "",
        _optional_path,
        "The folder of the checkpoint that analyses posts; by default the shipped one.",
    ),
    Setting(
        "EXTRACTOR",
        "",
        _text,
        "module:class that reads posts in place of the checkpoint's network. For tests; leave it empty.",
    ),
    Setting("PARSER", "", _text, "A spaCy pipeline, by name or folder; by default the shipped one."),
    Setting(
        "FLOOR",
        "",
        _optional_share,
        "Results below this confidence are not recorded; by default the floor of the checkpoint.",
    ),
    Setting(
        "THRESHOLD",
        "",
        _thresholds,
        "The threshold above which an assertion is active: 0.6, or 0.6,member_of=0.7; by default as calibrated.",
    ),
    Setting("DEVICE", "cpu", _text, "Where networks run: cpu, cuda, cuda:1, …"),
    Setting(
        "DETECTOR_WEIGHTS",
        "",
        _weights,
        "An object detector: a file, or a name that `manage.py fetch_weights` lists, fetched on first use; empty: "
        "pictures are shown, and nothing is detected in them.",
    ),
    Setting("FACE_WEIGHTS", "", _weights, "A face detector beside it, likewise; empty: none."),
    Setting(
        "DEPTH_MODEL", "", _weights, "A folder with a depth network for transformers, or a name; empty: an estimate."
    ),
    Setting(
        "GROUNDING_MODEL",
        "",
        _weights,
        "A folder with a zero-shot detector for transformers, or a name; empty: words are matched with classes.",
    ),
    Setting(
        "REGION_FEATURES",
        "",
        _weights,
        "A folder with an image encoder for transformers, whose states describe regions; empty: colours and edges.",
    ),
    Setting(
        "PREDICATE_CLASSIFIER",
        "",
        _text,
        "module:callable that predicts interactions of regions in place of the rules; empty: the rules.",
    ),
    Setting("PICTURES_PER_POST", "4", _count, "How many pictures of a post are kept, the lead picture among them."),
    Setting(
        "PICTURE_OBJECTS",
        "10",
        _count,
        "How many objects of a picture are kept, those with the highest confidence first.",
    ),
    Setting("PICTURE_FACES", "5", _count, "How many faces, beside the objects."),
    Setting(
        "READ_AGAIN_FOR_PICTURES",
        "1",
        _flag,
        "Whether a post is analysed again when regions are detected in its pictures only after it was analysed.",
    ),
    Setting(
        "PICTURE_DAYS",
        "0",
        _days,
        "After how many days copies of pictures are deleted; detected regions are kept. 0: never.",
    ),
    Setting(
        "BODY_DAYS",
        "0",
        _days,
        "After how many days the bodies of posts are deleted, except the quotes of statements; 0: never.",
    ),
    Setting("READINGS_KEPT", "2", _count, "How many readings of a post are kept, its current one among them."),
    Setting(
        "DATASETS_DIR",
        "",
        _optional_path,
        "A folder with data sets for training, each in a folder as docs/datasets.md names it; admins choose from it.",
    ),
    Setting(
        "DATASET_MB",
        "500",
        _count,
        "The largest upload of a data set, in megabytes; unpacked it may take four times that.",
    ),
    Setting("TRAIN_RUNS", "1", _count, "How many training runs are executed at once."),
    Setting(
        "KNOWLEDGE",
        "index",
        _some_of("index", "wikidata", "dbpedia"),
        "Where entities are looked up, in this order: index (on this machine), wikidata, dbpedia. Others are never "
        "requested.",
    ),
    Setting("WIKIDATA_API_URL", "https://www.wikidata.org/w/api.php", _web_address, "Wikidata's API."),
    Setting("WIKIDATA_SPARQL_URL", "https://query.wikidata.org/sparql", _web_address, "The Wikidata Query Service."),
    Setting("DBPEDIA_LOOKUP_URL", "https://lookup.dbpedia.org/api/search", _web_address, "DBpedia Lookup."),
    Setting("DBPEDIA_SPARQL_URL", "https://dbpedia.org/sparql", _web_address, "DBpedia's SPARQL server."),
    Setting(
        "FACTS_READ_AGAIN",
        "0",
        _flag,
        "Whether posts are analysed again when new facts about their entities are found, by a reader that uses facts.",
    ),
    Setting("KNOWLEDGE_DAYS", "30", _count, "For how many days responses of these services are cached."),
    Setting(
        "FETCH_ALLOW",
        "",
        _host_ports,
        "host:port pairs on private or loopback addresses that may be fetched from, separated by commas.",
    ),
    Setting("FETCH_SECONDS", "30", _seconds, "Time limit of a fetch, in seconds."),
    Setting("FETCH_HOST_SECONDS", "1", _seconds, "The least time between two requests to one host."),
    Setting("FETCH_ROBOTS", "1", _flag, "Whether robots.txt is obeyed for article pages."),
    Setting(
        "RECHECK_HOURS",
        "1,6,24,72,168",
        _hours,
        "How long after the first fetch an article page is rechecked, in hours.",
    ),
    Setting("CONTACT_URL", "", _web_address, "Named in the User-Agent, so that publishers can reach you."),
    Setting("READERS", "1", _count, "How many reader processes `up` starts."),
    Setting("IO_WORKERS", "1", _count, "How many processes `up` starts that fetch pages and write graphs."),
    Setting("LOG_FORMAT", "plain", _one_of("plain", "json"), "How a log line looks: plain, or a JSON object a line."),
    Setting(
        "LOG_LEVEL",
        "WARNING",
        _one_of("DEBUG", "INFO", "WARNING", "ERROR"),
        "What is logged: WARNING is problems, INFO also each poll, fetch, reading and write.",
    ),
    Setting(
        "METRICS_TOKEN",
        "",
        _text,
        "The bearer token for /metrics; empty: the page does not exist.",
        secret=True,
    ),
    Setting("NOTICE_MAIL", "", _names, "Mail addresses that receive notices, separated by commas."),
    Setting(
        "MAIL_URL",
        "",
        _address_in("smtp", "smtp+tls", "smtps"),
        "The mail server: smtp://, smtp+tls:// (STARTTLS) or smtps://, USER:PASSWORD@HOST:PORT.",
        secret=True,
    ),
    Setting("MAIL_FROM", "kgbuilder@localhost", _text, "The sender of mail."),
    Setting(
        "NOTICE_WEBHOOK",
        "",
        _web_address,
        "A URL that receives notices as JSON; may be on a private network.",
        secret=True,
    ),
    Setting("LANE_LATE_SECONDS", "900", _seconds, "Admins get a notice when work has been due for longer."),
    Setting("API_PER_MINUTE", "300", _count, "How many requests per minute an API token may send to a web process."),
    Setting("MCP_TOKEN", "", _text, "The API token with which `manage.py mcp` answers over stdio.", secret=True),
    Setting(
        "API_ORIGINS",
        "",
        _origins,
        "Origins of web applications whose scripts may use the API and linked data from a browser (CORS), such as "
        "`https://yasgui.org`, separated by commas; `*` for all. They need a token; cookies are never accepted.",
    ),
    Setting(
        "ADMIN_PASSWORD",
        "",
        _text,
        "The password of the first admin; by default one is created at the first start and shown once.",
        secret=True,
    ),
)


def read(environ: Mapping[str, str]) -> dict[str, Any]:
    """The settings' values; raises `WrongSetting`, naming every setting that cannot be used."""
    values: dict[str, Any] = {}
    from_files, wrong = secret_files.read(environ, [setting.name for setting in SETTINGS if setting.secret])
    for setting in SETTINGS:
        raw = from_files.get(setting.name) or environ.get(setting.name, "").strip() or setting.default
        try:
            values[setting.name] = setting.parse(raw)
        except ValueError as error:
            shown = "set" if setting.secret else repr(raw)
            wrong.append(f"{setting.name} {error}; it is {shown}.")
    if wrong:
        raise WrongSetting("\n".join(wrong))
    for name in ("DATABASE", "BROKER"):
        values[f"{name}_URL"] = secret_files.with_password(values[f"{name}_URL"], values[f"{name}_PASSWORD"])
    return values


def environ_with_dotenv() -> dict[str, str]:
    """The process's environment over the `.env` file beside manage.py."""
    from dotenv import dotenv_values

    written = {key: value for key, value in dotenv_values(ROOT / ".env").items() if value is not None}
    return written | dict(os.environ)
