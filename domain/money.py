"""Money as whole minor units of one currency. No floats (P8, R32)."""

import re
from dataclasses import dataclass

_EXPONENTS = {
    **dict.fromkeys(
        "BIF CLP DJF GNF ISK JPY KMF KRW PYG RWF UGX UYI VND VUV XAF XOF XPF".split(), 0
    ),
    **dict.fromkeys("BHD IQD JOD KWD LYD OMR TND".split(), 3),
    **dict.fromkeys("CLF UYW".split(), 4),
}


def exponent(currency: str) -> int:
    """How many decimal places ISO 4217 gives `currency`; 2 unless listed (P8)."""
    return _EXPONENTS.get(currency.upper(), 2)


@dataclass(frozen=True, slots=True)
class Money:
    """`amount` minor units of `currency` (ISO 4217, upper case)."""

    amount: int
    currency: str

    def __add__(self, other: "Money") -> "Money":
        if other.currency != self.currency:
            raise ValueError(f"{self.currency} and {other.currency} can't be added")
        return Money(self.amount + other.amount, self.currency)

    def __mul__(self, places: int) -> "Money":
        return Money(self.amount * places, self.currency)

    @property
    def is_free(self) -> bool:
        """Zero is a price, "Free"; a missing price is `None` and never a Money (P4)."""
        return self.amount == 0


def read_amount(text: str, currency: str) -> int:
    """The minor units of a sum as people type it, 12, 12.50 or £1,200.00; raises ValueError (P8).

    A comma parts thousands and nothing else; more decimals than the currency has are refused.
    """
    plain = re.sub(r"\s|^[A-Za-z]{3}(?=[\s\d])|[£$€¥]|\b(?i:kr)\.?", "", text.strip())
    decimals = exponent(currency)
    found = re.fullmatch(r"(\d{1,3}(?:,\d{3}){1,3}|\d{1,12})(?:\.(\d+))?", plain, re.ASCII)
    if found is None or len(found[2] or "") > decimals:
        raise ValueError(text)
    return int(found[1].replace(",", "") + (found[2] or "").ljust(decimals, "0"))


def write_amount(minor: int, currency: str) -> str:
    """48, 48.50 or 1.500: a sum as one types it, which `read_amount` reads back (P8)."""
    decimals = exponent(currency)
    whole, rest = divmod(minor, 10**decimals)
    return f"{whole}.{rest:0{decimals}d}" if rest else str(whole)
