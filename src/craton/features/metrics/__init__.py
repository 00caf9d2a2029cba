"""CloudWatch's metrics as features: what requests name, expressions, alarms, dashboards."""
