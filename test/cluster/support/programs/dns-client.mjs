// SPDX-License-Identifier: Apache-2.0
// Asks a DNS server, each question from a socket of its own, once. One JSON question a line on stdin, one JSON answer a
// line on stdout: {"id", "server", "name", "type", "tcp", "timeoutMs"} -> {"id", "status", "records"} or {"id", "error"}.
// Type AXFR asks for a whole zone. Ends when stdin is closed.
import { createSocket } from "node:dgram";
import { connect, SocketAddress } from "node:net";
import { createInterface } from "node:readline";

const TYPES = { A: 1, NS: 2, CNAME: 5, SOA: 6, PTR: 12, TXT: 16, AAAA: 28, SRV: 33, AXFR: 252 };
const NAMES = Object.fromEntries(Object.entries(TYPES).map(([name, number]) => [number, name]));
const IN = 1;

function question({ name, type }) {
  const labels = name
    .split(".")
    .filter((label) => label !== "")
    .flatMap((label) => [Buffer.from([label.length]), Buffer.from(label)]);
  const head = Buffer.from([Math.random() * 256, Math.random() * 256, 1, 0, 0, 1, 0, 0, 0, 0, 0, 0]);
  return Buffer.concat([head, ...labels, Buffer.from([0, 0, TYPES[type], 0, IN])]);
}

/** A name that may end in a pointer to an earlier one (RFC 1035, 4.1.4), and where it ends. */
function nameAt(message, offset) {
  let text = "";
  for (let at = offset; ; ) {
    const length = message[at];
    if (length === 0) return { text: text || ".", end: at + 1 };
    if (length < 192) {
      text += `${message.toString("latin1", at + 1, at + 1 + length)}.`;
      at += 1 + length;
      continue;
    }
    const rest = nameAt(message, message.readUInt16BE(at) & 0x3fff).text;
    return { text: text + rest, end: at + 2 };
  }
}

function ipv6(bytes) {
  const groups = Array.from({ length: 8 }, (_, i) => bytes.readUInt16BE(2 * i).toString(16));
  return new SocketAddress({ address: groups.join(":"), family: "ipv6" }).address;
}

function valueAt(message, type, at, length) {
  const data = message.subarray(at, at + length);
  if (type === "A") return [...data].join(".");
  if (type === "AAAA") return ipv6(data);
  if (type === "TXT") return `"${data.toString("latin1", 1)}"`;
  if (["CNAME", "PTR", "NS"].includes(type)) return nameAt(message, at).text;
  if (type !== "SRV") return data.toString("hex");
  const numbers = [0, 2, 4].map((offset) => data.readUInt16BE(offset));
  return `${numbers.join(" ")} ${nameAt(message, at + 6).text}`;
}

function parse(message) {
  const records = [];
  let at = 12;
  for (let i = message.readUInt16BE(4); i > 0; i--) at = nameAt(message, at).end + 4;
  for (let i = message.readUInt16BE(6); i > 0; i--) {
    const { text: name, end } = nameAt(message, at);
    const type = NAMES[message.readUInt16BE(end)] ?? "other";
    const length = message.readUInt16BE(end + 8);
    records.push({ name, type, value: valueAt(message, type, end + 10, length) });
    at = end + 10 + length;
  }
  return { status: message[3] & 15, records };
}

function byUdp(asked) {
  const socket = createSocket(asked.server.includes(":") ? "udp6" : "udp4");
  let timer;
  const answer = new Promise((resolve, reject) => {
    timer = setTimeout(() => reject(new Error("timeout")), asked.timeoutMs);
    socket.on("error", reject);
    socket.on("message", (message) => resolve(parse(message)));
    // Connected, so that a refusal is heard.
    socket.connect(53, asked.server, () => socket.send(question(asked)));
  });
  return answer.finally(() => {
    clearTimeout(timer);
    socket.close();
  });
}

/** A zone comes in several messages, and its SOA record first and last. */
function byTcp(asked) {
  return new Promise((resolve, reject) => {
    const socket = connect({ host: asked.server, port: 53 });
    const all = { status: 0, records: [] };
    let bytes = Buffer.alloc(0);
    socket.setTimeout(asked.timeoutMs, () => socket.destroy(new Error("timeout")));
    socket.on("error", reject);
    socket.on("close", () => reject(new Error("closed before the answer")));
    socket.on("connect", () => {
      const message = question(asked);
      socket.write(Buffer.concat([Buffer.from([message.length >> 8, message.length & 255]), message]));
    });
    socket.on("data", (chunk) => {
      bytes = Buffer.concat([bytes, chunk]);
      while (bytes.length >= 2 && bytes.length >= 2 + bytes.readUInt16BE(0)) {
        const { status, records } = parse(bytes.subarray(2, 2 + bytes.readUInt16BE(0)));
        bytes = bytes.subarray(2 + bytes.readUInt16BE(0));
        all.status = status;
        all.records.push(...records);
      }
      const zone = asked.type === "AXFR" && all.status === 0;
      const complete = zone ? all.records.filter(({ type }) => type === "SOA").length === 2 : bytes.length === 0;
      if (!complete) return;
      resolve(all);
      socket.destroy();
    });
  });
}

createInterface({ input: process.stdin }).on("line", async (line) => {
  const { id, ...asked } = JSON.parse(line);
  try {
    console.log(JSON.stringify({ id, ...(await (asked.tcp ? byTcp(asked) : byUdp(asked))) }));
  } catch (error) {
    console.log(JSON.stringify({ id, error: error.code ?? error.message }));
  }
});
console.log("ready");
