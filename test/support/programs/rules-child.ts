// SPDX-License-Identifier: Apache-2.0
// The process behind test/netns/nftables.test.ts and test/netns/iptables.test.ts: a writer of rules at work in a network namespace of
// its own, where endpoints are addresses of it, and the node's sockets their clients.

import { execFileSync } from "node:child_process";
import { connect, createServer } from "node:net";
import type { VariantChoice } from "../../../src/datapath/iptables/variant.ts";
import { IptablesWriter } from "../../../src/datapath/iptables/writer.ts";
import { findKubeProxy } from "../../../src/datapath/netfilter/kube-proxy.ts";
import { NftablesWriter } from "../../../src/datapath/nftables/writer.ts";
import type { RuleWriter, Wanted } from "../../../src/datapath/rules/writer.ts";
import { RULE_SETTINGS } from "../compiled.ts";
import { answerParent } from "../namespace-process.ts";

export type RulesAsk =
  /** A new writer, as a new agent has it. variant: of iptables. */
  | { readonly do: "open"; readonly mode: "nftables" | "iptables"; readonly variant?: VariantChoice }
  | { readonly do: "write"; readonly wanted: Wanted }
  /** What the last writer warned of. */
  | { readonly do: "warnings" }
  | { readonly do: "intact" | "present" | "cleanup" }
  | { readonly do: "run"; readonly command: readonly string[] }
  /** Servers that answer with their address. */
  | { readonly do: "serve"; readonly addresses: readonly string[]; readonly port: number }
  /** Answers, and errors by their codes, each with how many there were. from: an address of the namespace. */
  | {
      readonly do: "dial";
      readonly address: string;
      readonly port: number;
      readonly count: number;
      readonly from?: string;
    }
  /** What findKubeProxy() takes for a kube-proxy's rules. */
  | { readonly do: "kube-proxy" };

let writer: RuleWriter = new NftablesWriter(RULE_SETTINGS);
let warnings: string[] = [];

function open(mode: "nftables" | "iptables", variant: VariantChoice): RuleWriter {
  if (mode === "nftables") return new NftablesWriter(RULE_SETTINGS);
  const warn = (message: string) => {
    warnings.push(message);
  };
  return new IptablesWriter(RULE_SETTINGS, { variant, warn });
}

async function serve(addresses: readonly string[], port: number): Promise<void> {
  for (const address of addresses) {
    const own = address.includes(":") ? [`${address}/128`, "nodad"] : [`${address}/32`];
    execFileSync("ip", ["addr", "add", "dev", "eth0", ...own]);
    const server = createServer((socket) => socket.on("error", () => {}).end(address));
    await new Promise<void>((resolve) => server.listen({ host: address, port }, resolve));
  }
}

async function dial(
  address: string,
  port: number,
  count: number,
  from?: string,
): Promise<Readonly<Record<string, number>>> {
  const told: Record<string, number> = {};
  for (let n = 0; n < count; n++) {
    const answer = await new Promise<string>((resolve) => {
      let text = "";
      const socket = connect({ host: address, port, timeout: 1000, ...(from && { localAddress: from }) });
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

async function answer(ask: RulesAsk): Promise<unknown> {
  switch (ask.do) {
    case "open":
      warnings = [];
      writer = open(ask.mode, ask.variant ?? "auto");
      return;
    case "warnings":
      return warnings;
    case "write":
      return await writer.write(ask.wanted);
    case "cleanup":
      return await writer.cleanup(true);
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
      return await dial(ask.address, ask.port, ask.count, ask.from);
    case "kube-proxy":
      return (await findKubeProxy([])).rules;
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
