"""The history, the processes, and what makes both true: triggers that no way of writing passes by.

docs/configuration.md, "History"; docs/config-cache.md, rules 17 and 21.
"""

from django.db import migrations, models

# Each function keeps the search path of this migration: pg_restore fills tables with an empty one.
NOTIFY = """
CREATE FUNCTION system_config_notify() RETURNS trigger LANGUAGE plpgsql SET search_path FROM CURRENT AS $$
BEGIN
    -- Keys, never values: a payload over 8000 bytes would fail the change itself.
    IF TG_OP = 'INSERT' THEN
        PERFORM pg_notify('system_config', 'k:' || key) FROM new_rows;
    ELSIF TG_OP = 'UPDATE' THEN
        PERFORM pg_notify('system_config', 'k:' || key)
        FROM (SELECT key FROM old_rows UNION SELECT key FROM new_rows) AS changed;
    ELSE
        PERFORM pg_notify('system_config', 'k:' || key) FROM old_rows;
    END IF;
    RETURN NULL;
END
$$;
CREATE TRIGGER system_config_notify_insert AFTER INSERT ON system_config
    REFERENCING NEW TABLE AS new_rows FOR EACH STATEMENT EXECUTE FUNCTION system_config_notify();
CREATE TRIGGER system_config_notify_update AFTER UPDATE ON system_config
    REFERENCING OLD TABLE AS old_rows NEW TABLE AS new_rows
    FOR EACH STATEMENT EXECUTE FUNCTION system_config_notify();
CREATE TRIGGER system_config_notify_delete AFTER DELETE ON system_config
    REFERENCING OLD TABLE AS old_rows FOR EACH STATEMENT EXECUTE FUNCTION system_config_notify();
"""
NO_NOTIFY = """
DROP TRIGGER system_config_notify_delete ON system_config;
DROP TRIGGER system_config_notify_update ON system_config;
DROP TRIGGER system_config_notify_insert ON system_config;
DROP FUNCTION system_config_notify();
"""

# A setting that an earlier transaction of the session made is '' from then on, not NULL: hence nullif.
RECORD = """
CREATE FUNCTION system_config_remember(
    action text, key text, old_key text, old_value text, new_value text
) RETURNS void LANGUAGE plpgsql SET search_path FROM CURRENT AS $$
DECLARE
    source text := nullif(current_setting('sysconfig.source', true), '');
    actor text := nullif(current_setting('sysconfig.actor', true), '');
    origin text := nullif(current_setting('sysconfig.origin', true), '');
    program text := current_setting('application_name');
    address text := coalesce(host(inet_client_addr()), 'local');
BEGIN
    IF source IS NULL OR source NOT IN ('admin', 'command', 'program') THEN
        source := 'sql';
        actor := session_user;
        origin := concat_ws(' ', nullif(program, ''), address);
    END IF;
    INSERT INTO system_config_change (at, key, old_key, action, old_value, new_value, source, actor, origin)
    VALUES (clock_timestamp(), key, old_key, action, old_value, new_value,
            source, coalesce(actor, program), coalesce(origin, address));
END
$$;

CREATE FUNCTION system_config_record() RETURNS trigger LANGUAGE plpgsql SET search_path FROM CURRENT AS $$
BEGIN
    IF TG_OP = 'INSERT' THEN
        PERFORM system_config_remember('insert', NEW.key, NULL, NULL, NEW.value);
    ELSIF TG_OP = 'DELETE' THEN
        PERFORM system_config_remember('delete', OLD.key, NULL, OLD.value, NULL);
    ELSIF NEW.key <> OLD.key THEN
        PERFORM system_config_remember('rename', NEW.key, OLD.key, OLD.value, NEW.value);
    ELSIF NEW.value <> OLD.value THEN
        PERFORM system_config_remember('update', NEW.key, NULL, OLD.value, NEW.value);
    END IF;
    RETURN NULL;
END
$$;
CREATE TRIGGER system_config_record AFTER INSERT OR UPDATE OR DELETE ON system_config
    FOR EACH ROW EXECUTE FUNCTION system_config_record();
"""
NO_RECORD = """
DROP TRIGGER system_config_record ON system_config;
DROP FUNCTION system_config_record();
DROP FUNCTION system_config_remember(text, text, text, text, text);
"""

# Before: after it, nobody could say what was there.
TRUNCATED = """
CREATE FUNCTION system_config_truncated() RETURNS trigger LANGUAGE plpgsql SET search_path FROM CURRENT AS $$
BEGIN
    PERFORM system_config_remember('truncate', key, NULL, value, NULL)
    FROM (SELECT key, value FROM system_config ORDER BY key) AS rows;
    PERFORM pg_notify('system_config', '*');
    RETURN NULL;
END
$$;
CREATE TRIGGER system_config_truncated BEFORE TRUNCATE ON system_config
    FOR EACH STATEMENT EXECUTE FUNCTION system_config_truncated();
"""
NO_TRUNCATED = """
DROP TRIGGER system_config_truncated ON system_config;
DROP FUNCTION system_config_truncated();
"""

