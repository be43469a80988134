// SPDX-License-Identifier: Apache-2.0
// A UDP client that asks many servers by one socket, in turn and twice, and looks who answers. Arguments: addresses of one
// family, each with its port after a slash. Prints "stranger ADDRESS/PORT" for an answer of nobody it asked, then "done".

import { createSocket } from "node:dgram";

const asked = process.argv.slice(2);
const AGAIN_MS = 300;
const socket = createSocket(asked[0].includes(":") ? "udp6" : "udp4");
let heard = () => {};
socket.on("message", (_message, { address, port }) => {
  const from = `${address}/${port}`;
  if (!asked.includes(from)) process.stdout.write(`stranger ${from}\n`);
  heard(from);
});

for (const server of [...asked, ...asked]) {
  const [address, port] = server.split("/");
  const send = () => socket.send("WHO", Number(port), address);
  const again = setInterval(send, AGAIN_MS);
  await new Promise((resolve) => {
    heard = (from) => from === server && resolve();
    send();
  });
  clearInterval(again);
}
process.stdout.write("done\n");
socket.close();
