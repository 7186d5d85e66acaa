"""Small SQL, made of column names of our own rows and never of anybody's input."""

from collections.abc import Iterable, Mapping
from typing import Any

from sqlite_utils import Database

from storage.rows import Row


def insert(db: Database, table: str, row: Mapping[str, Any], *, or_ignore: bool = False) -> bool:
    """Insert a row; with `or_ignore`, False where a unique key has it already."""
    columns, marks = ", ".join(row), ", ".join(f":{column}" for column in row)
    verb = "INSERT OR IGNORE" if or_ignore else "INSERT"
    cursor = db.execute(f"{verb} INTO {table} ({columns}) VALUES ({marks})", dict(row))
    return bool(cursor.rowcount)


def put(db: Database, table: str, row: Mapping[str, Any]) -> None:
    """Insert a row, or write over the one that has its key, which keeps its place among the others."""
    columns, marks = ", ".join(row), ", ".join(f":{column}" for column in row)
    news = ", ".join(f"{column} = excluded.{column}" for column in row)
    db.execute(f"INSERT INTO {table} ({columns}) VALUES ({marks}) ON CONFLICT DO UPDATE SET {news}", dict(row))


def update(db: Database, table: str, row: Mapping[str, Any], where: str, **values: Any) -> bool:
    """Update the columns of `row` where the condition (with named marks of `values`) holds; was there such a row?"""
    columns = ", ".join(f"{column} = :{column}" for column in row)
    cursor = db.execute(f"UPDATE {table} SET {columns} WHERE {where}", {**row, **values})
    return bool(cursor.rowcount)


def rows(db: Database, sql: str, values: Mapping[str, Any] | None = None) -> list[Row]:
    """Every row of a SELECT or RETURNING, as mappings."""
    cursor = db.execute(sql, dict(values or {}))
    names = [column[0] for column in cursor.description]
    return [dict(zip(names, values_, strict=True)) for values_ in cursor.fetchall()]


def first(db: Database, sql: str, values: Mapping[str, Any] | None = None) -> Row | None:
    found = rows(db, sql, values)
    return found[0] if found else None


def listed(words: Iterable[str]) -> str:
    """The text of an IN list for enum values, which are ours and hold no quotes."""
    return ", ".join(f"'{word}'" for word in sorted(words))
