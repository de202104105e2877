"""Which code does one item of which kind of long work."""

from services.long_works import Step

STEPS: dict[str, Step] = {}
