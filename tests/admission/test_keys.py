"""Who is admitted, by which key."""

import pytest

from tensoria.admission.keys import Keys
from tensoria.errors import AuthenticationError

ADMITTED = [
    ("no key configured, none offered", [], []),
    ("no key configured, any offered", [], [b"x"]),
    ("the key", ["secret"], [b"secret"]),
    ("the second of two keys", ["one", "two"], [b"two"]),
    ("the key in the second header", ["secret"], [b"wrong", b"secret"]),
    ("the key in the first header", ["secret"], [b"secret", b"wrong"]),
    ("a key in UTF-8", ["chave-ç"], ["chave-ç".encode()]),
    ("a key that is no UTF-8", ["\udcff"], [b"\xff"]),
    ("a long key", ["k" * 5000], [b"k" * 5000]),
]
REFUSED = [
    ("none offered", ["secret"], []),
    ("empty", ["secret"], [b""]),
    ("a beginning", ["secret"], [b"secre"]),
    ("a longer one", ["secret"], [b"secrets"]),
    ("other case", ["secret"], [b"SECRET"]),
    ("space around it", ["secret"], [b" secret "]),
    ("all keys at once", ["one", "two"], [b"one,two"]),
    ("two wrong ones", ["secret"], [b"a", b"b"]),
    ("the key in another encoding", ["chave-ç"], ["chave-ç".encode("latin-1")]),
    ("bytes that are no text", ["secret"], [b"\xff\x00"]),
]


@pytest.mark.parametrize(("_name", "keys", "offered"), ADMITTED, ids=[row[0] for row in ADMITTED])
def test_admitted(_name: str, keys: list[str], offered: list[bytes]) -> None:
    assert (Keys(keys).check(offered) is None) is (not keys)


def test_each_key_has_a_name_of_its_own_that_does_not_show_it() -> None:
    keys = Keys(["one", "two"])
    names = {keys.check([key]) for key in (b"one", b"two", b"one")}

    # printf one | sha256sum
    assert names == {"key 7692c3ad3540", "key 3fc4ccfe7458"}


@pytest.mark.parametrize(("_name", "keys", "offered"), REFUSED, ids=[row[0] for row in REFUSED])
def test_refused(_name: str, keys: list[str], offered: list[bytes]) -> None:
    with pytest.raises(AuthenticationError):
        Keys(keys).check(offered)


def test_missing_key_is_told_how_to_send_one() -> None:
    with pytest.raises(AuthenticationError, match=r"Authorization: Bearer .*X-API-Key"):
        Keys(["secret"]).check([])


def test_wrong_key_is_told_in_the_words_that_clients_look_for() -> None:
    """LiteLLM raises BadRequestError in place of AuthenticationError when they are missing."""
    with pytest.raises(AuthenticationError, match=r"^Incorrect API key provided"):
        Keys(["secret"]).check([b"sk-wrong"])


def test_wrong_key_is_not_repeated() -> None:
    with pytest.raises(AuthenticationError, match="not valid") as caught:
        Keys(["secret"]).check([b"sk-wrong"])
    assert "sk-wrong" not in caught.value.message
    assert "secret" not in caught.value.message


def test_keys_are_kept_as_digests_only() -> None:
    """A dump of the process's objects, or a debugger's line, shows no key."""
    assert "secret" not in repr(vars(Keys(["secret"])))


def test_every_key_is_compared_with_each_offered_one(monkeypatch: pytest.MonkeyPatch) -> None:
    """Stopping at the first match would let the time tell which key it was."""
    compared = []
    monkeypatch.setattr(
        "tensoria.admission.keys.hmac.compare_digest",
        lambda a, b: compared.append((a, b)) or a == b,
    )
    Keys(["one", "two"]).check([b"one", b"x"])
    assert len(compared) == 4
