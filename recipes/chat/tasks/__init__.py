"""The tasks of the sample model, one file each: a function from a Draw to a Chat."""
