"""How an account stands at its provider: what is approved, and what is left. Pure values."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from notifiers.sms_gateway.gateway import Template
from notifiers.sms_gateway.terms import Approval


@dataclass(frozen=True, slots=True)
class TemplateStanding:
    """A template at the provider. `text` is what is registered there, None where the provider does not tell."""

    id: str
    state: Approval
    text: str | None = None
    reason: str = ""


@dataclass(frozen=True, slots=True)
class SignatureStanding:
    name: str
    state: Approval
    reason: str = ""


class ProblemKind(StrEnum):
    template_not_approved = "template_not_approved"
    template_differs = "template_differs"
    """The text that is registered is another one than in our settings: people would read what was not released."""
    signature_not_approved = "signature_not_approved"
    no_credits = "no_credits"
    unanswered = "unanswered"
    """The provider could not be asked, or refused to tell."""


@dataclass(frozen=True, slots=True)
class Problem:
    """`subject` is a template's id, the signature, or "credits"; `text` is the reason, where somebody gave one."""

    kind: ProblemKind
    subject: str
    text: str = ""


@dataclass(frozen=True, slots=True)
class Standing:
    """`templates` and `signature` are empty where the definition knows no way to ask; `credits` is None then."""

    templates: tuple[TemplateStanding, ...] = ()
    signature: SignatureStanding | None = None
    credits: int | None = None
    problems: tuple[Problem, ...] = ()


def problem_of_template(ours: Template, theirs: TemplateStanding) -> Problem | None:
    if theirs.state is not Approval.approved:
        return Problem(ProblemKind.template_not_approved, ours.id, theirs.reason or theirs.state)
    if theirs.text is not None and theirs.text != ours.text:
        return Problem(ProblemKind.template_differs, ours.id, "the provider has another text for it")
    return None


def problem_of_signature(theirs: SignatureStanding) -> Problem | None:
    if theirs.state is Approval.approved:
        return None
    return Problem(ProblemKind.signature_not_approved, theirs.name, theirs.reason or theirs.state)
