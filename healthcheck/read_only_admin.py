"""Admin of rows that people read and do not edit; every app of the site may build on it."""

from typing import TypeVar

from django.contrib import admin
from django.db.models import Model
from django.http import HttpRequest

M = TypeVar("M", bound=Model)


class AppendOnlyAdmin(admin.ModelAdmin[M]):
    """Rows that are added by hand, and never edited or deleted."""

    def has_change_permission(self, request: HttpRequest, obj: M | None = None) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: M | None = None) -> bool:
        return False


class ReadOnlyAdmin(AppendOnlyAdmin[M]):
    """Rows that only the program writes."""

    show_full_result_count = False

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False
