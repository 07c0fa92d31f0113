"""Lists of models in Anthropic's form."""

from typing import Any

import pytest

from tensoria.errors import InvalidRequest
from tensoria.translate.message_models import to_model_info, to_model_page


def model(id_: str, **more: Any) -> Any:
    return {"id": id_, "object": "model", "created": 0, "owned_by": "library", **more}


FOUR = [model(name) for name in "abcd"]


def test_a_model_with_its_context() -> None:
    assert to_model_info(model("m", created=1_700_000_000, context_length=4096)) == {
        "type": "model",
        "id": "m",
        "display_name": "m",
        "created_at": "2023-11-14T22:13:20Z",
        "lifecycle": "active",
        "max_input_tokens": 4096,
    }


def test_a_model_without_a_date_is_of_1970() -> None:
    info = to_model_info(model("m"))

    assert info["created_at"] == "1970-01-01T00:00:00Z"
    assert "max_input_tokens" not in info


@pytest.mark.parametrize(
    ("query", "ids", "has_more"),
    [
        ({"limit": 20}, "abcd", False),
        ({"limit": 2}, "ab", True),
        ({"limit": 2, "after": "b"}, "cd", False),
        ({"limit": 1, "after": "b"}, "c", True),
        ({"limit": 20, "after": "d"}, "", False),
        ({"limit": 2, "before": "d"}, "bc", True),
        ({"limit": 20, "before": "c"}, "ab", False),
        ({"limit": 1, "after": "a", "before": "d"}, "b", True),
    ],
)
def test_pages(query: Any, ids: str, has_more: bool) -> None:
    page = to_model_page(FOUR, **query)

    assert [each["id"] for each in page["data"]] == list(ids)
    assert page["has_more"] is has_more
    assert (page["first_id"], page["last_id"]) == ((ids[0], ids[-1]) if ids else (None, None))


@pytest.mark.parametrize("where", ["after", "before"])
def test_an_unknown_id_is_named(where: Any) -> None:
    with pytest.raises(InvalidRequest) as raised:
        to_model_page(FOUR, limit=5, **{where: "x"})

    assert raised.value.param == f"{where}_id"
