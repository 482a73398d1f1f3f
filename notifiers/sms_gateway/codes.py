"""What a provider's code means for the message that waits for it. Pure; which code is of which class is data.

- temporary, permanent: about this message or its recipient, at `reply`.
- account: about our account, signature, template, credits or how we write: permanent, at `account`.
- throttled: our account is too fast: temporary, at `account`.
- unknown: the provider says that it failed inside, and may hold a copy: ambiguous, at `submitted`.

A code that is not listed is a refusal that nobody can say the recipient is the reason of: permanent, at `account`, as for
SMPP's unknown statuses. So it stops the sending for a person to look instead of writing people off one by one.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

from notifiers.outcome import Result, Stage
from notifiers.sms_gateway.terms import CodeClass


class Verdict(NamedTuple):
    """What a code proves, and whom it is about."""

    result: Result
    stage: Stage


VERDICTS: Mapping[CodeClass, Verdict] = {
    CodeClass.temporary: Verdict(Result.temporary, Stage.reply),
    CodeClass.permanent: Verdict(Result.permanent, Stage.reply),
    CodeClass.account: Verdict(Result.permanent, Stage.account),
    CodeClass.throttled: Verdict(Result.temporary, Stage.account),
    CodeClass.unknown: Verdict(Result.ambiguous, Stage.submitted),
}


def class_of(code: str, codes: Mapping[str, CodeClass]) -> CodeClass:
    """The class of a code: of the exact one, else of the longest beginning that fits, else account."""
    if code in codes:
        return codes[code]
    fitting = [each for each in codes if each.endswith("*") and code.startswith(each[:-1])]
    return codes[max(fitting, key=len)] if fitting else CodeClass.account


def verdict_of(code: str, codes: Mapping[str, CodeClass]) -> Verdict:
    return VERDICTS[class_of(code, codes)]
