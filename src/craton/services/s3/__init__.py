"""Amazon S3: buckets and their configurations, objects, uploads; a file for each noun."""
