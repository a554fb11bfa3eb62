"""Changes made in admin are recorded in the name of who is signed in."""

from contextlib import AbstractContextManager

from django.conf import settings
from django.http import HttpRequest
from django.utils.module_loading import import_string

from sysconfig.authorship import writing_as


def as_operator(request: HttpRequest) -> AbstractContextManager[None]:
    """Let the history name the user of `request` and the address that the request came from."""
    return writing_as("admin", request.user.get_username(), client_address(request))


def client_address(request: HttpRequest) -> str:
    """Return what the callable named by `SYSCONFIG_CLIENT_ADDRESS` says, or the address of the peer.

    Only the project knows whether a proxy stands in front, and which of its headers can be believed.
    """
    chosen = getattr(settings, "SYSCONFIG_CLIENT_ADDRESS", None)
    return str(import_string(chosen)(request) if chosen else request.META.get("REMOTE_ADDR", ""))
