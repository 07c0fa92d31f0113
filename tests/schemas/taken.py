from marshmallow import Schema

from tensoria.schemas.support import table


def taken(schema: type[Schema]) -> set[str]:
    """Return the fields that at least one kind of engine sees, in some form."""
    return {
        name
        for name, each in table(schema).items()
        if not {each.ollama, each.llamacpp, each.openai} <= {"ignored", "refused"}
    }
