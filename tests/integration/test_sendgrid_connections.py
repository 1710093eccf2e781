"""Connections to the provider: encrypted, kept, and with nothing sent before they stand."""

import datetime as dt
import socket
import ssl
import threading
from ipaddress import IPv4Address
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from digest.model.deliveries import Accepted, Unavailable, Unsent
from digest.settings import SendgridSettings
from digest.testing.factories import NOON, make_handover
from digest.transports.sendgrid import SendgridTransport
from digest.transports.sendgrid_connections import Limits
from tests.loopback import TLS
from tests.rawserver import Serve, read_request, reply, serving

KEY = "SG.canary.key"
PATIENT = Limits(connect=20, read=20, total=40)  # for what ends by itself, on a busy machine


def make_certificate(path: Path) -> Path:
    """Write a key and a certificate for 127.0.0.1, which is its own authority."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "loopback")])
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(dt.datetime(2020, 1, 1, tzinfo=dt.UTC))
        .not_valid_after(dt.datetime(2120, 1, 1, tzinfo=dt.UTC))
        .add_extension(
            x509.SubjectAlternativeName([x509.IPAddress(IPv4Address("127.0.0.1"))]), critical=False
        )
        .sign(key, hashes.SHA256())
    )
    pem = serialization.Encoding.PEM
    private = key.private_bytes(
        pem, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    path.write_bytes(private + certificate.public_bytes(pem))
    return path


def open_transport(
    url: str, *, tls: ssl.SSLContext | None = None, limits: Limits = PATIENT
) -> SendgridTransport:
    return SendgridTransport(SendgridSettings(host=url), KEY, tls=tls, limits=limits)


@pytest.mark.parametrize(
    "greeting", [b"", b"\x15\x03\x01\x00\x02\x02\x28", b"HTTP/1.1 202 Yes\r\n"]
)
def test_encryption_that_fails_is_certainly_no_hand_over(greeting: bytes) -> None:
    def serve(connection: socket.socket) -> None:
        connection.recv(65536)
        connection.sendall(greeting)

    with serving(serve) as url:
        transport = open_transport(url.replace("http:", "https:"))
        assert isinstance(transport.submit(make_handover(), now=NOON), Unavailable)


def test_handshake_that_never_ends_is_certainly_no_hand_over() -> None:
    def serve(connection: socket.socket) -> None:
        while connection.recv(65536):
            pass

    with serving(serve) as url:
        limits = Limits(connect=0.3, read=20, total=40)
        transport = open_transport(url.replace("http:", "https:"), limits=limits)
        assert isinstance(transport.submit(make_handover(), now=NOON), Unavailable)


def encrypting(certificate: Path, seen: list[bytes]) -> Serve:
    """Answer 202 to all requests of an encrypted connection, and note them in `seen`."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate)

    def serve(connection: socket.socket) -> None:
        with context.wrap_socket(connection, server_side=True) as encrypted:
            while request := read_request(encrypted):
                seen.append(request)
                encrypted.sendall(reply("202 Accepted", X_Message_Id="m-1"))

    return serve


@pytest.mark.parametrize("is_trusted", [False, True])
def test_host_with_a_wrong_certificate_gets_neither_key_nor_mail(is_trusted: bool) -> None:
    seen: list[bytes] = []
    trusted = ssl.create_default_context(cafile=str(TLS / "authority.pem"))
    trusted.check_hostname = False  # urllib3 then looks at the name itself
    with serving(encrypting(TLS / "site.pem", seen)) as url:
        tls = trusted if is_trusted else None
        transport = open_transport(url.replace("http:", "https:"), tls=tls)
        assert isinstance(transport.submit(make_handover(), now=NOON), Unavailable)
    assert not seen


def test_several_hand_overs_share_one_encrypted_connection(tmp_path: Path) -> None:
    seen: list[bytes] = []
    certificate = make_certificate(tmp_path / "loopback.pem")
    trusted = ssl.create_default_context(cafile=str(certificate))
    with serving(encrypting(certificate, seen)) as url:
        transport = open_transport(url.replace("http:", "https:"), tls=trusted)
        for _ in range(3):  # the server takes one connection at a time
            outcome = transport.submit(make_handover(), now=NOON)
            assert isinstance(outcome, Accepted)
            assert outcome.reference == "m-1"
        transport.close()
    assert len(seen) == 3


def test_request_that_was_taken_back_is_never_made() -> None:
    seen: list[bytes] = []

    def serve(connection: socket.socket) -> None:
        while request := read_request(connection):
            seen.append(request)
            connection.sendall(reply("202 Accepted"))

    with serving(serve) as url:
        transport = open_transport(url)
        withheld = make_handover(may_send=lambda: False)
        assert isinstance(transport.submit(withheld, now=NOON), Unsent)
        assert isinstance(transport.submit(make_handover(), now=NOON), Accepted)
        assert isinstance(transport.submit(withheld, now=NOON), Unsent)
        transport.close()
    assert len(seen) == 1


def test_connection_that_the_host_closed_meanwhile_is_replaced() -> None:
    closed = threading.Semaphore(0)

    def serve(connection: socket.socket) -> None:
        read_request(connection)
        connection.sendall(reply("202 Accepted"))
        connection.shutdown(socket.SHUT_RDWR)
        closed.release()

    with serving(serve) as url:
        transport = open_transport(url)
        for _ in range(3):
            assert isinstance(transport.submit(make_handover(), now=NOON), Accepted)
            assert closed.acquire(timeout=20)
        transport.close()
