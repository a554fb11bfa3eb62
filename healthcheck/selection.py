"""Parses the component filter of a request or command: `only` these, or all except the `exclude`d ones.

See docs/health.md, rule 25.
"""

from collections.abc import Sequence

from healthcheck.report import component_names


class WrongSelection(ValueError):
    """The filter is invalid. The message names the error and the existing components."""


def selected(only: str | None, exclude: str | None) -> Sequence[str] | None:
    """Return the names of the selected components in the configured order; None for all of them.

    Args:
        only: names separated by commas, or None.
        exclude: likewise. Only one of the two may be given.

    Raises:
        WrongSelection: both were given, a name is unknown, or no component is left.
    """
    if only is None and exclude is None:
        return None
    if only is not None and exclude is not None:
        raise WrongSelection("only and exclude can't be combined")
    names = component_names()
    listed = _names(only if only is not None else exclude or "", names)
    kept = [name for name in names if (name in listed) == (only is not None)]
    if not kept:
        raise WrongSelection(f"no component is left; existing components: {', '.join(names)}")
    return kept


def _names(text: str, known: Sequence[str]) -> set[str]:
    given = {name.strip() for name in text.split(",") if name.strip()}
    if unknown := sorted(given - set(known)):
        raise WrongSelection(f"unknown: {', '.join(unknown)}; existing components: {', '.join(known)}")
    return given
