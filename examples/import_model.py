"""Import a model of your own and talk to it: `python examples/import_model.py [FOLDER]`, with the AWS variables set.

FOLDER holds a model as Hugging Face's libraries save one (config.json, tokenizer.json, tokenizer_config.json and
*.safetensors). Without it, a tiny Llama with random weights is made on the spot: what it says means nothing, but every
step is that of a real one. It needs boto3, and numpy for the tiny model.
"""

from __future__ import annotations

import json
import struct
import sys
import time
import uuid
from pathlib import Path
from typing import Any

import boto3
from botocore.config import Config

MARK = uuid.uuid4().hex[:8]
BUCKET, FOLDER, NAME = f"models-{MARK}", "my-model", f"my-model-{MARK}"
# A cold model answers ModelNotReadyException while it starts, which SDKs try again: give them some tries.
PATIENT = Config(retries={"max_attempts": 10, "mode": "standard"})


def upload(files: dict[str, bytes]) -> str:
    """Put the folder into a new bucket; its URI."""
    s3 = boto3.client("s3")
    s3.create_bucket(Bucket=BUCKET)
    for name, data in files.items():
        s3.put_object(Bucket=BUCKET, Key=f"{FOLDER}/{name}", Body=data)
    return f"s3://{BUCKET}/{FOLDER}/"


def role() -> str:
    """A role that Bedrock may take up, and with which it may read the bucket and nothing else."""
    iam = boto3.client("iam")
    service = {"Effect": "Allow", "Principal": {"Service": "bedrock.amazonaws.com"}, "Action": "sts:AssumeRole"}
    places = [f"arn:aws:s3:::{BUCKET}", f"arn:aws:s3:::{BUCKET}/*"]
    reading = {"Effect": "Allow", "Action": ["s3:GetObject", "s3:ListBucket"], "Resource": places}
    made = iam.create_role(RoleName=f"import-{MARK}", AssumeRolePolicyDocument=policy(service))
    iam.put_role_policy(RoleName=f"import-{MARK}", PolicyName="read", PolicyDocument=policy(reading))
    arn: str = made["Role"]["Arn"]
    return arn


def policy(statement: dict[str, Any]) -> str:
    return json.dumps({"Version": "2012-10-17", "Statement": [statement]})


def imported(uri: str, role_arn: str) -> str:
    """Start the job and wait for its end; the model's ARN."""
    bedrock = boto3.client("bedrock")
    job = bedrock.create_model_import_job(
        jobName=f"import-{MARK}",
        importedModelName=NAME,
        roleArn=role_arn,
        modelDataSource={"s3DataSource": {"s3Uri": uri}},
    )["jobArn"]
    while True:
        state = bedrock.get_model_import_job(jobIdentifier=job)
        if state["status"] != "InProgress":
            break
        time.sleep(1)
    print(state["status"], state.get("failureMessage", ""))
    if state["status"] != "Completed":
        raise SystemExit(1)
    model = bedrock.get_imported_model(modelIdentifier=NAME)
    print(model["modelArchitecture"], "takes Converse" if model["instructSupported"] else "takes prompts alone")
    arn: str = model["modelArn"]
    return arn


def tiny() -> dict[str, bytes]:
    """A Llama of 300 words, 64 wide and two layers deep, with random weights."""
    import numpy as np

    wide, inner, layers, words = 64, 96, 2, 300
    shapes = {"model.embed_tokens.weight": (words, wide), "model.norm.weight": (wide,)}
    for layer in range(layers):
        stem = f"model.layers.{layer}"
        shapes |= {f"{stem}.{norm}_layernorm.weight": (wide,) for norm in ("input", "post_attention")}
        shapes |= {f"{stem}.self_attn.{name}_proj.weight": (wide, wide) for name in "qkvo"}
        shapes |= {f"{stem}.mlp.{name}_proj.weight": (inner, wide) for name in ("gate", "up")}
        shapes[f"{stem}.mlp.down_proj.weight"] = (wide, inner)
    chance, header, body = np.random.default_rng(1), {}, b""
    for name, shape in shapes.items():
        data = (chance.normal(0, 0.3, shape) if len(shape) > 1 else np.ones(shape)).astype("<f4").tobytes()
        header[name] = {"dtype": "F32", "shape": shape, "data_offsets": [len(body), len(body) + len(data)]}
        body += data
    told = json.dumps(header).encode()
    config = {
        "architectures": ["LlamaForCausalLM"], "model_type": "llama", "hidden_size": wide, "intermediate_size": inner,
        "num_hidden_layers": layers, "num_attention_heads": 4, "vocab_size": words, "max_position_embeddings": 512,
        "tie_word_embeddings": True, "hidden_act": "silu", "rms_norm_eps": 1e-6, "eos_token_id": 0, "bos_token_id": 0,
    }  # fmt: skip
    template = "{% for m in messages %}{{ m.content }}\n{% endfor %}"
    return {
        "config.json": json.dumps(config).encode(),
        "tokenizer.json": json.dumps(tokenizer()).encode(),
        "tokenizer_config.json": json.dumps(
            {"tokenizer_class": "PreTrainedTokenizerFast", "eos_token": "<end>", "chat_template": template}
        ).encode(),
        "model.safetensors": struct.pack("<Q", len(told)) + told + body,
    }


def tokenizer() -> dict[str, Any]:
    """One token for each byte, in the form that byte-level BPE has."""
    plain = [*range(33, 127), *range(161, 173), *range(174, 256)]
    letters = [chr(byte) for byte in plain] + [chr(256 + n) for n in range(256 - len(plain))]
    vocabulary = {"<end>": 0, **{letter: 1 + index for index, letter in enumerate(letters)}}
    end = {"id": 0, "content": "<end>", "single_word": False, "lstrip": False, "rstrip": False, "normalized": False}
    shape = {"type": "ByteLevel", "add_prefix_space": False, "trim_offsets": True, "use_regex": True}
    return {
        "version": "1.0", "truncation": None, "padding": None, "normalizer": None, "post_processor": None,
        "added_tokens": [{**end, "special": True}], "pre_tokenizer": shape, "decoder": shape,
        "model": {
            "type": "BPE", "dropout": None, "unk_token": None, "continuing_subword_prefix": None,
            "end_of_word_suffix": None, "fuse_unk": False, "byte_fallback": False, "vocab": vocabulary, "merges": [],
        },
    }  # fmt: skip


def main() -> None:
    """Upload, import, ask in three ways, delete."""
    files = {one.name: one.read_bytes() for one in Path(sys.argv[1]).iterdir()} if len(sys.argv) > 1 else tiny()
    arn = imported(upload(files), role())
    runtime = boto3.client("bedrock-runtime", config=PATIENT)
    prompt = json.dumps({"prompt": "Hello", "max_gen_len": 20})
    print("prompt:  ", json.loads(runtime.invoke_model(modelId=arn, body=prompt)["body"].read())["generation"])
    chat = json.dumps({"messages": [{"role": "user", "content": "Hello"}], "max_tokens": 20})
    answer = json.loads(runtime.invoke_model(modelId=arn, body=chat)["body"].read())
    print("messages:", answer["choices"][0]["message"]["content"])
    reply = runtime.converse(modelId=arn, messages=[{"role": "user", "content": [{"text": "Hello"}]}])
    print("Converse:", reply["output"]["message"]["content"][0]["text"], reply["usage"])
    boto3.client("bedrock").delete_imported_model(modelIdentifier=NAME)
    print("Deleted")


if __name__ == "__main__":
    main()
