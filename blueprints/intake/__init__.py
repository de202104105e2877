"""Staff's side of the forms: what each session type asks, and what a booking has answered."""

from blueprints.intake.routes import bp

__all__ = ["bp"]
