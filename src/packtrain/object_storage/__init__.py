"""Object storage (S3): addresses, names of objects, requests and their errors. The one room with botocore."""
