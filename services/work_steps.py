"""Which code does one item of which kind of long work."""

from services.long_works import Step
from services.series_choices import SESSION_CHOICES, carry_out_one

STEPS: dict[str, Step] = {SESSION_CHOICES: carry_out_one}
