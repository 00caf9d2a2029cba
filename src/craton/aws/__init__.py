"""Amazon's own rules: the wire protocols, signatures, access decisions and resource names."""
