"""What a campaign against the outbox tells to whom: gateways of each temper, and alerts for each of them."""

from __future__ import annotations

import json
import random
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from tests.campaigns.telling_gateways import (
    DOMAIN,
    EARLY,
    ENCRYPTED,
    OF_MESSAGE,
    OF_VONAGE,
    Answers,
    Fault,
    Gateways,
    Manner,
)

# How many of each temper; those that hang are more than a sender has threads.
MIXED_MAIL, MIXED_WEB, STUCK = 8, 8, 10
# So many alerts go to each gateway that takes none until it is mended.
FEW = 4
# Every so many alerts one is over again soon.
RETURNING = 5
# Services that have one address for everybody: senders are told where it is here.
TWILIO, VONAGE = "mixed-twilio", "mixed-vonage"


@dataclass(frozen=True, slots=True)
class Destination:
    """A gateway as a channel sees it; ``temper`` is healthy, mixed or stuck."""

    name: str
    temper: str
    kind: str
    config: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Case:
    """An alert, by the mark in its title: the gateway that is to be told of it, and whether it will be over."""

    mark: str
    gateway: str
    returns: bool


@dataclass(frozen=True, slots=True)
class Plan:
    """Both, and how many times faster than life the senders' clocks go, from a moment (seconds of UNIX) on.

    ``services`` are the ports at which senders find the services of other people.
    """

    destinations: tuple[Destination, ...]
    cases: tuple[Case, ...]
    began: float
    pace: float = 10.0
    services: Mapping[str, int] = field(default_factory=dict)

    def write(self, file: Path) -> None:
        """Keep it for the processes of the campaign."""
        file.write_text(json.dumps(asdict(self)))

    @classmethod
    def read(cls, file: Path) -> Plan:
        """Read what ``write`` kept."""
        told = json.loads(file.read_text())
        destinations = tuple(Destination(**one) for one in told.pop("destinations"))
        cases = tuple(Case(**one) for one in told.pop("cases"))
        return cls(destinations, cases, **told)

    def of_temper(self, *tempers: str) -> list[str]:
        """The names of such gateways."""
        return [one.name for one in self.destinations if one.temper in tempers]


def open_gateways(gateways: Gateways) -> tuple[dict[str, int], list[Destination]]:
    """Open them all; return the ports of the mail server and of services, and what channels lead to them."""
    boxes = {f"mixed-mail-{number}": ("mixed", Manner(OF_MESSAGE)) for number in range(MIXED_MAIL)}
    boxes |= {
        "healthy-mail": ("healthy", Manner()),
        "refused-mail": ("stuck", Manner.always(Fault.NEVER)),
        "hanging-mail": ("stuck", Manner.always(Fault.HANG_AFTER_DATA)),
    }
    # Of what happens to a connection all who send mail suffer, so it is rare.
    server = Manner(EARLY | ENCRYPTED, share=0.02, most=float("inf"))
    port = gateways.open_mail(server, {name: manner for name, (_, manner) in boxes.items()})
    mail = [_mail(name, temper) for name, (temper, _) in boxes.items()]
    services, texts = _open_services(gateways)
    return {"mail": port, **services}, [*mail, *_open_web(gateways), *_open_texts(gateways), *texts]


def _mail(name: str, temper: str) -> Destination:
    return Destination(name, temper, "email", {"to": [f"{name}@{DOMAIN}"]})


def _open_web(gateways: Gateways) -> Iterator[Destination]:
    manners = {"healthy-web": ("healthy", Manner()), "refused-web": ("stuck", Manner.always(Fault.NEVER))}
    for number in range(MIXED_WEB):
        some = EARLY | OF_MESSAGE | (ENCRYPTED if number % 2 else frozenset())
        manners[f"mixed-web-{number}"] = ("mixed", Manner(some))
    for number in range(STUCK):
        fault = [Fault.HANG, Fault.HANG, Fault.DRIP, Fault.REFUSE, Fault.HANG_AFTER_DATA][number % 5]
        manners[f"stuck-web-{number}"] = ("stuck", Manner.always(fault))
    for name, (temper, manner) in manners.items():
        encrypted = bool(ENCRYPTED & manner.faults)
        port = gateways.open_web(name, manner, encrypted=encrypted)
        url = f"http{'s' * encrypted}://127.0.0.1:{port}/hook"
        yield Destination(name, temper, "webhook", {"url": url})


def _open_texts(gateways: Gateways) -> Iterator[Destination]:
    """SMS gateways, and one of the services behind Apprise that everybody can run, which have no place for an id."""
    for kind in ("sms", "ntfy"):
        manners = {
            "healthy": Manner(),
            "mixed": Manner(EARLY | OF_MESSAGE),
            "mixed-tls": Manner(EARLY | OF_MESSAGE | ENCRYPTED),
            "stuck": Manner.always(Fault.HANG_AFTER_DATA),
        }
        for what, manner in manners.items():
            name, encrypted = f"{what}-{kind}", bool(ENCRYPTED & manner.faults)
            address = f"{'s' * encrypted}://127.0.0.1:{gateways.open_web(name, manner, encrypted=encrypted)}"
            config = _sms(f"http{address}/send") if kind == "sms" else {"url": f"ntfy{address}/plant"}
            yield Destination(name, what.partition("-")[0], "sms_gateway" if kind == "sms" else "apprise", config)


def _sms(url: str) -> dict[str, Any]:
    return {"url": url, "to": ["+4915112345678"], "headers": {"webhook-id": "{{ id }}"}}


def _open_services(gateways: Gateways) -> tuple[dict[str, int], list[Destination]]:
    """Those that Apprise knows how to ask for an SMS."""
    sender, receiver = "15555550100", "4915112345678"
    urls = {
        TWILIO: (Answers(), f"twilio://AC735c307c62944b5a:t0ken@{sender}/{receiver}"),
        VONAGE: (OF_VONAGE, f"vonage://key:secret@{sender}/{receiver}"),
    }
    ports = {
        name: gateways.open_web(name, Manner(EARLY | OF_MESSAGE), answers=answers)
        for name, (answers, _) in urls.items()
    }
    return ports, [Destination(name, "mixed", "apprise", {"url": url}) for name, (_, url) in urls.items()]


def make_cases(destinations: list[Destination], number: int, dice: random.Random) -> list[Case]:
    """Make so many alerts: a few for each stuck gateway, a third of the others for healthy ones."""
    mixed, stuck, healthy = (
        [one.name for one in destinations if one.temper == temper] for temper in ("mixed", "stuck", "healthy")
    )
    names = stuck * FEW
    others = number - len(names)
    names += [healthy[place % len(healthy)] for place in range(others // 3)]
    names += [mixed[place % len(mixed)] for place in range(others - others // 3)]
    dice.shuffle(names)
    return [Case(f"case-{place:05}", name, place % RETURNING == 0) for place, name in enumerate(names)]
