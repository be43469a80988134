// SPDX-License-Identifier: Apache-2.0
// What tests say to etcd past the API server, by its JSON gateway (keys and values in base64), as a second API server
// would: this one tells its watches all the same.
import { Agent, request } from "node:http";

const CONCURRENCY = 32;

export class Etcd {
  readonly #agent: Agent;

  /** socket: path of the relay's. */
  constructor(socket: string) {
    const place = { socketPath: socket };
    this.#agent = new Agent({ ...place, keepAlive: true, maxSockets: CONCURRENCY });
  }

  /** Values in base64 by key, of all keys that begin with the prefix. */
  async values(prefix: string): Promise<ReadonlyMap<string, string>> {
    const end = Buffer.from(prefix);
    end[end.length - 1] = (end.at(-1) ?? 0) + 1; // the last byte of ASCII can be counted up
    const range = { key: encode(prefix), range_end: end.toString("base64") };
    const { kvs = [] } = await this.#ask<{ kvs?: readonly { key: string; value: string }[] }>("range", range);
    return new Map(kvs.map(({ key, value }) => [Buffer.from(key, "base64").toString(), value]));
  }

  /** value: in base64. */
  async put(key: string, value: string): Promise<void> {
    await this.#ask("put", { key: encode(key), value });
  }

  async delete(key: string): Promise<void> {
    await this.#ask("deleterange", { key: encode(key) });
  }

  /** Forgets all revisions before the newest. */
  async compact(): Promise<void> {
    const { header } = await this.#ask<{ header: { revision: string } }>("range", { key: encode("none") });
    await this.#ask("compaction", { revision: header.revision, physical: true });
  }

  #ask<T>(call: string, body: object): Promise<T> {
    return new Promise((resolve, reject) => {
      const asked = request({ method: "POST", path: `/v3/kv/${call}`, agent: this.#agent }, (response) => {
        let text = "";
        response.setEncoding("utf8").on("data", (piece: string) => {
          text += piece;
        });
        response.on("error", reject);
        response.on("end", () => {
          if (response.statusCode === 200) resolve(JSON.parse(text) as T);
          else reject(new Error(`etcd ${call}: ${response.statusCode} ${text}`));
        });
      });
      asked.on("error", reject);
      asked.end(JSON.stringify(body));
    });
  }
}

function encode(key: string): string {
  return Buffer.from(key).toString("base64");
}
