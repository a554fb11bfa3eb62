"""What the reverse proxy in front says about a request; used with `BEHIND_PROXY` only."""

from ipaddress import ip_address

from django.http import HttpRequest


def client_address(request: HttpRequest) -> str:
    """Return the address that lock-outs count: the one the proxy saw, which it adds at the right.

    What stands left of it came from the client, which may write there what it likes. Without a usable
    entry it is the proxy's own address: then all clients share a lock-out, and nobody escapes one.
    """
    seen_by_proxy = request.META.get("HTTP_X_FORWARDED_FOR", "").rpartition(",")[2].strip()
    try:
        return str(ip_address(seen_by_proxy))
    except ValueError:
        return str(request.META.get("REMOTE_ADDR", ""))
