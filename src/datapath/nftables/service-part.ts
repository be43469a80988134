// SPDX-License-Identifier: Apache-2.0
// What a service port has in our table (rows 24 to 26, 31, 33 to 37, 39, 51 to 56). Pure.

import { createHash } from "node:crypto";
import type { CompiledService, Frontend, Member } from "../../compile/state.ts";
import { isExternal, type Way, waysOf } from "../rules/traffic.ts";
import type { RuleSettings } from "../rules/writer.ts";
import { type Chain, type Element, type Part, type Rule, WORDS } from "./part.ts";
import { sourceRules } from "./source-rules.ts";

/** By number: names would be looked up in /etc/protocols, which an image may lack. */
export const PROTOCOL_NUMBERS: Readonly<Record<CompiledService["protocol"], number>> = { TCP: 6, UDP: 17, SCTP: 132 };

/** Chain names hold 255 characters; that of an endpoint has its address and port behind. */
const LONGEST_TITLE = 180;

/** Chains that all service ports use; node-part.ts has them. */
export const MASQUERADE_INTERNAL = "masquerade-internal";
export const MARK_UNLESS_POD = "mark-unless-pod";
export const REJECT = "refuse";

export function servicePart(service: CompiledService, settings: RuleSettings): Part {
  const writing = new ServiceWriting(service, settings);
  return {
    chains: writing.chains(),
    clientSets: writing.clientSets(),
    elements: [...service.frontends.flatMap((frontend) => writing.frontend(frontend)), ...writing.hairpins()],
  };
}

export const hex = (mark: number): string => `0x${(mark >>> 0).toString(16)}`;

class ServiceWriting {
  readonly #service: CompiledService;
  readonly #settings: RuleSettings;
  readonly #ways: ReturnType<typeof waysOf>;
  readonly #title: string;

  constructor(service: CompiledService, settings: RuleSettings) {
    this.#service = service;
    this.#settings = settings;
    this.#ways = waysOf(service);
    this.#title = titleOf(service);
  }

