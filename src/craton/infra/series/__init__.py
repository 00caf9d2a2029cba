"""Series of timed points, sealed at rest: the events of logs, and whatever else comes as (moment, bytes)."""
