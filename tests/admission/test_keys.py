"""Who is admitted, by which key."""

from datetime import UTC, datetime

import pytest

from tensoria.admission.key import Key
from tensoria.admission.keys import Keys, digest
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
    found = [keys.check([key]) for key in (b"one", b"two", b"one")]
    names = {key and key.name for key in found}

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


PAST, FUTURE = datetime(2020, 2, 1, tzinfo=UTC), datetime(2999, 1, 1, tzinfo=UTC)
ANN = Key(name="ann", listed=True)


def test_a_key_of_the_file_is_let_in_by_its_digest() -> None:
    assert Keys([], {digest(b"secret"): ANN}).check([b"wrong", b"secret"]) is ANN


@pytest.mark.parametrize("keys", [[], ["own"]])
def test_a_file_without_keys_admits_nobody(keys: list[str]) -> None:
    with pytest.raises(AuthenticationError):
        Keys(keys, {}).check([b"secret"])


def test_a_key_in_both_has_the_limits_of_the_file() -> None:
    assert Keys(["secret"], {digest(b"secret"): ANN}).check([b"secret"]) is ANN


def test_a_key_that_has_expired_is_refused_with_the_day() -> None:
    keys = Keys([], {digest(b"secret"): Key(name="ann", expires=PAST)})

    with pytest.raises(
        AuthenticationError,
        match=r"^Incorrect API key provided: it expired on 2020-02-01 at 00:00 UTC",
    ):
        keys.check([b"secret"])


def test_a_key_that_expires_later_is_let_in() -> None:
    later = Key(name="ann", expires=FUTURE)

    assert Keys([], {digest(b"secret"): later}).check([b"secret"]) is later


@pytest.mark.parametrize("offered", [[b"old", b"new"], [b"new", b"old"]])
def test_of_two_keys_the_one_that_holds_counts(offered: list[bytes]) -> None:
    listed = {digest(b"old"): Key(name="old", expires=PAST), digest(b"new"): ANN}

    assert Keys([], listed).check(offered) is ANN


def test_the_metrics_key_admits_to_metrics_and_to_nothing_else() -> None:
    keys = Keys(["own"], None, "scrape")
    keys.check_metrics([b"scrape"])

    with pytest.raises(AuthenticationError):
        keys.check([b"scrape"])


def test_the_metrics_key_admits_to_nothing_else_although_the_file_has_it() -> None:
    keys = Keys([], {digest(b"scrape"): ANN}, "scrape")

    with pytest.raises(AuthenticationError):
        keys.check([b"scrape"])


def test_a_key_of_the_settings_admits_to_metrics() -> None:
    Keys(["own"], {}, None).check_metrics([b"own"])
    Keys(["own"], {}, "scrape").check_metrics([b"x", b"own"])


@pytest.mark.parametrize(
    ("keys", "metrics_key", "offered"),
    [
        (["own"], None, []),
        (["own"], None, [b"secret"]),
        (["own"], "scrape", [b"scrap"]),
        ([], "scrape", []),
        ([], None, [b"secret"]),
    ],
)
def test_metrics_without_a_key_for_them_are_refused(
    keys: list[str], metrics_key: str | None, offered: list[bytes]
) -> None:
    """A key of the file is none: its holder is not to see what others do."""
    with pytest.raises(AuthenticationError):
        Keys(keys, {digest(b"secret"): ANN}, metrics_key).check_metrics(offered)


def test_metrics_are_open_where_all_is() -> None:
    Keys([]).check_metrics([])


def test_a_metrics_key_alone_closes_the_metrics_alone() -> None:
    keys = Keys([], None, "scrape")

    assert keys.check([]) is None
    with pytest.raises(AuthenticationError):
        keys.check_metrics([])
