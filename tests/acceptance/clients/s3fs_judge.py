"""s3fs as a data program uses it: files opened, listed, moved and removed under s3://. Prints one JSON object.

Runs in the environment of the storage clients, not in the project's.
"""

from __future__ import annotations

import json
import sys

import s3fs


def main(endpoint: str, bucket: str) -> None:
    fs = s3fs.S3FileSystem(client_kwargs={"endpoint_url": endpoint}, use_listings_cache=False)
    fs.mkdir(bucket)
    with fs.open(f"{bucket}/a/one.txt", "w") as file:
        file.write("first\nsecond\n")
    with fs.open(f"{bucket}/a/large", "wb", block_size=5 * 2**20) as file:
        for letter in b"xyz":
            file.write(bytes([letter]) * 2**22)
    with fs.open(f"{bucket}/a/large", "rb") as file:
        file.seek(2**22 - 1)
        middle = file.read(2).decode()
    with fs.open(f"{bucket}/a/one.txt", "a") as file:
        file.write("third\n")
    fs.cp(f"{bucket}/a/one.txt", f"{bucket}/b/copy.txt")
    fs.mv(f"{bucket}/b/copy.txt", f"{bucket}/b/moved.txt")
    told = {
        "found": sorted(fs.find(bucket)),
        "glob": fs.glob(f"{bucket}/**/*.txt"),
        "size": fs.size(f"{bucket}/a/large"),
        "middle": middle,
        "lines": fs.cat(f"{bucket}/b/moved.txt").decode().splitlines(),
        "exists": [fs.exists(f"{bucket}/a"), fs.exists(f"{bucket}/nothing")],
        "walk": [[root, folders, files] for root, folders, files in fs.walk(f"{bucket}/b")],
    }
    try:
        fs.cat(f"{bucket}/nothing")
    except FileNotFoundError as error:
        told["missing"] = type(error).__name__
    fs.rm(bucket, recursive=True)
    told["left"] = fs.exists(bucket)
    print(json.dumps(told))


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2])
