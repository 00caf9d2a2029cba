"""Where the chunks of knowledge bases are kept and found: by vector, by words, by what is known of them."""
