"""deploy/gatehouse.yaml says everything: each key the code takes stands in it, set or in a comment."""

import re

import pytest
import yaml
from support.gatehouse import ROOT

TEXT = (ROOT / "deploy" / "gatehouse.yaml").read_text()
TABLE = re.compile(r"static const struct gh_config_field (\w+)\[\] = \{(.*?)\};$", re.S | re.M)
ROW = re.compile(r'"([a-z0-9_]+)",\s*GH_CFG_\w+')


def section_of(name):
    """The lines of a top-level section, comments too."""
    start = re.search(rf"^{name}:.*$", TEXT, re.M)
    assert start, f"{name}: is not in deploy/gatehouse.yaml"
    end = re.compile(r"^[a-z]", re.M).search(TEXT, start.end())
    return TEXT[start.start():end.start() if end else len(TEXT)]


def rows(body):
    """(key, the rest of its row) of a table."""
    found = list(ROW.finditer(body))
    for at, after in zip(found, [*found[1:], None]):
        yield at.group(1), body[at.end():after.start() if after else len(body)]


def tables(service):
    source = (ROOT / "services" / service / "config.c").read_text()
    return {name: list(rows(body)) for name, body in TABLE.findall(source)}


def keys(found, table):
    """Every key of a table and of those inside it."""
    for key, rest in found[table]:
        yield key
        inner = re.search(r"\.fields\s*=\s*(\w+)", rest)
        if inner and inner.group(1) in found and inner.group(1) != table:
            yield from keys(found, inner.group(1))


CASES = [("edge", "edge_fields", "edge"), ("edge", "route_fields", "routes"), ("edge", "app_fields", "apps"),
         ("auth", "auth_fields", "auth"), ("session", "fields", "session"), ("audit", "fields", "audit"),
         ("validator", "fields", "validator"), ("limiter", "limiter_fields", "limiter")]


@pytest.mark.parametrize("service,table,section", CASES, ids=[f"{c[0]}-{c[1]}" for c in CASES])
def test_every_key_is_in_the_file(service, table, section):
    found = tables(service)
    names = sorted(set(keys(found, table)))
    assert len(names) >= 1, f"no key found in {table}: the test does not read {service}/config.c any more"
    text = section_of(section)
    missing = [name for name in names if not re.search(rf"(^|[\s{{,(#-]){name}:", text)]
    assert not missing, f"not in {section}: of deploy/gatehouse.yaml, set or in a comment: {missing}"


def test_the_defaults_are_those_of_the_code():
    """A value written there is the one that holds without it, so that the file can be cut down to what differs."""
    differs = {"listen", "development", "missing_origin", "credentials"}  # what the sample sets on purpose
    file = yaml.safe_load(TEXT)["edge"]
    compared = 0
    for key, rest in tables("edge")["edge_fields"]:
        default = re.search(r'\.dflt\s*=\s*"([^"]*)"', rest)
        if default is None or key in differs or key not in file:
            continue
        value = file[key]
        text = str(value).lower() if isinstance(value, bool) else str(value)
        assert text == default.group(1), f"edge.{key}: {text} in the file, {default.group(1)} in the code"
        compared += 1
    assert compared > 15, compared
