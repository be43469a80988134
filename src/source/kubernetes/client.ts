// SPDX-License-Identifier: Apache-2.0
// Requests to an API server, a connection each: they live for minutes, or are few.

import { request as httpRequest, type IncomingMessage } from "node:http";
import { request as httpsRequest } from "node:https";
import { RequestActivity } from "./activity.ts";
import type { Credentials } from "./credentials.ts";
import { ACCEPT, type ApiStatus, type Codec, codecOf } from "./decode.ts";
import { ApiFailure, answerFailure, connectionFailure } from "./failure.ts";
import { type ApiResource, pathOf, type Resource } from "./resources.ts";

/** Kernel probes of a connection that is quiet: a server that vanished is noticed within half a minute. */
const KEEPALIVE_MS = 15_000;
/** An answer that begins, or goes on, later than this does not come. */
const PATIENCE_MS = 60_000;
/** Bookmarks come every minute or so, whatever else does not. */
const WATCH_PATIENCE_MS = 200_000;
/** Of a body that says why not. */
const MAX_STATUS_BYTES = 1 << 20;

export type ReadVerb = "list" | "watch";
type Verb = ReadVerb | "create";

export interface Answer {
  readonly codec: Codec;
  readonly body: AsyncIterable<Buffer>;
}

interface Request {
  readonly resource: ApiResource;
  readonly verb: Verb;
  /** With its query. */
  readonly path: string;
  readonly patienceMs: number;
  readonly method: "GET" | "POST";
  readonly body: string | undefined;
}

type Access = Pick<Credentials, "access" | "place" | "refused" | "nextServer">;

export class ApiClient {
  readonly activity: RequestActivity = new RequestActivity();
  readonly #credentials: Access;
  readonly #userAgent: string;

  constructor(credentials: Access, userAgent: string) {
    this.#credentials = credentials;
    this.#userAgent = userAgent;
  }

  /** Rejects, and so does the body, with an ApiFailure. Once aborted it ends in any way. */
  get(
    resource: Resource,
    verb: ReadVerb,
    query: Readonly<Record<string, string>>,
    signal: AbortSignal,
  ): Promise<Answer> {
    const search = new URLSearchParams(query);
    if (resource.labelSelector) search.set("labelSelector", resource.labelSelector);
    if (resource.fieldSelector) search.set("fieldSelector", resource.fieldSelector);
    const patienceMs = verb === "watch" ? WATCH_PATIENCE_MS : PATIENCE_MS;
    const path = `${pathOf(resource)}?${search}`;
    return this.#ask({ resource, verb, path, patienceMs, method: "GET", body: undefined }, signal);
  }

  /** Rejects with an ApiFailure. object: as JSON has it. */
  async create(resource: ApiResource, namespace: string, object: object, signal: AbortSignal): Promise<void> {
    const path = pathOf(resource, namespace);
    const body = JSON.stringify(object);
    const answer = await this.#ask(
      { resource, verb: "create", path, patienceMs: PATIENCE_MS, method: "POST", body },
      signal,
    );
    await readAll(answer.body, MAX_STATUS_BYTES);
  }

  async #ask({ resource, verb, path, patienceMs, method, body }: Request, signal: AbortSignal): Promise<Answer> {
    const { server, options } = await this.#credentials.access();
    const headers = {
      accept: ACCEPT,
      "user-agent": this.#userAgent,
      ...(body && { "content-type": "application/json" }),
    };
    const begunMs = performance.now();
    const answered = (code: number | undefined) =>
      this.activity.answered(method, server.host, code, performance.now() - begunMs);
    const response = await new Promise<IncomingMessage>((resolve, reject) => {
      const begin = server.protocol === "http:" ? httpRequest : httpsRequest;
      const url = new URL(server.pathname.replace(/\/$/, "") + path, server);
      const request = begin(url, { ...options, method, headers: { ...options.headers, ...headers }, signal });
      request.on("socket", (socket) => socket.setKeepAlive(true, KEEPALIVE_MS));
      request.setTimeout(patienceMs, () => request.destroy(new Error(`silent for ${patienceMs / 1000} s`)));
      request.on("error", reject);
      request.on("response", resolve);
      request.end(body);
    }).catch((error: Error) => {
      if (!signal.aborted) answered(undefined);
      this.#credentials.nextServer();
      throw connectionFailure(error, server.origin);
    });
    answered(response.statusCode);
    const codec = codecOf(response.headers["content-type"] ?? "");
    const answer = this.#body(response, server.origin);
    const { statusCode = 0 } = response;
    if (statusCode >= 200 && statusCode < 300 && codec) return { codec, body: answer };
    const place = { resource, verb, credentials: this.#credentials.place };
    throw await this.#refusal(response, answer, codec, place);
  }

  async *#body(response: IncomingMessage, server: string): AsyncGenerator<Buffer> {
    try {
      for await (const chunk of response) yield chunk as Buffer;
    } catch (error) {
      throw connectionFailure(error as Error, server);
    }
  }

  async #refusal(
    { statusCode = 0, headers }: IncomingMessage,
    body: AsyncIterable<Buffer>,
    codec: Codec | undefined,
    place: { resource: ApiResource; verb: Verb; credentials: string },
  ): Promise<ApiFailure> {
    const bytes = await readAll(body, MAX_STATUS_BYTES);
    if (statusCode < 300) {
      return new ApiFailure("protocol", `the answer is neither protobuf nor JSON but ${headers["content-type"]}`);
    }
    if (statusCode === 401) this.#credentials.refused();
    // A proxy in between says so in its own words.
    const status = codec ? statusOf(codec, bytes) : { message: bytes.toString("utf8", 0, 200).trim() };
    return answerFailure(statusCode, withHeader(status, headers["retry-after"]), place);
  }
}

function statusOf(codec: Codec, bytes: Buffer): ApiStatus {
  try {
    return codec.status(bytes);
  } catch (error) {
    return { message: `an answer that cannot be read: ${error instanceof Error ? error.message : String(error)}` };
  }
}

function withHeader(status: ApiStatus, retryAfter: string | undefined): ApiStatus {
  const seconds = Number(retryAfter);
  if (!(seconds > 0) || status.details?.retryAfterSeconds) return status;
  return { ...status, details: { retryAfterSeconds: Math.min(seconds, 3600) } };
}

/** Rejects with an ApiFailure when there is more. */
export async function readAll(body: AsyncIterable<Buffer>, maxBytes: number): Promise<Buffer> {
  const chunks: Buffer[] = [];
  let length = 0;
  for await (const chunk of body) {
    chunks.push(chunk);
    length += chunk.length;
    if (length > maxBytes) throw new ApiFailure("protocol", `an answer of more than ${maxBytes} bytes`);
  }
  return Buffer.concat(chunks);
}
