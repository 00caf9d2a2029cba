// What a function in Node.js begins with: AWS's own runtime client, whose file is the first argument, and then the function.
//
// The client has a part that is compiled from C++ (`rapid-client.node`): three calls of the Runtime API. Where nobody
// compiled it, what stands here takes its place, so that `npm install --ignore-scripts aws-lambda-ric` is enough. Owns next,
// done and error; everything else is AWS's. A program of its own inside the walls, at /var/runtime.
//
// The addon's calls return when the answer has been taken; these return at once, and the next question waits for them.
// A process that exits with an answer still on its way (the client exits after an uncaught error) sends it again, and
// waits: an answer that came twice is refused the second time, and nothing is lost.
import http from "node:http";
import Module from "node:module";
import { Worker } from "node:worker_threads";

const [hostname, port] = (process.env.AWS_LAMBDA_RUNTIME_API ?? "").split(":");
const agent = new http.Agent({ keepAlive: true, maxSockets: 1 });
const ROOT = "/2018-06-01/runtime/invocation/";
const LAST_WORDS_MS = 5000;

function ask(method, path, headers, body) {
  return new Promise((resolve, reject) => {
    const request = http.request({ hostname, port, agent, method, path, headers }, (answer) => {
      const pieces = [];
      answer.on("data", (piece) => pieces.push(piece));
      answer.on("error", reject);
      answer.on("end", () => resolve({ status: answer.statusCode, headers: answer.headers, body: Buffer.concat(pieces) }));
    });
    request.on("error", reject);
    request.end(body);
  });
}

let said = Promise.resolve();
let unsaid;

function say(path, headers, text) {
  const body = Buffer.from(text);
  const words = [path, { "content-type": "application/json", "content-length": body.length, ...headers }, body];
  unsaid = words;
  // As with the addon, an answer that is refused changes nothing for the function.
  const taken = () => { if (unsaid === words) unsaid = undefined; };
  said = ask("POST", ...words).then(taken, taken);
}

const client = {
  async next() {
    await said;
    const answer = await ask("GET", `${ROOT}next`, {});
    if (answer.status !== 200) throw new Error(`Failed to get next invocation, error ${answer.status}`);
    return { bodyJson: answer.body.toString("utf8"), headers: answer.headers };
  },
  done(id, text) {
    say(`${ROOT}${id}/response`, {}, text);
  },
  error(id, text, cause) {
    let kind = "Unhandled";
    try {
      kind = JSON.parse(text).errorType ?? kind;
    } catch {
      // An error that cannot be told as JSON is one all the same.
    }
    const headers = { "lambda-runtime-function-error-type": String(kind).replace(/[^\x20-\x7e]/g, "?") };
    // A header holds so much; the cause is for X-Ray, which is not here.
    if (cause && cause.length < 8192) headers["lambda-runtime-function-xray-error-cause"] = cause.replace(/[^\x20-\x7e]/g, "?");
    say(`${ROOT}${id}/error`, headers, text);
  },
};

// Nothing asynchronous happens any more in a process that exits: a thread speaks, and this one waits for it.
function lastWords() {
  if (unsaid === undefined) return;
  const [path, headers, body] = unsaid;
  const told = new Int32Array(new SharedArrayBuffer(4));
  const speak = `
    const { workerData: { told, options, body } } = require("node:worker_threads");
    const end = () => { Atomics.store(told, 0, 1); Atomics.notify(told, 0); };
    require("node:http").request(options, (answer) => answer.resume().on("end", end)).on("error", end).end(body);`;
  const options = { hostname, port, method: "POST", path, headers };
  new Worker(speak, { eval: true, env: {}, execArgv: [], workerData: { told, options, body } });
  Atomics.wait(told, 0, 0, LAST_WORDS_MS);
}

const load = Module._load;
Module._load = function (name, ...more) {
  if (name !== "./rapid-client.node") return load.call(this, name, ...more);
  Module._load = load;
  try {
    return load.call(this, name, ...more);
  } catch {
    process.on("exit", lastWords);
    return client;
  }
};

const begun = await import(process.argv[2]);
// Until version 4 the client waits to be told; since then it begins by itself.
await begun.run?.(process.env.LAMBDA_TASK_ROOT, process.env._HANDLER);
