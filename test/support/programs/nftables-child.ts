// SPDX-License-Identifier: Apache-2.0
// The process behind test/netns/nftables.test.ts: the writer of rules for nftables at work in a network namespace of its own, where
// endpoints are addresses of it, and the node's sockets their clients.

import { execFileSync } from "node:child_process";
import { connect, createServer } from "node:net";
import { NftablesWriter } from "../../../src/datapath/nftables/writer.ts";
import type { RuleSettings, Wanted } from "../../../src/datapath/rules/writer.ts";
import { answerParent } from "../namespace-process.ts";

export type NftablesAsk =
  /** Of the namespace's only writer, or with restart of a new one. */
  | { readonly do: "write"; readonly wanted: Wanted; readonly restart?: boolean }
  | { readonly do: "intact" | "present" | "cleanup" }
  | { readonly do: "run"; readonly command: readonly string[] }
  /** Servers that answer with their address. */
  | { readonly do: "serve"; readonly addresses: readonly string[]; readonly port: number }
  /** Answers, and errors by their codes, each with how many there were. */
  | { readonly do: "dial"; readonly address: string; readonly port: number; readonly count: number };

const SETTINGS: RuleSettings = {
  families: [4, 6],
  masqueradeAll: false,
  masqueradeMark: 0x4000,
  forwardMark: 0x8000,
  localhostNodePorts: false,
};

let writer = new NftablesWriter(SETTINGS);

async function serve(addresses: readonly string[], port: number): Promise<void> {
  for (const address of addresses) {
    const own = address.includes(":") ? [`${address}/128`, "nodad"] : [`${address}/32`];
    execFileSync("ip", ["addr", "add", "dev", "eth0", ...own]);
    const server = createServer((socket) => socket.on("error", () => {}).end(address));
    await new Promise<void>((resolve) => server.listen({ host: address, port }, resolve));
  }
}

async function dial(address: string, port: number, count: number): Promise<Readonly<Record<string, number>>> {
  const told: Record<string, number> = {};
  for (let n = 0; n < count; n++) {
    const answer = await new Promise<string>((resolve) => {
      let text = "";
      const socket = connect({ host: address, port, timeout: 1000 });
      socket.on("data", (data) => {
        text += data;
      });
      socket.on("error", (error: NodeJS.ErrnoException) => resolve(error.code ?? error.message));
      socket.on("timeout", () => socket.destroy(Object.assign(new Error("silence"), { code: "TIMEOUT" })));
      socket.on("end", () => resolve(text));
    });
    told[answer] = (told[answer] ?? 0) + 1;
  }
  return told;
}

async function answer(ask: NftablesAsk): Promise<unknown> {
  switch (ask.do) {
    case "write":
      if (ask.restart) writer = new NftablesWriter(SETTINGS);
      return await writer.write(ask.wanted);
    case "cleanup":
      return await writer.cleanup();
    case "intact":
    case "present":
      return await writer[ask.do]();
    case "run": {
      const [file = "", ...args] = ask.command;
      return execFileSync(file, args, { encoding: "utf8" });
    }
    case "serve":
      return await serve(ask.addresses, ask.port);
    case "dial":
      return await dial(ask.address, ask.port, ask.count);
  }
}

// Where the addresses of Services lead without rules: nowhere.
const LINES = [
  "link set lo up",
  "link add eth0 type veth peer name far0",
  "link set far0 up",
  "link set eth0 up",
  "route add default dev eth0",
  "-6 route add default dev eth0",
];
for (const command of LINES) {
  execFileSync("ip", command.split(" "));
}
answerParent(answer);
