"""The history of all settings: what was changed, when, by whom and from where. Database triggers write it."""

from django.db import models
from django.db.models import Q
from django.utils.translation import gettext_lazy as _
from django.utils.translation import pgettext_lazy
from django_stubs_ext import StrOrPromise

from sysconfig.errors import ChangeRefused


class CannotRevert(ChangeRefused):
    def __init__(self, change_id: int, why: StrOrPromise) -> None:
        super().__init__(
            _("change %(number)s can't be undone: %(why)s"),
            code="cannot_revert",
            params={"number": change_id, "why": why},
        )

    @classmethod
    def unknown(cls, change_id: int) -> "CannotRevert":
        return cls(change_id, _("there is no such change"))

    @classmethod
    def row_gone(cls, change: "SystemConfigChange") -> "CannotRevert":
        return cls(change.pk, _("%(key)s has no row any more") % {"key": change.key})


class SystemConfigChangeQuerySet(models.QuerySet["SystemConfigChange"]):
    def of(self, key: str) -> "SystemConfigChangeQuerySet":
        """Return the changes of `key`, including renames from and to it."""
        return self.filter(Q(key=key) | Q(old_key=key))


class SystemConfigChange(models.Model):
    """One changed value. Only triggers write rows; they are never updated or deleted.

    Of one key, `id` is in the order of the commits.
    """

    class Action(models.TextChoices):
        INSERT = "insert", _("added")
        UPDATE = "update", _("changed")
        DELETE = "delete", _("deleted")
        RENAME = "rename", _("renamed")
        TRUNCATE = "truncate", _("deleted with all others")

    class Source(models.TextChoices):
        ADMIN = "admin", pgettext_lazy("where a change came from", "admin")
        COMMAND = "command", pgettext_lazy("where a change came from", "command")
        PROGRAM = "program", pgettext_lazy("where a change came from", "program")
        SQL = "sql", pgettext_lazy("where a change came from", "SQL, unchecked")

    id = models.BigAutoField(primary_key=True, verbose_name=_("number"))
    at = models.DateTimeField(_("at"))
    key = models.CharField(_("key"), max_length=100)
    old_key = models.CharField(_("key before"), max_length=100, null=True)  # noqa: DJ001 - NULL: it was not renamed
    action = models.CharField(_("action"), max_length=10, choices=Action)
    old_value = models.TextField(_("value before"), null=True)  # noqa: DJ001 - NULL: there was no row
    new_value = models.TextField(_("value after"), null=True)  # noqa: DJ001 - NULL: there is no row
    source = models.CharField(_("source"), max_length=10, choices=Source)
    actor = models.TextField(_("who"))
    origin = models.TextField(_("from where"))

    objects = SystemConfigChangeQuerySet.as_manager()

    class Meta:
        db_table = "system_config_change"
        verbose_name = _("change of a setting")
        verbose_name_plural = _("changes of settings")
        default_permissions = ()  # the permissions of the settings apply
        ordering = ["-id"]
        indexes = [models.Index(fields=["key", "-id"], name="system_config_change_of_key")]

    def __str__(self) -> str:
        return f"{self.key}: {self.old_value} → {self.new_value}"

    def text_before(self) -> str:
        """Return the text that this change replaced or deleted. Raises CannotRevert."""
        if self.action == self.Action.RENAME:
            why = _("it renamed %(old)s to %(new)s") % {"old": self.old_key, "new": self.key}
            raise CannotRevert(self.pk, why)
        if self.old_value is None:
            raise CannotRevert(self.pk, _("%(key)s had no row before it") % {"key": self.key})
        return self.old_value
