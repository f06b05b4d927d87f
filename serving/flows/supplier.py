"""The path of a supplier question: query -> reference documents -> answer; no model."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from serving.domain.series import SEPARATOR, Provenance, check_key
from serving.domain.supplier import (
    FORMULA_VERSION,
    LeadTimeHistory,
    Performance,
    PerformanceAnswer,
    Share,
    order_groups,
    predict_lead_time,
    rank_suppliers,
)
from serving.errors import MissingInput, UnknownSupplier

if TYPE_CHECKING:
    from serving.domain.supplier import (
        LeadTimePrediction,
        LeadTimeQuery,
        RankingQuery,
        SupplierRanking,
    )
    from serving.ports import ReferenceReader

PERFORMANCE, LEAD_TIME = "performance", "lead_time"


class SupplierFlow:
    """Answers how suppliers perform."""

    def __init__(self, reference: ReferenceReader) -> None:
        """Take the reader of what the tables say."""
        self._reference = reference

    def get_performance(self, supplier_id: str) -> PerformanceAnswer:
        """Tell how a supplier performed.

        Raises:
            InvalidField: If the supplier is no key.
            UnknownSupplier: If no past order is theirs.
            MissingInput: If no purchase orders are stored.
        """
        check_key("supplier_id", supplier_id)
        found = self._performance("supplier_id", supplier_id)
        return PerformanceAnswer(found, Provenance(formula_version=FORMULA_VERSION))

    def predict_lead_time(self, query: LeadTimeQuery) -> LeadTimePrediction:
        """Predict how long an order will take.

        Raises:
            UnknownSupplier: If no past order is of that supplier.
            MissingInput: If no purchase orders are stored.
        """
        self._performance("supplier_id", query.supplier_id)
        for group in order_groups(query.supplier_id, query.plant_id, query.sku):
            body = self._reference.document(LEAD_TIME, SEPARATOR.join(group))
            if body is not None:
                named = tuple(name for name in group if name)
                return predict_lead_time(query, named, _history(body))
        raise MissingInput("supplier_id", "purchase_orders")

    def rank_suppliers(self, query: RankingQuery) -> SupplierRanking:
        """Rank suppliers by weighted criteria.

        Raises:
            UnknownSupplier: If no past order is of one of them.
            MissingInput: If no purchase orders are stored.
        """
        performances = [
            self._performance(f"supplier_ids[{index}]", name)
            for index, name in enumerate(query.supplier_ids)
        ]
        return rank_suppliers(query, performances)

    def _performance(self, field: str, supplier_id: str) -> Performance:
        body = self._reference.document(PERFORMANCE, supplier_id)
        if body is not None:
            for name in ("on_time", "defects"):
                body[name] = Share(**body[name])
            return Performance(**body)
        if self._reference.document(LEAD_TIME, "") is None:
            raise MissingInput(field, "purchase_orders")
        raise UnknownSupplier(field, supplier_id)


def _history(body: dict[str, Any]) -> LeadTimeHistory:
    days = {
        name: None if body[name] is None else np.array(body[name], dtype=np.float64)
        for name in ("lead_time", "delay")
    }
    return LeadTimeHistory(orders=body["orders"], open_orders=body["open_orders"], **days)
