"""Alerts to a webhook: generic JSON or the form Slack takes, each told once while it lasts."""

from __future__ import annotations

import datetime as dt
import json
import urllib.error
import urllib.request
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Literal

from serving.domain.retrain import RetrainVerdict
from serving.errors import InvalidField

if TYPE_CHECKING:
    from pathlib import Path

    from serving.domain.retrain import RetrainAnswer

Form = Literal["json", "slack"]
REPEAT_DAYS = 7  # an alert that lasts is told again after so long
TIMEOUT_SECONDS = 5.0


@dataclass(frozen=True, slots=True)
class Alert:
    """Something a person should know.

    Attributes:
        key: What it is about; alerts of one key are one alert.
        severity: ``warning`` or ``critical``.
        title: It in a few words.
        detail: It in one sentence.
        date: Day it was seen.
    """

    key: str
    severity: str
    title: str
    detail: str
    date: dt.date


def alerts_of(model: str, answer: RetrainAnswer) -> list[Alert]:
    """Return the alerts of a verdict: one for each rule that fires."""
    if answer.verdict is RetrainVerdict.KEEP or not answer.as_of_date:
        return []
    day = dt.date.fromisoformat(answer.as_of_date)
    critical = {RetrainVerdict.FIX_DATA, RetrainVerdict.RETRAIN}
    severity = "critical" if answer.verdict in critical else "warning"
    verdict = answer.verdict.name.lower().replace("_", " ")
    return [
        Alert(f"{model}/{one.rule}", severity, f"{model}: {verdict}", one.detail, day)
        for one in answer.evidence
        if one.fired
    ]


class Webhook:
    """Sends alerts to one address and remembers which it sent."""

    def __init__(self, url: str, form: Form, memory: Path) -> None:
        """Take the address, the form of the body, and the file that remembers.

        Raises:
            InvalidField: If the address is none of http or https.
        """
        if not url.startswith(("http://", "https://")):
            raise InvalidField("webhook", "must be an http or https address")
        self._url = url
        self._form = form
        self._memory = memory

    def send(self, alerts: list[Alert]) -> list[Alert]:
        """Send the alerts that were not told lately; what is over is forgotten.

        Returns:
            The alerts that were sent.

        Raises:
            InvalidField: If the address does not take an alert; it will be sent the next time.
        """
        told = self._told()
        active = {alert.key: alert for alert in alerts}
        told = {key: day for key, day in told.items() if key in active}
        sent = []
        for alert in active.values():
            last = told.get(alert.key)
            if last is not None and (alert.date - last).days < REPEAT_DAYS:
                continue
            self._post(alert)
            told[alert.key] = alert.date
            sent.append(alert)
            self._remember(told)
        self._remember(told)
        return sent

    def _post(self, alert: Alert) -> None:
        body: dict[str, object] = asdict(alert) | {"date": alert.date.isoformat()}
        if self._form == "slack":
            mark = ":red_circle:" if alert.severity == "critical" else ":warning:"
            body = {"text": f"{mark} *{alert.title}*\n{alert.detail}"}
        request = urllib.request.Request(  # noqa: S310 - the scheme was checked
            self._url,
            json.dumps(body).encode(),
            {"content-type": "application/json"},
        )
        try:
            with urllib.request.urlopen(request, timeout=TIMEOUT_SECONDS):  # noqa: S310 - as above
                return
        except urllib.error.URLError as error:
            raise InvalidField("webhook", f"does not take alerts: {error}") from error

    def _told(self) -> dict[str, dt.date]:
        try:
            stored = json.loads(self._memory.read_bytes())
        except (FileNotFoundError, ValueError):
            return {}
        return {key: dt.date.fromisoformat(day) for key, day in stored.items()}

    def _remember(self, told: dict[str, dt.date]) -> None:
        self._memory.parent.mkdir(parents=True, exist_ok=True)
        text = json.dumps({key: day.isoformat() for key, day in told.items()})
        new = self._memory.with_name(f".{self._memory.name}")
        new.write_text(text, encoding="utf-8")
        new.replace(self._memory)
