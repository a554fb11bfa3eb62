"""Requests one URL and exits 0 for a 2xx answer, else 1: a probe for containers and cron, without Django.

python -m healthcheck.ping http://127.0.0.1:8000/readyz
python -m healthcheck.ping http://127.0.0.1:8000/livez --timeout 5
"""

import socket
import sys
import time

_USAGE = "usage: python -m healthcheck.ping http://HOST[:PORT]/PATH [--timeout SECONDS]"


def main(arguments: list[str]) -> int:
    """Request the URL and print one line. A redirect is not followed and counts as a failure.

    HTTP is written by hand here: importing http.client would take as long as everything else.
    """
    url, timeout_s = _parsed(arguments)
    address, _, path = url.removeprefix("http://").partition("/")
    host, _, port = address.rpartition(":") if address.rpartition(":")[2].isdigit() else (address, "", "80")
    try:
        status = _status(host.strip("[]"), int(port), f"/{path}", address, timeout_s)
    except (OSError, ValueError) as error:
        return _print(f"no answer: {error}", 1)
    return _print(f"{status}", 0 if 200 <= status < 300 else 1)


def _parsed(arguments: list[str]) -> tuple[str, float]:
    try:
        url, *rest = arguments
        timeout_s = float(rest[rest.index("--timeout") + 1]) if rest else 2.0
    except (ValueError, IndexError):
        sys.exit(_USAGE)
    if not url.startswith("http://") or timeout_s <= 0:
        sys.exit(_USAGE)
    return url, timeout_s


def _status(host: str, port: int, path: str, address: str, timeout_s: float) -> int:
    ends_s = time.monotonic() + timeout_s
    with socket.create_connection((host, port), timeout=timeout_s) as connection:
        request = f"GET {path} HTTP/1.0\r\nHost: {address}\r\nUser-Agent: healthcheck.ping\r\n\r\n"
        connection.sendall(request.encode("ascii"))
        line = b""
        while b"\n" not in line and len(line) < 1000:
            # The limit is for the whole answer, not for each read.
            connection.settimeout(max(0.001, ends_s - time.monotonic()))
            received = connection.recv(1000)
            if not received:
                break
            line += received
    words = line.split()
    if len(words) < 2 or not words[0].startswith(b"HTTP/"):
        raise ValueError("not HTTP")
    return int(words[1])


def _print(text: str, code: int) -> int:
    sys.stdout.write(f"{text}\n")
    return code


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
