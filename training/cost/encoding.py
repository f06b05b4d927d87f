"""Find which attributes of parts and components count."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

import numpy as np

from serving.domain.part_features import PartEncoding, number_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from numpy.typing import NDArray

    from serving.domain.part_features import Attributes
    from training.cost.quotes import Catalogue

LEAST_PARTS = 20  # parts with a word from which the word counts
MOST_WORDS = 60  # words of one attribute, the most frequent
# Suppliers with a column of their own, the most frequent: one cut then tells one from all others,
# and as a tree sees only some of the columns, more trees see who quotes.
MOST_SUPPLIERS = 10
FEW_QUANTITIES = 20  # beyond it, quotes tell of the quantities between them too
NUMBERS_SHARE = 0.9  # of an attribute's values that are numbers, from which it is one


def find_encoding(
    catalogue: Catalogue, skus: Sequence[str], suppliers: Iterable[str]
) -> PartEncoding:
    """Find the encoding of the parts that were quoted.

    Args:
        catalogue: Parts and components.
        skus: Parts that were quoted, each once.
        suppliers: Supplier of each quote.
    """
    parts = [catalogue.parts[sku] for sku in skus if sku in catalogue.parts]
    least = min(LEAST_PARTS, max(2, len(parts) // 20))
    numbers, words = _kinds((part.attributes for part in parts), least)
    measured = Counter(name for part in parts for name in part.measures)
    measures = (name for name, count in sorted(measured.items()) if count >= least)
    used = [
        catalogue.components.get(component, {})
        for part in parts
        for component, _ in part.components
    ]
    component_numbers, component_words = _kinds(used, least)
    ranked = tuple(name for name, _ in Counter(suppliers).most_common())
    return PartEncoding(
        numbers=(*numbers, *measures),
        words=words,
        component_numbers=component_numbers,
        component_words=component_words,
        suppliers=ranked,
        frequent_suppliers=ranked[:MOST_SUPPLIERS],
    )


def quantities_of(units: NDArray[np.float64]) -> tuple[float, ...]:
    """Return the quantities that were quoted, each where they are few, else the least and the most.

    Args:
        units: Units of each quote, shape (n,).
    """
    quoted = np.unique(units)
    few = quoted.size <= FEW_QUANTITIES
    return tuple((quoted if few else quoted[[0, -1]]).tolist())


def _kinds(
    described: Iterable[Attributes], least: int
) -> tuple[tuple[str, ...], tuple[tuple[str, str], ...]]:
    """Return the attributes that are numbers, and the words that count of those that are not."""
    counts: dict[str, Counter[str]] = {}
    for attributes in described:
        for name, texts in attributes.items():
            counts.setdefault(name, Counter()).update(set(texts))
    numbers, words = [], []
    for name in sorted(counts):
        total = counts[name].total()
        numeric = sum(n for text, n in counts[name].items() if number_of(text) is not None)
        if numeric >= NUMBERS_SHARE * total:
            numbers.append(name)
            continue
        frequent = [(n, text) for text, n in counts[name].items() if n >= least]
        frequent.sort(key=lambda one: (-one[0], one[1]))
        words += [(name, text) for _, text in frequent[:MOST_WORDS]]
    return tuple(numbers), tuple(words)
