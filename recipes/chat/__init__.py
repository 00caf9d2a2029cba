"""The recipe of the sample chat model: generator, tokenizer, training, evaluation, export."""
