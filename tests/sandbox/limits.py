"""Rate limits that no test reaches, for tests of something else."""

from tradingsite.sandbox.limits import LIMITS, Limit

GENEROUS = dict.fromkeys(LIMITS, Limit(1_000_000))
