// SPDX-License-Identifier: Apache-2.0
// Server of the lab, TCP and UDP. Argument: JSON {name, tcp: [port], udp: [port], address?}. Says "ready" when it
// listens, ends when its stdin is closed. An answer is one line of JSON:
//   {"pod": name, "peer": address, "peerPort": port, "local": address, "localPort": port}
// TCP, by the first line of the client:
//   GET ...   an HTTP answer            WHO       the answer, then close
//   BIG n     n bytes, then close       SINK n    reads n bytes, answers with "got": n
//   HOLD      the answer, then echo until the client closes
// UDP: answers every datagram, with "length" of what came and "echo" of its first 64 bytes; "PAD n" pads to n bytes.
import { createSocket } from "node:dgram";
import { once } from "node:events";
import { createServer } from "node:net";

const settings = JSON.parse(process.argv[2] ?? "{}");
const plain = (address) => address?.replace(/^::ffff:(?=[\d.]+$)/, "");
const chunk = Buffer.alloc(1 << 18, "x");

function answer(socket, more = {}) {
  return JSON.stringify({
    pod: settings.name,
    peer: plain(socket.remoteAddress),
    peerPort: socket.remotePort,
    local: plain(socket.localAddress),
    localPort: socket.localPort,
    ...more,
  });
}

async function sendBig(socket, bytes) {
  for (let left = bytes; left > 0 && !socket.destroyed; left -= chunk.length) {
    if (!socket.write(chunk.subarray(0, Math.min(left, chunk.length)))) await once(socket, "drain");
  }
  socket.end();
}

function readSink(socket, want, first) {
  let got = first.length;
  const check = () => {
    if (got >= want) socket.end(`${answer(socket, { got })}\n`);
  };
  socket.on("data", (data) => {
    got += data.length;
    check();
  });
  check();
}

function serve(socket, line, rest) {
  const [verb, count] = line.split(" ");
  if (verb === "GET") {
    const body = `${answer(socket)}\n`;
    socket.end(
      `HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: ${body.length}\r\nConnection: close\r\n\r\n${body}`,
    );
  } else if (verb === "BIG") {
    sendBig(socket, Number(count)).catch((error) => socket.destroy(error));
  } else if (verb === "SINK") {
    readSink(socket, Number(count), rest);
  } else if (verb === "HOLD") {
    socket.write(`${answer(socket)}\n`);
    socket.on("data", (data) => socket.write(data));
    socket.on("end", () => socket.end());
  } else {
    socket.end(`${answer(socket)}\n`);
  }
}

function accept(socket) {
  let head = Buffer.alloc(0);
  socket.setNoDelay(true);
  socket.on("error", () => socket.destroy()); // the client went away: its side reports it
  const onHead = (data) => {
    head = Buffer.concat([head, data]);
    const end = head.indexOf(10);
    if (end < 0) return;
    socket.off("data", onHead);
    serve(socket, head.subarray(0, end).toString().trimEnd(), head.subarray(end + 1));
  };
  socket.on("data", onHead);
}

async function listenTcp(port) {
  const server = createServer({ allowHalfOpen: true }, accept);
  server.listen({ port, host: settings.address ?? "::", backlog: 4096 });
  await once(server, "listening");
}

async function listenUdp(port, type, address) {
  const socket = createSocket({ type, recvBufferSize: 4 << 20, ipv6Only: type === "udp6" });
  socket.on("message", (data, peer) => {
    const { address: local, port: localPort } = socket.address();
    const echo = data.subarray(0, 64).toString();
    const text = JSON.stringify({
      pod: settings.name,
      peer: peer.address,
      peerPort: peer.port,
      local,
      localPort,
      length: data.length,
      echo,
    });
    const [verb, size] = echo.split(" ");
    const send = () => socket.send(verb === "PAD" ? text.padEnd(Number(size)) : text, peer.port, peer.address);
    if (verb === "LATER") setTimeout(send, Number(size));
    else send();
  });
  socket.on("error", (error) => process.stderr.write(`udp ${address} port ${port}: ${error.message}\n`));
  socket.bind(port, address);
  await once(socket, "listening");
}

for (const port of settings.tcp ?? []) await listenTcp(port);
for (const port of settings.udp ?? []) {
  if (!settings.address?.includes(":")) await listenUdp(port, "udp4", settings.address ?? "0.0.0.0");
  if (settings.address?.includes(":") ?? true) await listenUdp(port, "udp6", settings.address ?? "::");
}
process.stdin.resume().on("end", () => process.exit(0));
process.stdout.write("ready\n");
