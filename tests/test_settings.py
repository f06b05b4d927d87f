"""What may be set, and what no service could run with."""

from __future__ import annotations

import sys

import pytest

from serving import settings
from serving.errors import InvalidField


@pytest.mark.parametrize(
    "url",
    [
        "redis://127.0.0.1:6379/0",
        "redis://store",
        "rediss://user:p%2Fss@store:6380/2?ssl_cert_reqs=required",
        "redis://:sec@ret@[::1]:6379",
        "unix://user:pass@/run/redis.sock?db=1",
    ],
)
def test_an_address_a_redis_server_may_have_is_taken_as_the_online_store(url: str) -> None:
    assert settings.load({"PARLEVEL_ONLINE_STORE": url}).online_store == url


def test_features_are_files_below_home_unless_a_store_is_set() -> None:
    assert settings.load({"PARLEVEL_ONLINE_STORE": ""}).online_store is None


@pytest.mark.parametrize(
    "url",
    [
        "http://secret@store:6379",
        "store:6379",
        "redis://",
        "redis://store/secret",
        "redis://:secret/x@store",
        "redis://user:12/secret@store",
        "unix://",
        "redis://store#secret",
    ],
)
def test_another_address_is_refused_by_the_name_of_its_variable_and_not_repeated(url: str) -> None:
    with pytest.raises(InvalidField, match="PARLEVEL_ONLINE_STORE must be a redis://") as caught:
        settings.load({"PARLEVEL_ONLINE_STORE": url})
    assert "secret" not in str(caught.value)


def test_a_store_needs_the_client_of_redis_and_the_extra_is_named(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setitem(sys.modules, "redis", None)
    with pytest.raises(InvalidField, match=r"pip install 'parlevel-platform\[redis\]'"):
        settings.load({"PARLEVEL_ONLINE_STORE": "redis://store"})


def test_settings_are_shown_without_the_password_of_the_store() -> None:
    found = settings.load({"PARLEVEL_ONLINE_STORE": "redis://:secret@store"})
    assert "secret" not in repr(found)
