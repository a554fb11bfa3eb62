"""Differences of a newer schema that the code of the previous release can't work with."""

from tests.databases import Database

COLUMNS = """
SELECT c.relname, a.attname, format_type(a.atttypid, a.atttypmod), a.attnotnull,
  a.atthasdef OR a.attidentity <> '' OR a.attgenerated <> ''
FROM pg_attribute a JOIN pg_class c ON c.oid = a.attrelid
WHERE c.relnamespace = 'public'::regnamespace AND c.relkind = 'r' AND a.attnum > 0 AND NOT a.attisdropped
"""
# What may refuse a row: constraints, and unique indexes that belong to none.
RULES = """
SELECT conrelid::regclass::text, conname, pg_get_constraintdef(oid) FROM pg_constraint
WHERE connamespace = 'public'::regnamespace AND conrelid <> 0 AND contype <> 'n'
UNION ALL
SELECT indrelid::regclass::text, indexrelid::regclass::text, pg_get_indexdef(indexrelid)
FROM pg_index JOIN pg_class c ON c.oid = indexrelid
WHERE indisunique AND c.relnamespace = 'public'::regnamespace
  AND NOT EXISTS (SELECT FROM pg_constraint WHERE conindid = indexrelid)
"""


def breaks(old: Database, new: Database) -> set[str]:
    """Return what breaks old code: it names the columns that it knows, and writes NULL where it may."""
    return _columns(_by_name(old, COLUMNS), _by_name(new, COLUMNS)) | _rules(old, new)


def _columns(before, after) -> set[str]:
    tables = {table for table, _ in before}
    gone = {f"{table}.{name} is gone" for table, name in before.keys() - after.keys()}
    narrower = {
        f"{table}.{name} is {after[table, name][0]}{' NOT NULL' if after[table, name][1] else ''} now"
        for table, name in before.keys() & after.keys()
        if after[table, name][0] != before[table, name][0] or after[table, name][1] > before[table, name][1]
    }
    needed = {
        f"{table}.{name} is NOT NULL without a default"
        for (table, name), (_, not_null, has_default) in after.items()
        if table in tables and (table, name) not in before and not_null and not has_default
    }
    return gone | narrower | needed


def _rules(old: Database, new: Database) -> set[str]:
    before, after = _by_name(old, RULES), _by_name(new, RULES)
    tables = {table for table, _ in _by_name(old, COLUMNS)}
    return {
        f"{table} has a new rule {name}: {definition}"
        for (table, name), (definition,) in after.items()
        if table in tables and before.get((table, name)) != (definition,)
    }


def _by_name(database: Database, question):
    return {(table, name): tuple(rest) for table, name, *rest in database.query(question)}
