// SPDX-License-Identifier: Apache-2.0
// Servers that tell at which address they were reached, and sockets that ask them once, by each way to use a socket.

import { createSocket, type RemoteInfo, type Socket as UdpSocket } from "node:dgram";
import { once } from "node:events";
import { type AddressInfo, connect, createServer } from "node:net";

export interface Server {
  readonly address: string;
  readonly port: number;
}

/** One new socket, its own question. */
export interface Dial extends Server {
  readonly way: "TCP connect" | "UDP connect" | "UDP sendmsg";
  /** What the socket is bound to; undefined: the kernel is to choose. */
  readonly source: string | undefined;
}

/** Whom the socket reached, and whom the kernel shows it; or the errno of connect() or sendto(). */
export type Heard = { readonly reached: string; readonly shown: string } | { readonly error: string };

const open = new Set<string>();
const WAIT_MS = 5000;
/** The code of an aborted wait. */
const NO_ANSWER = "ABORT_ERR";

/** For datagrams a socket at each address, which its answers come from; for streams one at all of them. */
export async function serve(servers: readonly Server[]): Promise<void> {
  const fresh = (key: string): boolean => !open.has(key) && open.add(key).size > 0;
  const wanted = servers.flatMap(({ address, port }) => [
    ...(fresh(`TCP ${port}`) ? [serveStreams(port)] : []),
    ...(fresh(`UDP ${text(address, port)}`) ? [serveDatagrams(address, port)] : []),
  ]);
  await Promise.all(wanted);
}

async function serveStreams(port: number): Promise<void> {
  const server = createServer((socket) => {
    socket.on("error", () => socket.destroy());
    socket.end(text(socket.localAddress ?? "", port));
  });
  server.listen(port, "::");
  await once(server, "listening");
}

async function serveDatagrams(address: string, port: number): Promise<void> {
  const socket = createSocket(kindOf(address));
  socket.on("message", (_, peer) => socket.send(text(address, port), peer.port, peer.address));
  socket.bind(port, address);
  await once(socket, "listening");
}

/** One after the other: what one leaves behind the next may meet. The first that nobody answers is the last. */
export async function dialAll(dials: readonly Dial[]): Promise<readonly Heard[]> {
  const heard: Heard[] = [];
  for (const dial of dials) {
    const one = await dialOnce(dial);
    heard.push(one);
    if ("error" in one && one.error === NO_ANSWER) break;
  }
  return heard;
}

async function dialOnce(dial: Dial): Promise<Heard> {
  try {
    return await (dial.way === "TCP connect" ? dialStream(dial) : dialDatagram(dial));
  } catch (error) {
    if (error instanceof Error && "code" in error) return { error: String(error.code) };
    throw error;
  }
}

async function dialStream({ address, port, source }: Dial): Promise<Heard> {
  const socket = connect({ host: address, port, ...(source === undefined ? {} : { localAddress: source }) });
  const said: Buffer[] = [];
  socket.on("data", (data) => said.push(data));
  socket.setTimeout(WAIT_MS, () => socket.destroy(Object.assign(new Error("no answer"), { code: NO_ANSWER })));
  try {
    await once(socket, "connect");
    const shown = text(socket.remoteAddress ?? "", socket.remotePort ?? 0);
    await once(socket, "end");
    return { reached: Buffer.concat(said).toString(), shown };
  } finally {
    socket.destroy();
  }
}

async function dialDatagram({ way, address, port, source }: Dial): Promise<Heard> {
  const socket = createSocket(kindOf(address));
  try {
    socket.bind(0, source);
    await once(socket, "listening");
    if (way === "UDP connect") await promised((done) => socket.connect(port, address, done as () => void));
    const answer = once(socket, "message", { signal: AbortSignal.timeout(WAIT_MS) });
    answer.catch(() => {}); // whoever waits is told
    if (way === "UDP connect") await promised((done) => socket.send("who?", done));
    else await promised((done) => socket.send("who?", port, address, done));
    const [data, from] = (await answer) as [Buffer, RemoteInfo];
    const shown = way === "UDP connect" ? peerOf(socket) : from;
    return { reached: data.toString(), shown: text(shown.address, shown.port) };
  } finally {
    socket.close();
  }
}

function peerOf(socket: UdpSocket): AddressInfo {
  return socket.remoteAddress();
}

function promised(begin: (done: (error?: Error | null) => void) => void): Promise<void> {
  return new Promise((resolve, reject) => begin((error) => (error ? reject(error) : resolve())));
}

function kindOf(address: string): "udp4" | "udp6" {
  return address.includes(":") ? "udp6" : "udp4";
}

function text(address: string, port: number): string {
  return `[${address.replace(/^::ffff:(?=.*\.)/, "")}]:${port}`;
}
