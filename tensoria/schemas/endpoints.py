"""Which schema belongs to which endpoint, and their table as data."""

from dataclasses import replace
from typing import TypedDict

from marshmallow import Schema

from tensoria.schemas.chat import ChatSchema
from tensoria.schemas.completions import CompletionSchema
from tensoria.schemas.embeddings import EmbeddingSchema
from tensoria.schemas.messages import CountSchema, MessageSchema
from tensoria.schemas.responses import ResponseSchema
from tensoria.schemas.support import Level, Support, table
from tensoria.translate.traits import Traits

ENDPOINTS: dict[str, type[Schema]] = {
    "/v1/chat/completions": ChatSchema,
    "/v1/completions": CompletionSchema,
    "/v1/embeddings": EmbeddingSchema,
    "/v1/messages": MessageSchema,
    "/v1/messages/count_tokens": CountSchema,
    "/v1/responses": ResponseSchema,
}

# The names in all their tables.
FIELDS = frozenset(name for schema in ENDPOINTS.values() for name in table(schema))

# What a model must be able to do for any field of an endpoint to mean something. Embeddings are
# not here: before 0.30 Ollama took them out of models that do not say so.
NEEDS = dict.fromkeys(
    (
        "/v1/chat/completions",
        "/v1/completions",
        "/v1/messages",
        "/v1/messages/count_tokens",
        "/v1/responses",
    ),
    "completion",
)


class FieldSupport(TypedDict):
    """One field at one model: how far it is supported, and whether ignoring it changes answers."""

    support: Level
    changes_answer: bool
    note: str


def compatibility(traits: Traits) -> dict[str, dict[str, FieldSupport]]:
    """Return the table of every endpoint, narrowed to a model and its engine."""
    return {
        path: {
            name: _narrowed(replace(each, needs=_needs(path, each, traits)), traits)
            for name, each in sorted(table(schema).items())
        }
        for path, schema in ENDPOINTS.items()
    }


def _needs(path: str, support: Support, traits: Traits) -> str | None:
    """Return what a field needs; where the model cannot serve its endpoint at all, that."""
    needed = NEEDS.get(path)
    return needed if needed and traits.lacks(needed) else support.needs


def _narrowed(support: Support, traits: Traits) -> FieldSupport:
    reason = support.why_not(traits)
    # "needs …" follows the field's name in an error, and begins a sentence here.
    notes = (f"{reason[0].upper()}{reason[1:]}." if reason else "", support.note)
    return {
        "support": support.level(traits),
        "changes_answer": support.changes,
        "note": " ".join(filter(None, notes)),
    }
