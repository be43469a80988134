// SPDX-License-Identifier: Apache-2.0
// Asks a lab's client process (programs/agent.mjs) to make connections and tells what became of them. Every request has
// a socket of its own and is made once: no retry.

import type { LabProcess } from "./process.ts";

/** What a server said, and what the client's kernel said of the connection. */
export interface Answer {
  /** Name of the server that answered. */
  readonly pod: string;
  /** Source address and port as the server saw them. */
  readonly peer: string;
  readonly peerPort: number;
  /** The server's own end (a wildcard for UDP). */
  readonly local: string;
  readonly localPort: number;
  /** TCP: getpeername() after connect; UDP: sender of the reply. "address:port" or "[address]:port" */
  readonly remote: string;
  /** Connected UDP: getpeername(). */
  readonly peername?: string;
  /** UDP: bytes of the datagram as it came to the server, its first 64, and bytes of the reply. */
  readonly length?: number;
  readonly echo?: string;
  readonly received?: number;
}

export interface TrafficResult {
  readonly asked: number;
  readonly answered: number;
  readonly failed: number;
  /** Answers by server name, by source address as the servers saw it, by Answer.remote. */
  readonly pods: Readonly<Record<string, number>>;
  readonly sources: Readonly<Record<string, number>>;
  readonly remotes: Readonly<Record<string, number>>;
  /** Failures by errno ("ECONNREFUSED") or "TIMEOUT", "EMPTY". */
  readonly failures: Readonly<Record<string, number>>;
  readonly latencyMs: { readonly p50: number; readonly p99: number; readonly max: number };
  /** The first 50. */
  readonly answers: readonly Answer[];
}

export interface Target {
  /** IPv4 or IPv6 literal. */
  readonly address: string;
  readonly port: number;
  readonly localPort?: number;
  readonly localAddress?: string;
  /** Per request; default 5000. */
  readonly timeoutMs?: number;
}

export interface ManyRequests extends Target {
  /** Undefined only with start…: until stopped. */
  readonly count?: number;
  /** Requests in flight at once; default 1. */
  readonly concurrency?: number;
  /** Pause of each of them between requests. */
  readonly gapMs?: number;
}

export interface TcpRequests extends ManyRequests {
  /** Ask by HTTP. */
  readonly http?: boolean;
}

export interface UdpRequests extends ManyRequests {
  /** connect() first, then send(); default: sendto(). */
  readonly connected?: boolean;
  /** At most one datagram; "PAD n" makes the server answer with n bytes, "LATER n" after n ms. Default "WHO". */
  readonly payload?: string;
  /** false: send and close; counts as answered when sent. */
  readonly expectReply?: boolean;
}

/** Requests under way. */
export interface RunningTraffic {
  /** Lets the requests in flight end, begins no others. */
  stop(): Promise<TrafficResult>;
}

/** A connection that stays open. */
export interface HeldConnection {
  readonly answer: Answer;
  /** Sends and reads back, count times; rejects when the connection broke or answers wrong. */
  echo(options?: { count?: number; gapMs?: number; payload?: string; timeoutMs?: number }): Promise<void>;
  close(): Promise<void>;
}

export class TrafficAgent {
  readonly #process: LabProcess;
  readonly #host: string;
  readonly #waiting = new Map<number, { resolve: (value: unknown) => void; reject: (error: Error) => void }>();
  #nextId = 1;
  #read = "ready\n".length;

  constructor(process: LabProcess, host: string) {
    this.#process = process;
    this.#host = host;
    process.onChange(() => this.#readAnswers());
  }

  tcp(requests: TcpRequests & { count: number }): Promise<TrafficResult> {
    return this.#ask("tcp", requests);
  }

  udp(requests: UdpRequests & { count: number }): Promise<TrafficResult> {
    return this.#ask("udp", requests);
  }

  startTcp(requests: TcpRequests): RunningTraffic {
    return this.#start("tcp", requests);
  }

  startUdp(requests: UdpRequests): RunningTraffic {
    return this.#start("udp", requests);
  }

  async hold(target: Target): Promise<HeldConnection> {
    const { handle, answer } = await this.#ask<{ handle: number; answer: Answer }>("hold", target);
    return {
      answer,
      echo: async (options = {}) => {
        await this.#ask("echo", { ...options, handle });
      },
      close: async () => {
        await this.#ask("close", { handle });
      },
    };
  }

  /** Reads this many bytes; timeoutMs default 60 000. */
  download(target: Target & { bytes: number }): Promise<{ bytes: number; ms: number }> {
    return this.#ask("download", target);
  }

  /** Sends this many bytes; resolves with how many the server says it got. */
  upload(target: Target & { bytes: number }): Promise<{ bytes: number; ms: number }> {
    return this.#ask("upload", target);
  }

  /** Ends the client process. */
  async end(): Promise<void> {
    await this.#process.stop();
  }

  #start(op: string, requests: ManyRequests): RunningTraffic {
    const id = this.#nextId;
    const result = this.#ask<TrafficResult>(op, requests);
    result.catch(() => {}); // whoever stops it is told
    return {
      stop: async () => {
        await this.#ask("stop", { target: id });
        return result;
      },
    };
  }

  #ask<T>(op: string, command: object): Promise<T> {
    const id = this.#nextId++;
    return new Promise<T>((resolve, reject) => {
      if (!this.#process.running)
        return reject(new Error(`the client in ${this.#host} has ended: ${this.#process.stderr}`));
      this.#waiting.set(id, { resolve: (value) => resolve(value as T), reject });
      this.#process.write(`${JSON.stringify({ ...command, id, op })}\n`);
    });
  }

  #readAnswers(): void {
    const end = this.#process.stdout.lastIndexOf("\n") + 1;
    const lines = this.#process.stdout.slice(this.#read, end).split("\n");
    this.#read = Math.max(end, this.#read);
    for (const line of lines) {
      if (line !== "") this.#settle(JSON.parse(line) as { id: number; result?: unknown; error?: string });
    }
    if (this.#process.running) return;
    for (const { reject } of this.#waiting.values()) {
      reject(new Error(`the client in ${this.#host} ended with requests under way: ${this.#process.stderr}`));
    }
    this.#waiting.clear();
  }

  #settle(message: { id: number; result?: unknown; error?: string }): void {
    const waiting = this.#waiting.get(message.id);
    this.#waiting.delete(message.id);
    if (message.error === undefined) waiting?.resolve(message.result);
    else waiting?.reject(new Error(`from ${this.#host}: ${message.error}`));
  }
}
