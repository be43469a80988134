// SPDX-License-Identifier: Apache-2.0
// UDP sockets that stay: each asks when a line comes on stdin. Arguments: address, port, how many, and "connected" or
// "unconnected". Prints for each line, once all are answered, one JSON line: [{pod, from, peername}], in the order of the
// sockets; from is the answer's sender, peername getpeername()'s word, null without a connection.

import { createSocket } from "node:dgram";
import { once } from "node:events";
import { createInterface } from "node:readline";

const [address = "", port = "", count = "", kind = ""] = process.argv.slice(2);
const AGAIN_MS = 500;
const shown = (end) => `${end.address}:${end.port}`;

async function open() {
  const socket = createSocket(address.includes(":") ? "udp6" : "udp4");
  if (kind === "connected") {
    socket.connect(Number(port), address);
    await once(socket, "connect");
  }
  return socket;
}

async function ask(socket) {
  const send = () => (kind === "connected" ? socket.send("WHO") : socket.send("WHO", Number(port), address));
  const again = setInterval(send, AGAIN_MS);
  send();
  const [message, sender] = await once(socket, "message");
  clearInterval(again);
  const peername = kind === "connected" ? shown(socket.remoteAddress()) : null;
  return { pod: JSON.parse(message.toString()).pod, from: shown(sender), peername };
}

const sockets = await Promise.all(Array.from({ length: Number(count) }, open));
process.stdout.write("ready\n");
for await (const _ of createInterface({ input: process.stdin })) {
  process.stdout.write(`${JSON.stringify(await Promise.all(sockets.map(ask)))}\n`);
}
process.exit();
