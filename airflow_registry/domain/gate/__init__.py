"""The gate: a policy and a case (challenger, champion, what was measured and said) go in, a verdict with reasons comes out.

Invariants: the gate approves only if at least one rule is satisfied and none is not; a value that is missing, NaN, infinite or
computed on no rows satisfies no rule; what cannot be told is INCONCLUSIVE and never approved; problems with the data are reasons,
never exceptions. `Reason.observed` is the challenger's value of the rule's metric (of slices the decisive one; of a gap the gap), None
where there is no finite one.

    case          what the rules look at        thresholds    bounds on all rows and in slices, gaps between slices
    baselines     whom to compare with          comparisons   which of the two: gains (stored metrics), paired (rows, confidence)
    slices        which slices are judged       facts         metadata, the champion's age, smoke test, shadow runs
    numbers       exact, and as people read     people        votes, waivers, locked policies, freezes
    reasons       how they are made             verdict       all rules, one outcome
    basis         what is stored of a case, so that a decision can be made again
"""

from airflow_registry.domain.gate.baselines import Pairing, kept_rows
from airflow_registry.domain.gate.basis import Basis
from airflow_registry.domain.gate.case import Case
from airflow_registry.domain.gate.comparisons import needs_rows_of, questions
from airflow_registry.domain.gate.verdict import decide

__all__ = ["Basis", "Case", "Pairing", "decide", "kept_rows", "needs_rows_of", "questions"]