  chains(): readonly Chain[] {
    const { frontends } = this.#service;
    const internal = frontends.filter((frontend) => !isExternal(frontend));
    const external = frontends.filter(isExternal);
    return [
      ...(internal.length > 0 ? this.#internal() : []),
      ...(external.length > 0 ? this.#external() : []),
      ...this.#gate("internal", internal),
      ...this.#gate("external", external),
      ...this.#endpoints(),
    ];
  }

  frontend(frontend: Frontend): readonly Element[] {
    const { family, protocol } = this.#service;
    const { address, port } = frontend;
    const target = {
      value: `goto ${this.#name(this.#gated(frontend) ? `sources-${wayOf(frontend)}` : wayOf(frontend))}`,
    };
    const end = `${PROTOCOL_NUMBERS[protocol]} . ${port}`;
    const refusal = this.#refusal(frontend);
    const [of, refused, key] =
      address === undefined
        ? [`nodeports${family}`, `refused-nodeports${family}`, end]
        : [`frontends${family}`, `refusals${family}`, `${address} . ${end}`];
    return [
      { of, key, ...target },
      ...(refusal === undefined ? [] : [{ of: refused, key, value: refusal }]),
      ...(address === undefined ? [] : [{ of: setOf(frontend, family), key: address, value: "" }]),
      ...(frontend.onNode ? [{ of: `on-node${family}`, key, value: "" }] : []),
    ];
  }

  /** One without a node's name may be anywhere, so here too. */
  hairpins(): readonly Element[] {
    const { family } = this.#service;
    const near = this.#members().filter(({ local, nodeName }) => local || nodeName === undefined);
    const addresses = new Set(near.map(({ address }) => address));
    return [...addresses].map((address) => ({ of: `hairpins${family}`, key: `${address} . ${address}`, value: "" }));
  }

  clientSets(): Part["clientSets"] {
    const { affinitySeconds, family } = this.#service;
    if (affinitySeconds === 0) return [];
    return this.#members().map((member) => ({ name: this.#endpointName("clients", member), family }));
  }

  #members(): readonly Member[] {
    const { internal, pods, outside } = this.#ways;
    const all = [internal, pods, outside].flatMap(({ members }) => members);
    return [...new Map(all.map((member) => [`${member.address} ${member.port}`, member])).values()];
  }

  #internal(): readonly Chain[] {
    const { internal } = this.#ways;
    const rules = internal.members.length === 0 ? [] : [`jump ${MASQUERADE_INTERNAL}`, ...this.#choose(internal)];
    return [{ name: this.#name("internal"), rules }];
  }

  #external(): readonly Chain[] {
    const { pods, outside, keepsSource } = this.#ways;
    const mark = hex(this.#settings.masqueradeMark);
    const name = this.#name("external");
    if (!keepsSource) {
      const masquerade = `meta mark set meta mark or ${mark}`;
      return [{ name, rules: outside.members.length === 0 ? [] : [masquerade, ...this.#choose(outside)] }];
    }
    if (pods.members.length === 0) return [{ name, rules: this.#choose(outside) }];
    const all = this.#name("cluster");
    const rules = [
      `jump ${MARK_UNLESS_POD}`,
      `meta mark and ${mark} == 0 goto ${all}`,
      `fib saddr type local goto ${all}`,
      `meta mark set meta mark and ${hex(~this.#settings.masqueradeMark)}`,
      ...this.#choose(outside),
    ];
    return [
      { name, rules },
      { name: all, rules: this.#choose(pods) },
    ];
  }

  /** Rows 44 and 45: in front of the translation, endpoints or not. */
  #gate(way: "internal" | "external", frontends: readonly Frontend[]): readonly Chain[] {
    const { sources, family } = this.#service;
    if (!sources || !frontends.some((frontend) => this.#gated(frontend))) return [];
    const rules = sourceRules(sources.rules, WORDS[family].ip, `goto ${this.#name(way)}`);
    return [{ name: this.#name(`sources-${way}`), rules }];
  }

  #gated({ kind }: Frontend): boolean {
    return this.#service.sources?.kinds.includes(kind) === true;
  }

  #choose({ members }: Way): readonly Rule[] {
    if (members.length === 0) return [];
    const { affinitySeconds, family, protocol } = this.#service;
    if (affinitySeconds === 0) return [{ family, protocol, match: this.#translates(), members }];
    const chains = members.map((member) => this.#endpointName("endpoint", member));
    const { ip } = WORDS[family];
    const known = members.map(
      (member, index) => `${ip} saddr @${this.#endpointName("clients", member)} goto ${chains[index]}`,
    );
    const choices = chains.map((chain, index) => `${index} : goto ${chain}`).join(", ");
    return [...known, `numgen random mod ${members.length} vmap { ${choices} }`];
  }

  /** With session affinity each has a chain, which remembers its clients (row 54). */
  #endpoints(): readonly Chain[] {
    const { affinitySeconds, family } = this.#service;
    if (affinitySeconds === 0) return [];
    const { ip } = WORDS[family];
    return this.#members().map((member) => {
      const clients = this.#endpointName("clients", member);
      const place = family === 4 ? `${member.address}:${member.port}` : `[${member.address}]:${member.port}`;
      return {
        name: this.#endpointName("endpoint", member),
        rules: [
          `update @${clients} { ${ip} saddr timeout ${affinitySeconds}s }`,
          `${this.#translates()} dnat ${ip} to ${place}`,
        ],
      };
    });
  }

  /** Row 42: what is translated bears the mark by which FORWARD lets it through. */
  #translates(): string {
    const mark = hex(this.#settings.forwardMark);
    return `meta l4proto ${PROTOCOL_NUMBERS[this.#service.protocol]} meta mark set meta mark or ${mark}`;
  }

  /** Of packets that are not translated; undefined: all of them are. */
  #refusal(frontend: Frontend): string | undefined {
    const { internal, pods, outside } = this.#ways;
    const way = isExternal(frontend) ? outside : internal;
    const empty = [way, ...(isExternal(frontend) ? [pods] : [])].find(({ members }) => members.length === 0);
    if (empty === undefined) return undefined;
    return empty.otherwise === "drop" ? "drop" : `goto ${REJECT}`;
  }

  #name(role: string): string {
    return `${role}${this.#service.family}-${this.#title}`;
  }

  #endpointName(role: "endpoint" | "clients", { address, port }: Member): string {
    return `${this.#name(role)}/${address.replaceAll(":", ".")}/${port}`;
  }
}

function wayOf(frontend: Frontend): "internal" | "external" {
  return isExternal(frontend) ? "external" : "internal";
}

/** What is not served at a ClusterIP is refused (row 46), but not at the node's own addresses. */
function setOf(frontend: Frontend, family: CompiledService["family"]): string {
  return isExternal(frontend) || frontend.onNode ? `left-alone${family}` : `cluster-ips${family}`;
}

/** The digits tell apart what reads the same; the rest is for people. */
function titleOf({ key, namespace, name, protocol, portName }: CompiledService): string {
  const digits = createHash("sha256").update(key).digest("hex").slice(0, 8);
  const readable = [namespace, name, protocol.toLowerCase(), portName].filter((word) => word !== "").join("/");
  return `${digits}-${readable.replaceAll(/[^A-Za-z0-9/.-]/g, "_").slice(0, LONGEST_TITLE)}`;
}
