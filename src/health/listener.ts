// SPDX-License-Identifier: Apache-2.0
// One HTTP server at one address and port. What it answers is the caller's; how, is Go's way.

import { createServer, type IncomingMessage, type Server, type ServerOptions, type ServerResponse } from "node:http";
import type { HttpAnswer } from "./answer.ts";

export interface ListenerOptions {
  /** An IP literal, a wildcard included. */
  readonly address: string;
  /** 1..65535 */
  readonly port: number;
  /** "::" takes IPv4 too. */
  readonly bothFamilies?: boolean;
  /** Beyond them a connection is closed at once; default: as many as come. */
  readonly maxConnections?: number;
  /** Of node:http. Default: connections are kept, however seldom they ask, as with kube-proxy. */
  readonly limits?: Pick<ServerOptions, "headersTimeout" | "requestTimeout" | "keepAliveTimeout">;
  /** So long nothing may move on a connection with a request; default: for ever. */
  readonly inactivityMs?: number;
  /** Must not throw. */
  readonly answer: (request: IncomingMessage) => HttpAnswer | Promise<HttpAnswer>;
  readonly onListening: () => void;
  /** It could not listen, and does not try again. */
  readonly onError: (error: NodeJS.ErrnoException) => void;
}

export class HttpListener {
  /** Resolves when it listens no more and its last connection has ended. */
  readonly closed: Promise<void>;
  readonly #server: Server;
  readonly #options: ListenerOptions;
  #closing = false;

  constructor(options: ListenerOptions) {
    this.#options = options;
    const { address: host, port, limits, maxConnections, inactivityMs = 0, bothFamilies = false } = options;
    this.#server = createServer(
      { keepAliveTimeout: 0, ...limits },
      (request, response) => void this.#respond(request, response),
    );
    this.#server.setTimeout(inactivityMs);
    if (maxConnections !== undefined) this.#server.maxConnections = maxConnections;
    this.#server.on("listening", () => this.#listening());
    this.closed = new Promise((resolve) => {
      this.#server.on("close", resolve);
      this.#server.on("error", (error) => {
        resolve();
        if (!this.#closing) options.onError(error);
      });
    });
    this.#server.listen({ host, port, ipv6Only: host.includes(":") && !bothFamilies, exclusive: true });
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

  async #respond(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const { status, headers, body } = await this.#options.answer(request);
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
