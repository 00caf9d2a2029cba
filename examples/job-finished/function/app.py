"""Says in its log how a batch job ended: the event of its end, and the figures of the job."""

from __future__ import annotations

import json
from typing import Any

import boto3

bedrock = boto3.client("bedrock")


def handler(event: dict[str, Any], context: Any) -> None:
    detail = event["detail"]
    job = bedrock.get_model_invocation_job(jobIdentifier=detail["batchJobArn"])
    told = {
        "job": detail["batchJobName"],
        "status": detail["status"],
        "records": job.get("totalRecordCount"),
        "succeeded": job.get("successRecordCount"),
        "output": job["outputDataConfig"]["s3OutputDataConfig"]["s3Uri"],
    }
    print(json.dumps(told))
