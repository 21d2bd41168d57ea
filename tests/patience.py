"""How long a test waits for what must come: a bound that only a defect reaches, however busy the machine."""

PATIENCE_S = 300.0
