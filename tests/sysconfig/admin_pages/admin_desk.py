"""What an operator does with the admin pages of runtime configuration, through real requests."""

import re
from html import unescape

from django.contrib.auth import get_user_model
from django.contrib.auth.models import Permission
from django.test import Client
from django.urls import reverse

from sysconfig.changes import SystemConfigChange
from sysconfig.models import SystemConfig

LIST = "admin:sysconfig_systemconfig_changelist"
ADD = "admin:sysconfig_systemconfig_add"
CHANGES = "admin:sysconfig_systemconfigchange_changelist"
PROCESSES = "admin:sysconfig_processes"
ASKED = "admin/sysconfig/confirm.html"


def signed_in(name, *permissions):
    """Return a browser of a new member of staff: a superuser, or one with just these permissions."""
    users = get_user_model().objects
    if permissions:
        user = users.create_user(name, is_staff=True)
        user.user_permissions.set(Permission.objects.filter(codename__in=permissions))
    else:
        user = users.create_superuser(name)
    client = Client()
    client.force_login(user, backend="django.contrib.auth.backends.ModelBackend")
    return client


def row(key):
    return SystemConfig.objects.get(key=key)


def page(name, key):
    return reverse(f"admin:sysconfig_systemconfig_{name}", args=[row(key).pk])


def opened(browser, key):
    """Return what the form of `key` was filled with."""
    form = browser.get(page("change", key)).context["adminform"].form
    return {"base": form.base.token} | {name: form[name].value() or "" for name in form.fields}


def send(browser, key, form):
    return browser.post(page("change", key), form, follow=True)


def change(browser, key, value, /, **fields):
    """Open the form, change it, send it."""
    return send(browser, key, {**opened(browser, key), "value": value, **fields})


def asks(response):
    """Return what a confirmation page would do, or None for another page."""
    if ASKED not in [template.name for template in response.templates]:
        return None
    return [tuple(step) for step, _ in response.context["steps"]]


def confirmation(response):
    """Return what the confirmation page sends."""
    fields = re.findall(r'<input type="hidden" name="([^"]*)" value="([^"]*)"', response.text)
    form: dict[str, list[str]] = {}
    for name, value in fields:
        form.setdefault(unescape(name), []).append(unescape(value))
    return form


def confirm(browser, response, **tampered):
    return browser.post(response.wsgi_request.path, {**confirmation(response), **tampered}, follow=True)


def changed(browser, key, value, /, **fields):
    """Change it, and confirm if that is needed."""
    response = change(browser, key, value, **fields)
    return confirm(browser, response) if asks(response) else response


def act(browser, action, /, *keys, **fields):
    chosen = [str(row(key).pk) for key in keys]
    return browser.post(reverse(LIST), {"action": action, "_selected_action": chosen, **fields}, follow=True)


def revert(browser, number):
    return browser.post(reverse("admin:sysconfig_revert", args=[number]), follow=True)


def errors(response):
    return [str(error) for error in response.context["adminform"].form.errors.get("value", [])]


def refusals(response):
    return [str(error) for error in response.context["adminform"].form.non_field_errors()]


def messages(response):
    return [(message.level_tag, str(message)) for message in response.context["messages"]]


def plain(html):
    """Return the text of a piece of a page, as it reads."""
    return re.sub(r"\s+", " ", unescape(re.sub(r"<[^>]+>", "", html))).strip()


def cells(response):
    """Return the list's rows as lists of their cells' text."""
    rows = re.findall(r"<tr>(.*?)</tr>", response.text, re.DOTALL)
    found = [re.findall(r'class="field-\w+[^"]*"[^>]*>(.*?)</t[dh]>', line, re.DOTALL) for line in rows]
    return [[plain(cell) for cell in line] for line in found if line]


def last_change(key):
    return SystemConfigChange.objects.of(key)[0]
