"""The path of a question about models: name -> description."""

from __future__ import annotations

from typing import TYPE_CHECKING

from serving.errors import InvalidField, UnknownModel

if TYPE_CHECKING:
    from collections.abc import Sequence

    from serving.domain.model import ModelDescription, RefusedModel
    from serving.ports import Describing


class ModelFlow:
    """Answers which models serve, and whether they can be trusted."""

    def __init__(self, sources: Sequence[Describing]) -> None:
        """Take the sources of the models that answer."""
        self._sources = sources

    def list_models(self) -> list[ModelDescription | RefusedModel]:
        """Return every model that serves or was refused, ordered by name."""
        found = (one for source in self._sources for one in source.descriptions())
        return sorted(found, key=lambda one: one.name)

    def get_model(self, name: str) -> ModelDescription | RefusedModel:
        """Return the model that answers under a name, or why none does.

        Raises:
            InvalidField: If the name is empty.
            UnknownModel: If no release has that name.
        """
        if not name:
            raise InvalidField("name", "is required")
        for description in self.list_models():
            if description.name == name:
                return description
        raise UnknownModel(name)
