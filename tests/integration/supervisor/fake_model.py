"""A model server for tests: answers /health on a Unix socket, and misbehaves on request.

Usage: fake_model.py SOCKET THREADS COUNTER MODE
Each start adds a line with its process id to the file COUNTER. Modes: ok, crash (ends at once), crash_once (ends at
the first start), slow (listens after a while), hang (healthy, then silent), deaf (ignores SIGTERM), family (has a
child of its own, its pid in COUNTER.child), eat (grows), never (never healthy), busy (says that a request runs).
"""

import os
import signal
import socket
import subprocess
import sys
import time

path, threads, counter, mode = sys.argv[1:5]
with open(counter, "a+") as file:
    file.write(f"{os.getpid()}\n")
    file.seek(0)
    starts = len(file.readlines())
secret = os.environ.get("CRATON_ROOT_SECRET_ACCESS_KEY", "none")
print(f"start {starts} with {threads} threads, secret={secret}", flush=True)
if mode == "crash" or (mode == "crash_once" and starts == 1):
    print("no such weights", file=sys.stderr, flush=True)
    os._exit(7)
if mode == "slow":
    time.sleep(0.6)
if mode == "deaf":
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
if mode == "family":
    child = subprocess.Popen([sys.executable, "-S", "-c", "import time; time.sleep(600)"])
    with open(counter + ".child", "w") as file:
        file.write(str(child.pid))
ballast = b"x" * (200 << 20) if mode == "eat" else b""

listener = socket.socket(socket.AF_UNIX)
listener.bind(path)
listener.listen(16)
status = b"503 Service Unavailable" if mode == "never" else b"200 OK"
body = b'{"status":"ok","running":1}' if mode == "busy" else b'{"status":"ok"}'
answered = 0
while True:
    connection, _ = listener.accept()
    connection.recv(4096)
    if mode == "hang" and answered:
        time.sleep(600)
    connection.sendall(b"HTTP/1.1 %s\r\nContent-Length: %d\r\n\r\n%s" % (status, len(body), body))
    connection.close()
    answered += 1
