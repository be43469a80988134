// SPDX-License-Identifier: Apache-2.0
// Client of the lab: one process per host makes all its connections. One JSON command a line on stdin, one JSON answer
// a line on stdout: {"id", "op", ...} -> {"id", "result"} or {"id", "error"}. Ends when stdin is closed. The operations
// and their results are typed and described in ../traffic.ts. Every request has a socket of its own; nothing is retried.
import { createSocket } from "node:dgram";
import { connect } from "node:net";
import { createInterface } from "node:readline";

const KEPT_ANSWERS = 50;
const held = new Map();
const running = new Map();
const operations = {
  tcp: (c) => many(c, tcpOnce),
  udp: (c) => many(c, udpOnce),
  stop,
  hold,
  echo,
  close,
  download,
  upload,
};

function failure(error) {
  return error.code ?? error.message;
}

function count(table, key) {
  table[key] = (table[key] ?? 0) + 1;
}

function percentile(sorted, share) {
  return sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))] ?? 0;
}

const pause = (ms) => new Promise((resolve) => setTimeout(resolve, ms));

/** Makes command.count requests, command.concurrency at once, until done or stopped. */
async function many(command, request) {
  const result = { asked: 0, answered: 0, failed: 0, pods: {}, sources: {}, remotes: {}, failures: {}, answers: [] };
  const latencies = [];
  const state = { stopped: false };
  running.set(command.id, state);
  const limit = command.count ?? Number.POSITIVE_INFINITY;
  const worker = async () => {
    while (!state.stopped && result.asked < limit) {
      result.asked++;
      const begun = performance.now();
      try {
        record(result, await request(command));
        latencies.push(performance.now() - begun);
      } catch (error) {
        result.failed++;
        count(result.failures, failure(error));
      }
      if (command.gapMs) await pause(command.gapMs);
    }
  };
  await Promise.all(Array.from({ length: command.concurrency ?? 1 }, worker));
  running.delete(command.id);
  latencies.sort((a, b) => a - b);
  const latencyMs = { p50: percentile(latencies, 0.5), p99: percentile(latencies, 0.99), max: latencies.at(-1) ?? 0 };
  return { ...result, latencyMs };
}

function record(result, answer) {
  result.answered++;
  if (answer === undefined) return;
  count(result.pods, answer.pod);
  count(result.sources, answer.peer);
  count(result.remotes, answer.remote);
  if (result.answers.length < KEPT_ANSWERS) result.answers.push(answer);
}

function stop(command) {
  const state = running.get(command.target);
  if (state) state.stopped = true;
  return {};
}

/** Opens a connection, sends the request line and hands every piece of data to onData; resolves when that returns a value. */
function open(command, request, onData, onEnd) {
  return new Promise((resolve, reject) => {
    const { address: host, port, localPort, localAddress } = command;
    const socket = connect({ host, port, localPort, localAddress, noDelay: true });
    const timer = setTimeout(() => finish(() => reject(new Error("TIMEOUT"))), command.timeoutMs ?? 5000);
    const finish = (settle) => {
      clearTimeout(timer);
      socket.destroy();
      settle();
    };
    let remote;
    socket.on("connect", () => {
      remote = `${bracket(socket.remoteAddress)}:${socket.remotePort}`;
      socket.write(request);
    });
    socket.on("error", (error) => finish(() => reject(error)));
    socket.on("data", (data) => {
      const kept = onData(data, socket, remote);
      if (kept === undefined) return;
      clearTimeout(timer);
      resolve(kept);
    });
    socket.on("end", () => {
      try {
        const value = onEnd(remote);
        finish(() => resolve(value));
      } catch (error) {
        finish(() => reject(error));
      }
    });
  });
}

const bracket = (address) => (address?.includes(":") ? `[${address}]` : address);

function parse(text) {
  const body = text.startsWith("HTTP/") ? text.slice(text.indexOf("\r\n\r\n") + 4) : text;
  if (body.trim() === "") throw new Error("EMPTY");
  return JSON.parse(body);
}

function tcpOnce(command) {
  let text = "";
  const host = bracket(command.address);
  const request = command.http ? `GET / HTTP/1.1\r\nHost: ${host}\r\nConnection: close\r\n\r\n` : "WHO\n";
  return open(
    command,
    request,
    (data) => {
      text += data;
    },
    (remote) => ({ ...parse(text), remote }),
  );
}

