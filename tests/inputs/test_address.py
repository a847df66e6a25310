"""Addresses: which are taken for what, and that nobody reads a secret out of what is shown of them."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gpuheat.errors import VideoError
from gpuheat.inputs.address import ends_only_when_asked, hide_secrets, origin_of, without_secrets

SECRET = "s3cr3t"
AROUND = st.text(st.sampled_from("ab1:@/?#;&=%[]\\ '\"-.\nü") | st.characters(codec="utf-8"), max_size=5)


@pytest.mark.parametrize(
    ("address", "shown"),
    [
        ("rtsp://user:secret@host/path?token=abc", "rtsp://***@host/path"),
        ("rtsp://user:secret@host:554/path", "rtsp://***@host:554/path"),
        ("rtsp://host/path", "rtsp://host/path"),
        ("rtsp://user@host", "rtsp://***@host"),
        ("rtsp://user:@host/", "rtsp://***@host/"),
        ("rtsp://user:secret@", "rtsp://***@"),
        ("rtsp://us%40er:se%2Fcret%3F@host/a/b", "rtsp://***@host/a/b"),
        ("rtsp://user:sec@ret@host/path", "rtsp://***@host/path"),
        ("rtsp://user:s:e:c@host/path", "rtsp://***@host/path"),
        ("rtsp://user:sec/ret@host/path", "rtsp://***"),
        ("rtsp://user:sec?ret@host/path", "rtsp://***"),
        ("rtsp://user:sec#ret@host/path", "rtsp://***"),
        ("http://host/path?mail=a@b&password=abc", "http://***"),
        ("http://user:secret@[fe80::1%25eth0]:8080/path", "http://***@[fe80::1%25eth0]:8080/path"),
        ("http://[::1]/path?a=1&b=2&c", "http://[::1]/path"),
        ("http://host?token=abc", "http://host"),
        ("http://host/path#token", "http://host/path"),
        ("http://host/path;session=abc/x", "http://host/path"),
        ("rtsp://host/user=admin&password=abc&channel=1/live", "rtsp://host/***/live"),
        ("http://host/path%3Ftoken%3Dabc", "http://host/***"),
        ("RTSP://User:Secret@Host/Path", "RTSP://***@Host/Path"),
        ("udp://239.0.0.1:1234?localaddr=10.0.0.1", "udp://239.0.0.1:1234"),
        ("s3://bucket/camera=1/day.mp4?versionId=abc", "s3://bucket/camera=1/day.mp4"),
        ("S3://key:secret@bucket/person=1.csv", "S3://***@bucket/person=1.csv"),
        ("ftp://host/password=abc/day.mp4", "ftp://host/***/day.mp4"),
        ("street.mp4", "street.mp4"),
        ("-", "-"),
    ],
)
def test_what_is_shown_of_an_address(address: str, shown: str) -> None:
    assert without_secrets(address) == shown


@settings(max_examples=60)
@given(AROUND, AROUND, st.sampled_from(["user", "password", "value", "second value", "fragment", "path value"]))
def test_no_secret_is_shown_whatever_stands_around_it(before: str, after: str, place: str) -> None:
    secret = before + SECRET + after
    address = {
        "user": f"rtsp://{secret}:x@host/path",
        "password": f"rtsp://user:{secret}@host/path",
        "value": f"http://user:x@host/path?token={secret}",
        "second value": f"http://host/path?a=1&token={secret}&b=2",
        "fragment": f"http://host/path#{secret}",
        "path value": f"rtsp://host/password={SECRET}",
    }[place]
    assert SECRET not in without_secrets(address)
    assert SECRET not in hide_secrets(f"no such file: {address!r} ({address})", ["-o", address])


def test_addresses_in_a_text_that_were_not_given() -> None:
    text = (
        "403, url='http://u:pw@host/b.csv?token=secret' (see http://host/a?x=secret), http://host/c.csv; tcp://host:1."
    )
    assert hide_secrets(text, ["http://u:pw@host/a.csv?token=secret"]) == (
        "403, url='http://***@host/b.csv' (see http://host/a), http://host/c.csv; tcp://host:1."
    )


def test_what_an_address_is_taken_for(tmp_path: Path) -> None:
    origin = origin_of("RTSP://user:secret@host/path")
    assert origin is not None
    assert (origin.name, origin.comes_back, origin.format) == ("RTSP://***@host/path", True, None)
    assert "secret" not in repr(origin)
    assert "secret" in origin.url
    for file in (
        str(tmp_path),
        tmp_path,
        "street.mp4",
        "./rtsp://host",
        "12:30.mp4",
        "/dev/null",
        "/dev/none",
        Path("-"),
    ):
        assert origin_of(file) is None
        assert not ends_only_when_asked(file)
    os.mkfifo(tmp_path / "pipe")
    assert origin_of(tmp_path / "pipe") is None
    assert ends_only_when_asked(tmp_path / "pipe")
    assert ends_only_when_asked("http://host/path")


def test_addresses_that_are_none() -> None:
    with pytest.raises(VideoError, match=r"^rstp://\*\*\*@host/path: addresses begin with http, .*put \./ in front"):
        origin_of("rstp://user:secret@host/path")
    with pytest.raises(VideoError, match=r"^rtsp:/\*\*\*@host/path: an address has two slashes"):
        origin_of(Path("rtsp://user:secret@host/path"))
