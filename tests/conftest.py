"""What holds for every test: no network beyond this machine, and settings that nobody inherits."""

import os
import socket
import sys
from ipaddress import ip_address
from typing import Any

import pytest
import structlog
from hypothesis import settings

# A shared machine has slow moments; a law does not break because of one.
settings.register_profile("digest", deadline=None)
settings.load_profile("digest")


def pytest_configure() -> None:
    """Take the developer's own settings away, and the network."""
    for name in [
        n for n in os.environ if n.startswith("DIGEST_") and ("__" in n or "PROJECT" in n)
    ]:
        del os.environ[name]
    for name in [n for n in os.environ if n.lower().endswith("_proxy")]:
        del os.environ[name]
    sys.addaudithook(_stay_on_this_machine)


@pytest.fixture(autouse=True)
def _plain_logging() -> None:
    """Undo what a command that ran in this process made of the log."""
    structlog.reset_defaults()


def _stay_on_this_machine(event: str, arguments: tuple[Any, ...]) -> None:
    """Fail a test that connects or looks up a name beyond loopback, instead of letting it."""
    if event == "socket.connect":
        connection, address = arguments
        is_internet = connection.family in (socket.AF_INET, socket.AF_INET6)
        if is_internet and not _is_loopback(address[0]):
            pytest.fail(f"A test connects to {address[0]}; tests stay on this machine.")
    elif event == "socket.getaddrinfo" and arguments[0]:
        host = arguments[0].decode() if isinstance(arguments[0], bytes) else arguments[0]
        is_near = host == "localhost" or host.endswith((".localhost", ".invalid"))
        if not is_near and not _is_number(host):
            pytest.fail(f"A test looks up {host!r}; tests stay on this machine.")


def _is_loopback(address: str) -> bool:
    try:
        return ip_address(address.partition("%")[0]).is_loopback
    except ValueError:
        return address == "localhost"


def _is_number(host: str) -> bool:
    """Tell whether the system takes `host` for an address, in any notation, and asks nobody."""
    for family in (socket.AF_INET, socket.AF_INET6):
        try:
            socket.inet_pton(family, host.partition("%")[0])
        except OSError:
            continue
        return True
    try:
        socket.inet_aton(host)
    except OSError:
        return False
    return True
