"""After a test that commits, the database is put back as `migrate` left it.

Django would empty every table and run `migrate`'s receivers again, which takes fifty times as long. Here one
function in the server restores the tables that differ, without triggers and foreign keys.
"""

from django.db import connection
from django.test import TransactionTestCase

KEEP = """
CREATE SCHEMA pristine;

DO $$
DECLARE
    name text;
    filled boolean;
BEGIN
    FOR name IN SELECT tablename FROM pg_tables WHERE schemaname = 'public' LOOP
        EXECUTE format('SELECT EXISTS (TABLE public.%I)', name) INTO filled;
        IF filled THEN
            EXECUTE format('CREATE TABLE pristine.%1$I AS TABLE public.%1$I', name);
        END IF;
    END LOOP;
END $$;

CREATE FUNCTION pristine.put_back() RETURNS void LANGUAGE plpgsql
SET session_replication_role = replica
AS $$
DECLARE
    name text;
    differs boolean;
BEGIN
    FOR name IN SELECT tablename FROM pg_tables WHERE schemaname = 'public' LOOP
        IF to_regclass(format('pristine.%I', name)) IS NULL THEN
            EXECUTE format('DELETE FROM public.%I', name);
            CONTINUE;
        END IF;
        EXECUTE format(
            'SELECT EXISTS (TABLE public.%1$I EXCEPT TABLE pristine.%1$I)'
            ' OR EXISTS (TABLE pristine.%1$I EXCEPT TABLE public.%1$I)', name) INTO differs;
        IF differs THEN
            EXECUTE format('DELETE FROM public.%I', name);
            EXECUTE format('INSERT INTO public.%1$I OVERRIDING SYSTEM VALUE TABLE pristine.%1$I', name);
        END IF;
    END LOOP;
END $$;
"""


def keep() -> None:
    """Copy what `migrate` wrote."""
    with connection.cursor() as cursor:
        cursor.execute("DROP SCHEMA IF EXISTS pristine CASCADE")
        cursor.execute(KEEP)


def put_back(_case: TransactionTestCase | None = None) -> None:
    """Undo whatever was committed."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT pristine.put_back()")
