"""Who is never asked: test users, whole domains, and whoever stands on a suppression list."""

from __future__ import annotations

import re
from collections.abc import Collection
from dataclasses import dataclass

from surveys import reasons
from surveys.contacts import ContactState
from surveys.filters import matches
from surveys.survey import Exclude

_REMARK = re.compile(r"(^|\s)#.*")


@dataclass(frozen=True, slots=True)
class Exclusions:
    """Customers, mail domains and contacts that are left out; ``suppressed`` holds ids and addresses.

    Addresses and domains are compared whatever their case; a domain stands for those below it too.
    """

    customers: frozenset[str]
    domains: frozenset[str]
    exclude: Exclude
    suppressed: Collection[str]

    @classmethod
    def of(cls, exclude: Exclude, suppressed: Collection[str] = ()) -> Exclusions | None:
        """None where nobody is excluded."""
        if not (exclude.customers or exclude.domains or exclude.where or suppressed):
            return None
        domains = frozenset(domain.casefold() for domain in exclude.domains)
        return cls(frozenset(exclude.customers), domains, exclude, suppressed)

    def reason(self, customer_id: str, state: ContactState) -> str | None:
        """Why a customer is never asked, None where they may be."""
        contact = state.contact
        if customer_id in self.customers:
            return reasons.EXCLUDED_CUSTOMER
        if any(matches(condition, contact.traits) for condition in self.exclude.where):
            return reasons.EXCLUDED_CONTACT
        address = (contact.email or "").casefold()
        if self.domains and any(domain in self.domains for domain in _domains(address)):
            return reasons.EXCLUDED_DOMAIN
        if customer_id in self.suppressed or (address and address in self.suppressed):
            return reasons.SUPPRESSED
        return None


def suppression_list(text: str) -> frozenset[str]:
    """The ids and addresses of a list, one a line; ``#`` begins a remark where no id goes on: ``c#1`` is one."""
    lines = (_REMARK.sub("", line).strip() for line in text.splitlines())
    found = {line for line in lines if line}
    return frozenset(found | {line.casefold() for line in found if "@" in line})


def _domains(address: str) -> list[str]:
    """The domain of an address, and those above it: ``mail.example.com``, ``example.com``, ``com``."""
    parts = address.rpartition("@")[2].split(".")
    return [".".join(parts[first:]) for first in range(len(parts))]
