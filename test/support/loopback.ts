// SPDX-License-Identifier: Apache-2.0
// Servers that say their name, and clients that tell what the kernel showed them, over TCP and UDP on loopback.

import { createSocket, type RemoteInfo, type Socket as UdpSocket } from "node:dgram";
import { once } from "node:events";
import { type AddressInfo, connect, createServer, type Socket } from "node:net";

/** A TCP and a UDP server on one address, each on a port of its own choosing. */
export interface NamedServer extends AsyncDisposable {
  readonly name: string;
  readonly address: string;
  readonly tcpPort: number;
  readonly udpPort: number;
}

/** TCP: sends its name and echoes. UDP: answers each datagram with its name. */
export async function serveName(name: string, address: string): Promise<NamedServer> {
  const open = new Set<Socket>();
  const tcp = createServer((socket) => {
    open.add(socket.on("error", () => socket.destroy()).on("close", () => open.delete(socket)));
    socket.write(`${name}\n`);
    socket.pipe(socket);
  });
  tcp.listen(0, address);
  const udp = createSocket(address.includes(":") ? "udp6" : "udp4");
  udp.on("message", (_, peer) => udp.send(name, peer.port, peer.address));
  udp.bind(0, address);
  await Promise.all([once(tcp, "listening"), once(udp, "listening")]);
  return {
    name,
    address,
    tcpPort: (tcp.address() as AddressInfo).port,
    udpPort: udp.address().port,
    async [Symbol.asyncDispose]() {
      for (const socket of open) socket.destroy();
      udp.close();
      tcp.close();
      await once(tcp, "close");
    },
  };
}

/** An open connection to a NamedServer. */
export class TcpClient implements Disposable {
  readonly server: string;
  /** getpeername() */
  readonly remote: string;
  readonly socket: Socket;

  private constructor(socket: Socket, server: string) {
    this.socket = socket;
    this.server = server;
    this.remote = endpoint(socket.remoteAddress, socket.remotePort);
  }

  /** Rejects with the errno of connect(). */
  static async open(address: string, port: number, localAddress?: string): Promise<TcpClient> {
    const socket = connect({ host: address, port, ...(localAddress !== undefined && { localAddress }) });
    try {
      return new TcpClient(socket, (await readLine(socket)).trim());
    } catch (error) {
      socket.destroy();
      throw error;
    }
  }

  /** Sends a line and returns what comes back. */
  async echo(line: string): Promise<string> {
    const answer = readLine(this.socket);
    this.socket.write(`${line}\n`);
    return (await answer).trim();
  }

  [Symbol.dispose](): void {
    this.socket.destroy();
  }
}

/** Who answered a datagram, and where it came from as recvfrom() says. */
export interface UdpAnswer {
  readonly server: string;
  readonly from: string;
}

export class UdpClient implements Disposable {
  readonly socket: UdpSocket;

  constructor(type: "udp4" | "udp6") {
    this.socket = createSocket(type);
    this.socket.on("error", () => {}); // each operation reports its own
  }

  /** sendto() and one answer; rejects with the errno of sendto(). */
  async ask(address: string, port: number): Promise<UdpAnswer> {
    const answer = this.#next();
    await new Promise<void>((resolve, reject) =>
      this.socket.send("who?", port, address, (error) => (error ? reject(error) : resolve())),
    );
    return answer();
  }

  /** connect(); resolves with what getpeername() says. */
  async connect(address: string, port: number): Promise<string> {
    await new Promise<void>((resolve, reject) => {
      const callback: unknown = (error?: Error) => (error ? reject(error) : resolve());
      this.socket.connect(port, address, callback as () => void);
    });
    return this.peer();
  }

  /** bind() to an address and a port of the kernel's choosing; resolves with the port. */
  async bind(address: string): Promise<number> {
    await new Promise<void>((resolve) => this.socket.bind(0, address, resolve));
    return this.socket.address().port;
  }

  /** connect() to AF_UNSPEC. */
  disconnect(): void {
    this.socket.disconnect();
  }

  peer(): string {
    const { address, port } = this.socket.remoteAddress();
    return endpoint(address, port);
  }

  /** send() on the connected socket, and one answer. */
  async askPeer(): Promise<UdpAnswer> {
    const answer = this.#next();
    await new Promise<void>((resolve, reject) =>
      this.socket.send("who?", (error) => (error ? reject(error) : resolve())),
    );
    return answer();
  }

  /** Listens from now on; the function it returns waits for the answer, two seconds at most. */
  #next(): () => Promise<UdpAnswer> {
    const message = once(this.socket, "message", { signal: AbortSignal.timeout(2000) });
    message.catch(() => {}); // reported to whoever waits
    return async () => {
      const [data, from] = (await message) as [Buffer, RemoteInfo];
      return { server: data.toString(), from: endpoint(from.address, from.port) };
    };
  }

  [Symbol.dispose](): void {
    this.socket.close();
  }
}

function readLine(socket: Socket): Promise<string> {
  return new Promise((resolve, reject) => {
    let text = "";
    const onData = (data: Buffer) => {
      text += data;
      if (text.endsWith("\n")) finish(() => resolve(text));
    };
    const onError = (error: Error) => finish(() => reject(error));
    const onClose = () => finish(() => reject(new Error("closed before an answer came")));
    const finish = (settle: () => void) => {
      socket.off("data", onData).off("error", onError).off("close", onClose);
      settle();
    };
    socket.on("data", onData).on("error", onError).on("close", onClose);
  });
}

function endpoint(address: string | undefined, port: number | undefined): string {
  return address?.includes(":") ? `[${address}]:${port}` : `${address}:${port}`;
}
