"""Objects of S3 as rows: keys, versions, uploads and their parts. The bytes lie in `infra.blobs`."""
