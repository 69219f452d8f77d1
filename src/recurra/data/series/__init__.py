"""Any table as regular series: find what it is (infer_schema), lay it out (to_panel), label what follows."""

from .infer import infer_schema
from .panel import Panel, long_frame, steps_between, steps_to, to_panel
from .schema import Schema

__all__ = ["Panel", "Schema", "infer_schema", "long_frame", "steps_between", "steps_to", "to_panel"]
