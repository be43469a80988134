// SPDX-License-Identifier: Apache-2.0
// node relay.mjs SOCKET ADDRESS PORT: hands every connection to a Unix socket on to a TCP address of this process's
// network namespace: files have no namespace of the network's, so the tests reach the API server from theirs.
import { rmSync } from "node:fs";
import { connect, createServer } from "node:net";

const [path, host, port] = process.argv.slice(2);
rmSync(path, { force: true });
createServer((near) => {
  const far = connect({ host, port: Number(port), noDelay: true });
  near.pipe(far).pipe(near);
  near.on("error", () => far.destroy());
  far.on("error", () => near.destroy());
}).listen(path, () => process.stdout.write("ready\n"));
