"""The AWS operations: one folder per service, one file per resource noun, one typed function per operation."""