# Nothing stands against TRUNCATE, which no code of ours sends: it is how a test database is emptied.
GUARD = """
CREATE FUNCTION system_config_change_guard() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF TG_OP = 'INSERT' THEN
        RAISE EXCEPTION 'system_config_change: only a change of system_config writes it'
            USING ERRCODE = 'check_violation';
    END IF;
    RAISE EXCEPTION 'system_config_change %: what happened is never rewritten', OLD.id
        USING ERRCODE = 'check_violation';
END
$$;
CREATE TRIGGER system_config_change_kept BEFORE UPDATE OR DELETE ON system_config_change
    FOR EACH ROW EXECUTE FUNCTION system_config_change_guard();
CREATE TRIGGER system_config_change_true BEFORE INSERT ON system_config_change
    FOR EACH ROW WHEN (pg_trigger_depth() = 0) EXECUTE FUNCTION system_config_change_guard();
"""
NO_GUARD = """
DROP TRIGGER system_config_change_true ON system_config_change;
DROP TRIGGER system_config_change_kept ON system_config_change;
DROP FUNCTION system_config_change_guard();
"""

# Lengths keep apart what would read the same when joined: ('a', 'bc') and ('ab', 'c').
FINGERPRINT = """
CREATE FUNCTION system_config_fingerprint() RETURNS text LANGUAGE sql STABLE SET search_path FROM CURRENT AS $$
    SELECT count(*) || '-' || left(encode(sha256(convert_to(coalesce(string_agg(
        length(key) || ':' || key || length(value) || ':' || value, '' ORDER BY key COLLATE "C"
    ), ''), 'UTF8')), 'hex'), 16)
    FROM system_config
$$;
"""
NO_FINGERPRINT = "DROP FUNCTION system_config_fingerprint();"


class Migration(migrations.Migration):
    dependencies = [("sysconfig", "0001_initial")]

    operations = [
        migrations.CreateModel(
            name="ConfigProcess",
            fields=[
                ("id", models.UUIDField(primary_key=True, serialize=False)),
                ("host", models.TextField(verbose_name="host")),
                ("pid", models.IntegerField(verbose_name="process")),
                ("role", models.TextField(verbose_name="role")),
                ("backend_pid", models.IntegerField(verbose_name="database session")),
                ("backend_start", models.DateTimeField(verbose_name="session since")),
                ("started_at", models.DateTimeField(verbose_name="started at")),
                ("fingerprint", models.TextField(verbose_name="version")),
                ("since", models.DateTimeField(verbose_name="version since")),
            ],
            options={
                "verbose_name": "process",
                "verbose_name_plural": "processes",
                "db_table": "system_config_process",
                "ordering": ["role", "host", "pid"],
                "default_permissions": (),
            },
        ),
        migrations.CreateModel(
            name="SystemConfigChange",
            fields=[
                ("id", models.BigAutoField(primary_key=True, serialize=False, verbose_name="number")),
                ("at", models.DateTimeField(verbose_name="at")),
                ("key", models.CharField(max_length=100, verbose_name="key")),
                ("old_key", models.CharField(max_length=100, null=True, verbose_name="key before")),
                (
                    "action",
                    models.CharField(
                        choices=[
                            ("insert", "added"),
                            ("update", "changed"),
                            ("delete", "deleted"),
                            ("rename", "renamed"),
                            ("truncate", "deleted with all others"),
                        ],
                        max_length=10,
                        verbose_name="action",
                    ),
                ),
                ("old_value", models.TextField(null=True, verbose_name="value before")),
                ("new_value", models.TextField(null=True, verbose_name="value after")),
                (
                    "source",
                    models.CharField(
                        choices=[
                            ("admin", "admin"),
                            ("command", "command"),
                            ("program", "program"),
                            ("sql", "SQL, unchecked"),
                        ],
                        max_length=10,
                        verbose_name="source",
                    ),
                ),
                ("actor", models.TextField(verbose_name="who")),
                ("origin", models.TextField(verbose_name="from where")),
            ],
            options={
                "verbose_name": "change of a setting",
                "verbose_name_plural": "changes of settings",
                "db_table": "system_config_change",
                "ordering": ["-id"],
                "default_permissions": (),
                "indexes": [models.Index(fields=["key", "-id"], name="system_config_change_of_key")],
            },
        ),
        migrations.RunSQL(NOTIFY, NO_NOTIFY),
        migrations.RunSQL(RECORD, NO_RECORD),
        migrations.RunSQL(TRUNCATED, NO_TRUNCATED),
        migrations.RunSQL(GUARD, NO_GUARD),
        migrations.RunSQL(FINGERPRINT, NO_FINGERPRINT),
    ]
