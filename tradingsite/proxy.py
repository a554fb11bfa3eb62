"""The client's address behind a reverse proxy; used only with `BEHIND_PROXY`."""

from ipaddress import ip_address

from django.http import HttpRequest


def client_address(request: HttpRequest) -> str:
    """Return the address by which failed sign-ins are counted: the last one, which the proxy itself added.

    The entries before it come from the client and can be forged. Without a usable entry it is the proxy's own
    address; then all clients are locked out together, and none can evade a lock-out.
    """
    seen_by_proxy = request.META.get("HTTP_X_FORWARDED_FOR", "").rpartition(",")[2].strip()
    try:
        return str(ip_address(seen_by_proxy))
    except ValueError:
        return str(request.META.get("REMOTE_ADDR", ""))
