// SPDX-License-Identifier: Apache-2.0
// A UDP client that connects, asks once, and then only waits: what comes next, its kernel has to tell it. Arguments:
// address, port. Prints "answered NAME" for an answer, "error CODE" for an error, after which it connects anew.

import { createSocket } from "node:dgram";

const [address = "", port = ""] = process.argv.slice(2);
const AGAIN_MS = 50;

function ask() {
  const socket = createSocket(address.includes(":") ? "udp6" : "udp4");
  let again;
  const fail = (error) => {
    clearInterval(again);
    socket.removeAllListeners().on("error", () => {});
    socket.close();
    process.stdout.write(`error ${error.code}\n`);
    setTimeout(ask, AGAIN_MS);
  };
  socket.on("error", fail);
  socket.on("message", (message) => {
    clearInterval(again);
    process.stdout.write(`answered ${JSON.parse(message.toString()).pod}\n`);
  });
  socket.connect(Number(port), address, (error) => {
    if (error) return fail(error);
    const send = () => socket.send("WHO", (failed) => failed && fail(failed));
    again = setInterval(send, 200);
    send();
  });
}

ask();