function udpOnce(command) {
  return new Promise((resolve, reject) => {
    const type = command.address.includes(":") ? "udp6" : "udp4";
    const socket = createSocket({ type, reuseAddr: command.connected === true && command.localPort !== undefined });
    const finish = (settle) => {
      clearTimeout(timer);
      socket.close();
      settle();
    };
    const timer = setTimeout(() => finish(() => reject(new Error("TIMEOUT"))), command.timeoutMs ?? 5000);
    const fail = (error) => error && finish(() => reject(error));
    let peername;
    socket.on("error", fail);
    socket.on("message", (data, from) => {
      const remote = `${bracket(from.address)}:${from.port}`;
      const answer = JSON.parse(data.toString());
      finish(() => resolve({ ...answer, remote, ...(peername && { peername }), received: data.length }));
    });
    const payload = command.payload ?? "WHO";
    const sent = (error) => {
      if (error) fail(error);
      else if (command.expectReply === false) finish(() => resolve(undefined));
    };
    const send = () => {
      if (!command.connected) return socket.send(payload, command.port, command.address, sent);
      socket.connect(command.port, command.address, (error) => {
        if (error) return fail(error);
        const { address, port } = socket.remoteAddress();
        peername = `${bracket(address)}:${port}`;
        socket.send(payload, sent);
      });
    };
    if (command.localPort || command.localAddress) socket.bind(command.localPort, command.localAddress, send);
    else send();
  });
}

async function hold(command) {
  let text = "";
  const result = await open(
    command,
    "HOLD\n",
    (data, socket, remote) => {
      text += data;
      if (!text.endsWith("\n")) return undefined;
      socket.removeAllListeners("data").removeAllListeners("end").removeAllListeners("error");
      return { socket, answer: { ...JSON.parse(text), remote } };
    },
    () => {
      throw new Error("EMPTY");
    },
  );
  const entry = { socket: result.socket, error: undefined, waiting: undefined };
  const broken = (error) => {
    entry.error ??= error;
    entry.waiting?.();
  };
  result.socket.on("error", broken).on("close", () => broken(new Error("CLOSED")));
  held.set(command.id, entry);
  return { handle: command.id, answer: result.answer };
}

/** Sends the text and reads it back, command.count times. */
async function echo(command) {
  const entry = held.get(command.handle);
  if (entry === undefined) throw new Error(`no held connection ${command.handle}`);
  const payload = command.payload ?? "are you there?";
  for (let done = 0; done < (command.count ?? 1); done++) {
    if (done > 0 && command.gapMs) await pause(command.gapMs);
    const got = await roundTrip(entry, payload, command.timeoutMs ?? 5000);
    if (got !== payload) throw new Error(`MISMATCH ${JSON.stringify(got)}`);
  }
  return { echoed: command.count ?? 1 };
}

function roundTrip(entry, payload, timeoutMs) {
  return new Promise((resolve, reject) => {
    if (entry.error) return reject(entry.error);
    let text = "";
    const finish = (settle) => {
      clearTimeout(timer);
      entry.waiting = undefined;
      entry.socket.off("data", onData);
      settle();
    };
    const onData = (data) => {
      text += data;
      if (text.length >= payload.length) finish(() => resolve(text));
    };
    const timer = setTimeout(() => finish(() => reject(new Error("TIMEOUT"))), timeoutMs);
    entry.waiting = () => finish(() => reject(entry.error));
    entry.socket.on("data", onData);
    entry.socket.write(payload);
  });
}

function close(command) {
  held.get(command.handle)?.socket.destroy();
  held.delete(command.handle);
  return {};
}

async function download(command) {
  const begun = performance.now();
  let bytes = 0;
  await open(
    { timeoutMs: 60_000, ...command },
    `BIG ${command.bytes}\n`,
    (data) => {
      bytes += data.length;
    },
    () => true,
  );
  return { bytes, ms: performance.now() - begun };
}

function upload(command) {
  const begun = performance.now();
  let text = "";
  const request = Buffer.concat([Buffer.from(`SINK ${command.bytes}\n`), Buffer.alloc(command.bytes, "y")]);
  return open(
    { timeoutMs: 60_000, ...command },
    request,
    (data) => {
      text += data;
    },
    () => ({ bytes: parse(text).got, ms: performance.now() - begun }),
  );
}

async function answer(line) {
  const command = JSON.parse(line);
  try {
    const result = await operations[command.op](command);
    process.stdout.write(`${JSON.stringify({ id: command.id, result })}\n`);
  } catch (error) {
    process.stdout.write(`${JSON.stringify({ id: command.id, error: failure(error) })}\n`);
  }
}

createInterface({ input: process.stdin })
  .on("line", (line) => void answer(line))
  .on("close", () => process.exit(0));
process.stdout.write("ready\n");
