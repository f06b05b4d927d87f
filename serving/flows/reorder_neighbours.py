"""What neighbours can spare: their stock beyond what they need themselves."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING

from serving.domain.reorder_levels import decide
from serving.domain.supply import TransferOption
from serving.errors import ParlevelError
from serving.flows.reorder_covers import one_each
from serving.flows.reorder_options import weigh

if TYPE_CHECKING:
    from collections.abc import Sequence

    from serving.domain.demand import Cover
    from serving.domain.replenishment import Reorder
    from serving.flows.reorder_drafts import Draft
    from serving.flows.reorder_sources import Weighing
    from serving.flows.reorder_tables import Neighbour

    Asked = tuple[Neighbour, Draft]


def weighed(draft: Draft, cover: Cover, theirs: Sequence[Cover | ParlevelError]) -> Reorder:
    """Weigh a question's options, transfers of the tables among them.

    Args:
        draft: The question, with its options.
        cover: What is forecast for it.
        theirs: What is forecast for its neighbours, or why nothing is.

    Returns:
        What to order.
    """
    weighing, warnings = draft.weighing, draft.warnings
    if weighing is None:
        raise AssertionError
    if draft.neighbours:
        weighing, unweighed = _with_transfers(weighing, draft.neighbours, theirs)
        warnings += unweighed
    return weigh(weighing, cover, draft.table_inputs, warnings)


def _with_transfers(
    weighing: Weighing, asked: Sequence[Asked], covers: Sequence[Cover | ParlevelError]
) -> tuple[Weighing, tuple[str, ...]]:
    """Let a question weigh transfers of what its neighbours can spare.

    A neighbour spares what it has in stock, less what it owes, beyond its own order-up-to level.

    Args:
        weighing: The question.
        asked: Its neighbours, each with a draft of its own order.
        covers: What is forecast for each neighbour, or why nothing is.

    Returns:
        The question, and which neighbours are not weighed.
    """
    options, warnings = [], []
    for (neighbour, draft), cover in zip(asked, covers, strict=True):
        if isinstance(cover, ParlevelError):
            failure: ParlevelError | None = cover
        else:
            failure = draft.missing
        if isinstance(cover, ParlevelError) or failure is not None:
            warnings.append(f"a transfer from {neighbour.location} is not weighed: {failure}")
            continue
        spared = _spared(draft, cover)
        if neighbour.capacity is not None:
            spared = min(spared, neighbour.capacity)
        if spared > 0:
            options.append(TransferOption(neighbour.location, spared, neighbour.days))
    if options:
        warnings.append("no table tells what a transfer costs: 0 a unit is assumed")
    supply = dataclasses.replace(weighing.supply, transfers=tuple(options))
    return dataclasses.replace(weighing, supply=supply), tuple(warnings)


def _spared(draft: Draft, cover: Cover) -> float:
    """Return the units a neighbour has beyond its own level."""
    terms = draft.terms
    demand = one_each([draft.asked], [draft.days], [cover])
    level = float(decide(terms, demand, draft.query.method).order_up_to[0])
    return float(terms.on_hand[0] - terms.backorders[0]) - level
