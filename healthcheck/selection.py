"""Parses which components a caller wants: `only` these, or all but the `exclude`d ones.

See docs/health.md, rule 25.
"""

from collections.abc import Sequence

from healthcheck.report import component_names


class WrongSelection(ValueError):
    """The text says what is wrong, and which names exist."""


def selected(only: str | None, exclude: str | None) -> Sequence[str] | None:
    """Return the chosen components in the configured order; None for all of them.

    Args:
        only: names separated by commas, or None.
        exclude: the same; only one of the two may be given.

    Raises:
        WrongSelection: both were given, a name is unknown, or no component is left.
    """
    if only is None and exclude is None:
        return None
    if only is not None and exclude is not None:
        raise WrongSelection("only and exclude can't be combined")
    names = component_names()
    given = _names(only if only is not None else exclude or "", names)
    chosen = [name for name in names if (name in given) == (only is not None)]
    if not chosen:
        raise WrongSelection(f"no component is left; known are {', '.join(names)}")
    return chosen


def _names(text: str, known: Sequence[str]) -> set[str]:
    given = {name.strip() for name in text.split(",") if name.strip()}
    if unknown := sorted(given - set(known)):
        raise WrongSelection(f"unknown: {', '.join(unknown)}; known are {', '.join(known)}")
    return given
