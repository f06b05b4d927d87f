"""Questions about suppliers: ``client.supplier``."""

from __future__ import annotations

from typing import TYPE_CHECKING

from parlevel.client.options import CallOptions, check_options
from parlevel.client.wire.question import as_it_is, question
from parlevel.v1 import supplier_pb2 as pb

if TYPE_CHECKING:
    from collections.abc import Iterable
    from typing import Unpack

    from parlevel.client.asks.asking import Ask, AsyncAsk
    from parlevel.client.wire.question import Question

SERVICE = "/parlevel.v1.SupplierService/"


def get_performance(supplier_id: str, options: CallOptions) -> Question[pb.GetPerformanceResponse]:
    """Ask how a supplier performed."""
    check_options(options, CallOptions)
    request = pb.GetPerformanceRequest(supplier_id=supplier_id)
    answer = pb.GetPerformanceResponse
    return question(f"{SERVICE}GetPerformance", request, answer, as_it_is, options)


def predict_lead_time(
    request: pb.PredictLeadTimeRequest, options: CallOptions
) -> Question[pb.PredictLeadTimeResponse]:
    """Ask how long an order will take."""
    check_options(options, CallOptions)
    answer = pb.PredictLeadTimeResponse
    return question(f"{SERVICE}PredictLeadTime", request, answer, as_it_is, options)


def rank_suppliers(
    supplier_ids: Iterable[str], weights: pb.SupplierWeights | None, options: CallOptions
) -> Question[pb.RankSuppliersResponse]:
    """Ask which supplier is best."""
    check_options(options, CallOptions)
    request = pb.RankSuppliersRequest(supplier_ids=supplier_ids, weights=weights)
    answer = pb.RankSuppliersResponse
    return question(f"{SERVICE}RankSuppliers", request, answer, as_it_is, options)


class SupplierQuestions:
    """How suppliers perform, how long orders take, who is best."""

    def __init__(self, ask: Ask) -> None:
        """Take what sends a question."""
        self._ask = ask

    def get_performance(
        self, supplier_id: str, **options: Unpack[CallOptions]
    ) -> pb.GetPerformanceResponse:
        """Tell how a supplier performed, with the cases behind each figure.

        Args:
            supplier_id: Supplier, 1 to 200 characters.
            **options: See ``CallOptions``.

        Returns:
            Shares, premium and lead time, as the contract says.

        Raises:
            ParlevelError: See ``parlevel.client.errors``.
        """
        return self._ask(get_performance(supplier_id, options))

    def predict_lead_time(
        self, request: pb.PredictLeadTimeRequest, **options: Unpack[CallOptions]
    ) -> pb.PredictLeadTimeResponse:
        """Predict how long an order will take.

        Args:
            request: Supplier, plant, item, promise and levels.
            **options: See ``CallOptions``.

        Returns:
            Days at each level.

        Raises:
            ParlevelError: See ``parlevel.client.errors``.
        """
        return self._ask(predict_lead_time(request, options))

    def rank_suppliers(
        self,
        supplier_ids: Iterable[str],
        weights: pb.SupplierWeights | None = None,
        **options: Unpack[CallOptions],
    ) -> pb.RankSuppliersResponse:
        """Rank suppliers by weighted criteria.

        Args:
            supplier_ids: Two or more.
            weights: What each criterion counts, together 1; default: the server's.
            **options: See ``CallOptions``.

        Returns:
            Suppliers, best first, with every score.

        Raises:
            ParlevelError: See ``parlevel.client.errors``.
        """
        return self._ask(rank_suppliers(supplier_ids, weights, options))


class AsyncSupplierQuestions:
    """The same questions, awaited."""

    def __init__(self, ask: AsyncAsk) -> None:
        """Take what sends a question."""
        self._ask = ask

    async def get_performance(
        self, supplier_id: str, **options: Unpack[CallOptions]
    ) -> pb.GetPerformanceResponse:
        """Tell how a supplier performed; see ``SupplierQuestions``."""
        return await self._ask(get_performance(supplier_id, options))

    async def predict_lead_time(
        self, request: pb.PredictLeadTimeRequest, **options: Unpack[CallOptions]
    ) -> pb.PredictLeadTimeResponse:
        """Predict how long an order will take; see ``SupplierQuestions``."""
        return await self._ask(predict_lead_time(request, options))

    async def rank_suppliers(
        self,
        supplier_ids: Iterable[str],
        weights: pb.SupplierWeights | None = None,
        **options: Unpack[CallOptions],
    ) -> pb.RankSuppliersResponse:
        """Rank suppliers by weighted criteria; see ``SupplierQuestions``."""
        return await self._ask(rank_suppliers(supplier_ids, weights, options))
