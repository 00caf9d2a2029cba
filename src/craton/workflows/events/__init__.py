"""Events as durable work: each on its way to a target, and the schedules that make some."""
