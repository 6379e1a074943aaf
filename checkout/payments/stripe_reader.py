"""The connection to Stripe, and what it says of money; see `checkout.payments.stripe`."""

import logging
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, tzinfo
from typing import Any
from urllib.parse import quote
from uuid import UUID

import stripe

from checkout.payments.base import Fact, Money, RefundSeen, Seen, SessionState, Unreachable
from checkout.payments.bounded import BoundedClient
from checkout.payments.stripe_data import (
    FACTS,
    INTENT_STATES,
    MALFORMED,
    Plain,
    is_intent,
    refund_seen,
    translated,
)

log = logging.getLogger(__name__)

API = "https://api.stripe.com"
PAGES = "https://checkout.stripe.com"
SEEN_WITH_SESSION = ["payment_intent.latest_charge.refunds"]
SEEN_WITH_INTENT = ["latest_charge.refunds"]
SEEN_WITH_EACH_INTENT = ["data.latest_charge.refunds"]
MOST_LISTED = 100


class StripeReader:
    """Safe for threads. Each method takes `seconds` at most, whatever the number of its calls."""

    def __init__(
        self,
        *,
        key: str,
        hook_secret: str,
        name: str = "stripe",
        api: str = API,
        origin: str = PAGES,
        proxies: bool = True,
        plain_method: str | None = None,
        seconds: float = 4.0,
        zone: tzinfo = UTC,
    ) -> None:
        """`zone` is that of times which buyers read."""
        self.name = name
        self.origin = origin
        self.plain_method = plain_method
        self._hook_secret = hook_secret
        self._zone = zone
        self._http = BoundedClient(seconds, proxies=proxies)
        # Repetitions are the callers': they look first.
        self._client = stripe.StripeClient(
            key, base_addresses={"api": api}, http_client=self._http, max_network_retries=0
        )
        self._api = self._client.v1

    @contextmanager
    def _calls(self) -> Iterator[None]:
        with self._http.limit():
            try:
                yield
            except stripe.StripeError as error:
                raise translated(error) from error
            except MALFORMED as error:
                # Not even the SDK checks the shape of what a broken proxy answers.
                log.exception("an answer that is not %s's", self.name)
                raise Unreachable(f"an answer that is not {self.name}'s: {error}") from error

    def _call(self, method: str, *path: str, **parameters: Any) -> dict[str, Any]:
        """The answer as it came: making the SDK's objects of it took half as long as the call."""
        address = "/".join(("/v1", *(quote(part, safe="") for part in path)))
        answer: Any = self._client.raw_request(method, address, **parameters)
        return dict(answer.data)

    def _listed(self, kind: str, **about: str | list[str]) -> Iterator[Plain]:
        """All of them, the latest first, `MOST_LISTED` for each call."""
        beyond: dict[str, str] | None = {}
        while beyond is not None:
            page = self._call("get", kind, limit=MOST_LISTED, **about, **beyond)
            yield from page["data"]
            beyond = {"starting_after": page["data"][-1]["id"]} if page["has_more"] else None

    def look(self, payment_id: UUID, session_ref: str) -> Seen:
        with self._calls():
            if is_intent(session_ref):
                intent = self._intent(session_ref)
                state = INTENT_STATES.get(intent["status"], SessionState.OPEN)
                return Seen(session=state, money=tuple(self._money([intent])))
            session = self._call(
                "get", "checkout", "sessions", session_ref, expand=SEEN_WITH_SESSION
            )
            ours = [
                intent
                for intent in self._intents(session)
                if intent["metadata"].get("payment_id") == str(payment_id)
            ]
            return Seen(session=SessionState(session["status"]), money=tuple(self._money(ours)))

    def _intents(self, session: Plain) -> list[Plain]:
        """The session's own first, then others of its customer."""
        own, customer = session["payment_intent"], session["customer"]
        found = [own] if own else []
        if customer:
            listed = self._listed(
                "payment_intents", customer=customer, expand=SEEN_WITH_EACH_INTENT
            )
            known = own and own["id"]
            found += [intent for intent in listed if intent["id"] != known][::-1]
        return found

    def _intent(self, reference: str) -> dict[str, Any]:
        return self._call("get", "payment_intents", reference, expand=SEEN_WITH_INTENT)

    def _money(self, intents: Iterable[Plain]) -> Iterator[Money]:
        for intent in intents:
            charge, fact = intent["latest_charge"], FACTS.get(intent["status"])
            # An intent that was cancelled before anybody paid holds no money, nor does one whose
            # charge failed.
            if not fact or not charge or charge["status"] != "succeeded":
                continue
            yield Money(
                reference=intent["id"],
                amount=charge["amount_captured" if fact is Fact.CAPTURED else "amount"],
                currency=charge["currency"].upper(),
                fact=fact,
                refunds=self._refunds(charge) if fact is Fact.CAPTURED else (),
                disputed_at=self._disputed_at(charge),
            )

    def _refunds(self, charge: Plain) -> tuple[RefundSeen, ...]:
        """A charge shows its latest ten."""
        refunds = charge["refunds"]
        if refunds["has_more"]:
            return tuple(self._all_refunds(charge["payment_intent"]))
        return tuple(refund_seen(refund) for refund in reversed(refunds["data"]))

    def _all_refunds(self, reference: str) -> list[RefundSeen]:
        return [refund_seen(one) for one in self._listed("refunds", payment_intent=reference)][::-1]

    def _disputed_at(self, charge: Plain) -> datetime | None:
        if not charge["disputed"]:
            return None
        disputes = self._listed("disputes", charge=charge["id"])
        return datetime.fromtimestamp(min(one["created"] for one in disputes), UTC)
