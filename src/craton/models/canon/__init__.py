"""The canonical conversation: Structs shaped like Bedrock's Converse, in four files.

`content` holds the blocks, `request` what is asked, `reply` what is answered whole, `events` what is
answered piece by piece. Nothing here knows HTTP, a vendor or where a model runs.
"""
