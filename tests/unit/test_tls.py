"""The files of TLS: each that cannot be used is told with what to do, and none is asked for on a terminal."""

import os
import ssl
from pathlib import Path

import pytest
from cryptography.hazmat.primitives import serialization

from demo.certificates import Authority, Certificate
from wire.tls import LARGEST_FILE, Tls, Untrusted


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return Authority.made(tmp_path_factory.mktemp("authority"))


@pytest.fixture
def own(authority: Authority) -> Certificate:
    return authority.certify("own")


def told(tls: Tls) -> str:
    with pytest.raises(Untrusted) as caught:
        tls.context()
    return str(caught.value)


@pytest.mark.parametrize("named", [False, True])
def test_the_broker_must_always_prove_who_it_is(authority: Authority, *, named: bool) -> None:
    context = Tls(authority.file if named else None).context()
    assert context.check_hostname
    assert context.verify_mode == ssl.CERT_REQUIRED
    assert context.minimum_version >= ssl.TLSVersion.TLSv1_2


def test_only_the_named_authority_is_believed(authority: Authority) -> None:
    assert len(Tls(authority.file).context().get_ca_certs()) == 1


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o620, 0o601])
def test_a_key_that_others_can_use_is_refused(own: Certificate, mode: int) -> None:
    own.key.chmod(mode)
    assert told(Tls(None, own.certificate, own.key)) == (f"{own.key} can be read by others. Run `chmod 600 {own.key}`.")


def test_a_key_of_another_certificate_is_refused(authority: Authority, own: Certificate) -> None:
    other = authority.certify("other")
    assert f"{other.key} is not the key of {own.certificate}" in told(Tls(None, own.certificate, other.key))


def test_a_key_with_a_passphrase_is_refused_and_nobody_is_asked_for_it(own: Certificate) -> None:
    key = serialization.load_pem_private_key(own.key.read_bytes(), None)
    own.key.write_bytes(
        key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.BestAvailableEncryption(b"sesame"),
        )
    )
    assert "is locked with a passphrase. Take it off" in told(Tls(None, own.certificate, own.key))


def test_half_of_a_pair_is_refused(own: Certificate) -> None:
    for half in (Tls(certificate=own.certificate), Tls(key=own.key)):
        assert "Name both, or neither" in told(half)


def test_what_is_no_file_of_certificates_is_refused(tmp_path: Path, own: Certificate) -> None:
    assert "No such file" in told(Tls(tmp_path / "nowhere"))
    assert "is not a file" in told(Tls(tmp_path))
    os.mkfifo(tmp_path / "pipe", 0o600)  # to open it would wait for ever
    assert "is not a file" in told(Tls(tmp_path / "pipe"))
    assert "is not a file" in told(Tls(None, own.certificate, tmp_path / "pipe"))
    assert "null byte" in told(Tls(Path("a\0b")))
    text = tmp_path / "text"
    text.write_text("no certificate")
    text.chmod(0o600)
    assert f"{text} holds no certificate in PEM" in told(Tls(text))
    assert "Both must be in PEM" in told(Tls(None, text, own.key))
    assert "Both must be in PEM" in told(Tls(None, own.certificate, text))
    with text.open("r+b") as file:
        file.truncate(LARGEST_FILE + 1)
    assert "is larger than 4 MiB" in told(Tls(text))


def test_no_key_is_ever_shown(own: Certificate) -> None:
    secret = own.key.read_text().splitlines()[1]
    assert secret not in repr(Tls(None, own.certificate, own.key))


async def test_a_host_that_no_certificate_can_be_for_is_refused(authority: Authority) -> None:
    for host in ("", ".example.org", "a\0b", "x" * 64 + ".org"):
        with pytest.raises(Untrusted, match="No certificate can be for"):
            await Tls(authority.file).open(host, host)
