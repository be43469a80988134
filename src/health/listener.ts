// SPDX-License-Identifier: Apache-2.0
// One HTTP server at one address and port that answers health checks: any path, any method.

import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import type { HealthAnswer } from "./answer.ts";

export interface ListenerOptions {
  /** An IP literal, a wildcard included; "::" leaves IPv4 alone. */
  readonly address: string;
  /** 1..65535 */
  readonly port: number;
  readonly answer: () => HealthAnswer;
  readonly onListening: () => void;
  /** It could not listen, and does not try again. */
  readonly onError: (error: NodeJS.ErrnoException) => void;
}

export class HealthListener {
  /** Resolves when it listens no more and its last connection has ended. */
  readonly closed: Promise<void>;
  readonly #server: Server;
  readonly #options: ListenerOptions;
  #closing = false;

  constructor(options: ListenerOptions) {
    this.#options = options;
    // A load balancer may keep its connection however seldom it asks, as with kube-proxy.
    this.#server = createServer({ keepAliveTimeout: 0 }, (request, response) => this.#respond(request, response));
    this.#server.on("listening", () => this.#listening());
    this.closed = new Promise((resolve) => {
      this.#server.on("close", resolve);
      this.#server.on("error", (error) => {
        resolve();
        if (!this.#closing) options.onError(error);
      });
    });
    const { address: host, port } = options;
    this.#server.listen({ host, port, ipv6Only: host.includes(":"), exclusive: true });
  }

  /** Listens no more, at once. Requests that have begun are answered, then their connections end. */
  close(): void {
    this.#closing = true;
    if (this.#server.listening) this.#server.close();
  }

  /** Ends what close() left. */
  cut(): void {
    this.#server.closeAllConnections();
  }

  /** The port is bound only in the next turn of the event loop; close() may have come before. */
  #listening(): void {
    if (this.#closing) this.#server.close();
    else this.#options.onListening();
  }

  #respond(request: IncomingMessage, response: ServerResponse): void {
    const { status, headers, body } = this.#options.answer();
    const last = this.#closing || !response.shouldKeepAlive;
    // Go names the connection only where it ends otherwise than this version of HTTP has it.
    response.removeHeader("Connection");
    response.shouldKeepAlive = !last;
    response.sendDate = false;
    const old = request.httpVersion === "1.0";
    const connection = last === old ? [] : ["Connection", last ? "close" : "keep-alive"];
    response.writeHead(status, [...headers, ...connection]);
    response.end(body);
  }
}
