"""The operations of AWS Key Management Service that encryption here needs, one file per noun."""
