"""Lists of models in Anthropic's form (docs.anthropic.com/en/api/models-list)."""

from collections.abc import Sequence
from datetime import UTC, datetime

from tensoria.errors import InvalidRequest
from tensoria.wire.messages import ModelInfo, ModelPage
from tensoria.wire.openai import Model


def to_model_info(model: Model) -> ModelInfo:
    """Return a model; one without a date is of 1970, as Anthropic's own are."""
    created = datetime.fromtimestamp(model["created"], UTC)
    info: ModelInfo = {
        "type": "model",
        "id": model["id"],
        "display_name": model["id"],
        "created_at": created.strftime("%Y-%m-%dT%H:%M:%SZ"),
        "lifecycle": "active",
    }
    if "context_length" in model:
        info["max_input_tokens"] = model["context_length"]
    return info


def to_model_page(
    models: Sequence[Model], *, limit: int, after: str | None = None, before: str | None = None
) -> ModelPage:
    """Return a page: the first ones, those after an id, or the last ones before one.

    Raises InvalidRequest for an id that is not in the list.
    """
    ids = [model["id"] for model in models]
    begin = _place(ids, after, "after_id") + 1 if after else 0
    end = _place(ids, before, "before_id") if before else len(ids)
    found = models[begin:end]
    page = found[-limit:] if before and not after else found[:limit]
    return {
        "data": [to_model_info(model) for model in page],
        "has_more": len(page) < len(found),
        "first_id": page[0]["id"] if page else None,
        "last_id": page[-1]["id"] if page else None,
    }


def _place(ids: Sequence[str], id_: str, param: str) -> int:
    if id_ not in ids:
        raise InvalidRequest(f"Invalid value for '{param}': no model has this id.", param=param)
    return ids.index(id_)
