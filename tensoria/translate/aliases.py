"""Other names for models (MODEL_ALIASES), and what is said when one leads nowhere."""

from collections.abc import Iterable, Mapping

from tensoria.translate.names import canonical
from tensoria.wire.openai import Model


class Aliases:
    """Names that the operator gave to models, matched as models are.

    An alias wins over an installed model of the same name: the operator has set it. What an alias
    stands for is the name of a model, never of another alias.
    """

    def __init__(self, pairs: Mapping[str, str]) -> None:
        self._pairs = pairs
        self._targets = {canonical(alias): target for alias, target in pairs.items()}

    def meant(self, name: str) -> str:
        """Return the model that a name stands for: mostly itself."""
        # Names without an alias are the rule, and there is no need to look at their spelling.
        return self._targets.get(canonical(name), name) if self._targets else name

    def explained(self, name: str, message: str) -> str:
        """Put before an error's message what the name that was asked for stands for, if it does."""
        if self._targets and canonical(name) in self._targets:
            return f"'{name[:100]}' stands for '{self.meant(name)}' (MODEL_ALIASES). {message}"
        return message

    def names(self) -> list[str]:
        """Return the aliases as the operator wrote them."""
        return list(self._pairs)

    def hiding(self, installed: Iterable[str]) -> list[str]:
        """Return the installed models that cannot be reached, because an alias has their name."""
        return [
            name
            for name in installed
            if canonical(name) in self._targets and canonical(self.meant(name)) != canonical(name)
        ]

    def named(self, name: str, model: Model) -> Model:
        """Return a model under the alias by which it was asked for, or as it is."""
        for alias in self._pairs:
            if canonical(alias) == canonical(name):
                return {**model, "id": alias, "alias_of": model["id"]}
        return model

    def added_to(self, models: Mapping[str, Model]) -> list[Model]:
        """Return a list of models with their aliases, and without those that an alias hides.

        `models` are by all of their names (`canonical`), so that one may come more than once.
        """
        found = {model["id"]: model for model in models.values()}
        hidden = {canonical(alias) for alias in self._pairs}
        visible = [model for name, model in found.items() if canonical(name) not in hidden]
        return visible + [
            self.named(alias, models[canonical(target)])
            for alias, target in self._pairs.items()
            if canonical(target) in models
        ]
