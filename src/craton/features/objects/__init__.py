"""What is done with objects beyond keeping them: their lives' rules, and who hears of their changes."""
