"""What holds a decision back (docs/signals.md D2)."""


class Held(Exception):
    """There is no advice: the signal is a HOLD with this reason code.

    Attributes:
        code: one of the codes of D2, or the kind of a failed call.
        text: one English sentence for operators, with the limit beside the value.
    """

    def __init__(self, code: str, text: str) -> None:
        super().__init__(f"{code}: {text}")
        self.code = code
        self.text = text
