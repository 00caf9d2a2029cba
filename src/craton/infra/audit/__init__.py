"""The audit log: what was done, by whom, when and with which result, chained so that no record can be taken out."""
