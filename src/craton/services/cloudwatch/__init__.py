"""CloudWatch's metrics: samples in, statistics out."""
