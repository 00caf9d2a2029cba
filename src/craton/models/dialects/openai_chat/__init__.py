"""OpenAI chat completions: what most servers of open models speak, and gpt-oss, Qwen and others on Bedrock."""
