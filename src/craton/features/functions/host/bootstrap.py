"""What a Python function's environment begins with: AWS's own runtime client, and then the function.

A program of its own inside the walls, at /var/runtime; it imports nothing of Craton. The client is imported before the
function's folders are on the path, and what it brought along is forgotten after that: so the function gets its own packages,
and the client keeps its own.
"""

import os
import sys

_VERSION = f"python{sys.version_info.major}.{sys.version_info.minor}"
_TASK = os.environ["LAMBDA_TASK_ROOT"]
_BROUGHT = ("simplejson", "snapshot_restore_py")


def main() -> None:
    """Answer invocations until this process is ended."""
    runtime = os.environ["LAMBDA_RUNTIME_DIR"]
    if runtime not in sys.path:
        sys.path.append(runtime)
    from awslambdaric import bootstrap  # type: ignore[import-untyped,unused-ignore]
    from awslambdaric.lambda_runtime_client import LambdaRuntimeClient  # type: ignore[import-untyped,unused-ignore]

    for name in [one for one in sys.modules if one.partition(".")[0] in _BROUGHT]:
        del sys.modules[name]
    sys.path[0:0] = [_TASK, f"/opt/python/lib/{_VERSION}/site-packages", "/opt/python"]
    bootstrap.run(os.environ["_HANDLER"], LambdaRuntimeClient(os.environ["AWS_LAMBDA_RUNTIME_API"]))


if __name__ == "__main__":
    main()
