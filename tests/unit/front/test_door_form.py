"""Forms with files, byte by byte."""

from __future__ import annotations

import pytest

from craton.front.door_form import BadForm, Field, read_form

TYPE = b"multipart/form-data; boundary=cut"
BINARY = bytes(range(256)) + b"\r\n--cu\r\n\n--cut"


def body(*parts: tuple[bytes, bytes]) -> bytes:
    return b"".join(b"--cut\r\n%b\r\n\r\n%b\r\n" % part for part in parts) + b"--cut--\r\n"


def test_fields_and_files_are_read() -> None:
    """Names, file names, media types, and bytes as they are, a boundary's beginning within them too."""
    form = body(
        (b'Content-Disposition: form-data; name="prompt"', "Grüße".encode()),
        (b'Content-Disposition: form-data; name="image"; filename="a.png"\r\nContent-Type: image/png', BINARY),
    )
    assert read_form(TYPE, form) == [
        Field("prompt", "Grüße".encode()),
        Field("image", BINARY, "a.png", "image/png"),
    ]
    assert read_form(b'multipart/form-data; charset=x; boundary="cut"', form)[0].name == "prompt"


@pytest.mark.parametrize(
    ("content_type", "form"),
    [
        (b"application/json", b"{}"),
        (b"multipart/form-data", body()),
        (TYPE, b""),
        (TYPE, b"--cut\r\n\r\nx"),
        (TYPE, b'--cut\r\nContent-Disposition: form-data; name="a"\r\n\r\nx\r\n'),
        (TYPE, body((b"Content-Disposition: form-data", b"x"))),
        (TYPE, body(*[(b'Content-Disposition: form-data; name="a"', b"")] * 300)),
    ],
    ids=["json", "no boundary", "empty", "cut off", "no end", "no name", "too many"],
)
def test_what_is_no_form_is_refused(content_type: bytes, form: bytes) -> None:
    """With a reason."""
    with pytest.raises(BadForm):
        read_form(content_type, form)
