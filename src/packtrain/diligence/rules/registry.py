"""Every question that a rule pack may name."""

from __future__ import annotations

from typing import Final

from packtrain.diligence.rules.inquiry import Question
from packtrain.diligence.rules.questions import (
    amended,
    carriage,
    customer,
    headquarters,
    home,
    owners,
    personal,
    screened,
    site,
)

QUESTIONS: Final[dict[str, Question]] = {
    question.name: question
    for family in (headquarters, owners, screened, customer, site, carriage, home, personal, amended)
    for question in family.QUESTIONS
}
