// SPDX-License-Identifier: Apache-2.0
// Where Portolan does something else than the real kube-proxy with the same packets: all of it, each by its row of docs/behaviour.md,
// docs/nftables.md or docs/iptables.md.
import type { Cell, Outcome } from "./cells.ts";
import type { OurPass } from "./proxies.ts";
import { hasNobody } from "./services.ts";

export type KubeProxyMode = "nftables" | "iptables";

/** What kube-proxy has in a mode, of the same cell or of another frontend's. */
export type Theirs = (mode: KubeProxyMode, frontend?: Cell["frontend"]) => Outcome;

export interface Difference {
  readonly row: number;
  readonly what: string;
  /** Each of these passes beside each of these modes of kube-proxy. */
  readonly of: readonly OurPass[];
  readonly beside: readonly KubeProxyMode[];
  readonly cells: (cell: Cell) => boolean;
  /** What kube-proxy's outcome becomes. */
  readonly becomes: (outcome: Outcome, cell: Cell, theirs: Theirs) => Outcome;
}

const EBPF = ["ebpf, packets", "ebpf, sockets"] as const;
const SOCKETS = ["ebpf, sockets"] as const;
const BOTH = ["nftables", "iptables"] as const;

const fromPod = ({ from }: Cell) => /^[pb]/.test(from);
const fromNode = ({ from }: Cell) => from === "n1";
const atLocalhost = ({ frontend }: Cell) => frontend === "nodePort at localhost";

const isElsewhere = ({ frontend }: Cell) => frontend === "externalIP" || frontend === "loadBalancer";

/** Source ranges count: there are some of its family, and they do not hold everybody. */
function hasRanges({ spec, frontend, family }: Cell): boolean {
  const ranges = (spec.sourceRanges ?? []).filter((range) => range.includes(":") === (family === "v6"));
  return frontend === "loadBalancer" && ranges.length > 0 && !ranges.some((range) => range.endsWith("/0"));
}

/** At a port or protocol that its Service does not have. */
const isBeside = ({ port, way, spec }: Cell) =>
  port === "beside" || ((way === "udp" || way === "sendto") && spec.protocols?.includes("UDP") === false);

/** An address of the range of ClusterIPs that no Service has, or one that is left alone. */
const isNobodys = ({ spec, frontend, family }: Cell) =>
  frontend === "clusterIP" &&
  (["headless", "external-name", "another-proxys"].includes(spec.name) ||
    (spec.name === "ipv4-alone" && family === "v6"));

/** Pods' sockets leave the rest to their packets. */
const isBalanced = (cell: Cell) => !isBeside(cell) && !isNobodys(cell) && !(fromPod(cell) && hasRanges(cell));

/** A balanced socket hears at once, where it connects, or where it sends without. */
const atOnce =
  (said: RegExp, errno: string): Difference["becomes"] =>
  (outcome, { way }) =>
    outcome.map((one) => (said.test(one) ? `${way === "sendto" ? "send" : "connect"}: ${errno}` : one));

const asNftables: Difference["becomes"] = (_outcome, _cell, theirs) => theirs("nftables");

/** Every difference there is; of one cell they apply in this order. */
export const DIFFERENCES: readonly Difference[] = [
  {
    row: 31,
    what: "the node is refused addresses elsewhere without endpoints, too",
    of: ["iptables", ...SOCKETS],
    beside: ["iptables"],
    cells: (cell) => fromNode(cell) && hasNobody(cell.spec) && isElsewhere(cell) && !hasRanges(cell),
    becomes: asNftables,
  },
  {
    row: 44,
    what: "source ranges hold without endpoints, too",
    of: ["iptables", ...EBPF],
    beside: ["iptables"],
    cells: (cell) => hasRanges(cell) && hasNobody(cell.spec),
    becomes: asNftables,
  },
  {
    row: 46,
    what: "kube-proxy's iptables mode has no rule for what nobody serves",
    of: EBPF,
    beside: ["iptables"],
    cells: (cell) => cell.frontend === "clusterIP" && (isBeside(cell) || isNobodys(cell)),
    becomes: asNftables,
  },
  {
    row: 46,
    what: "of the node's own only connect() of TCP is refused, and datagrams leave",
    of: SOCKETS,
    beside: BOTH,
    cells: (cell) => fromNode(cell) && cell.frontend === "clusterIP" && (isBeside(cell) || isNobodys(cell)),
    becomes: (outcome, { way }) =>
      way === "tcp"
        ? outcome.map((one) => one.replace("port unreachable", "connect: ECONNREFUSED"))
        : outcome.map((one) => one.replace(/^(?:port unreachable|send: EPERM)$/, "silence")),
  },
  {
    row: 29,
    what: "NodePorts at 127.0.0.1: kube-proxy has them with iptables alone",
    of: SOCKETS,
    beside: ["nftables"],
    cells: (cell) => atLocalhost(cell) && cell.family === "v4",
    becomes: (_outcome, _cell, theirs) => theirs("iptables"),
  },
  {
    row: 29,
    what: "NodePorts at ::1, as at the node's other addresses",
    of: SOCKETS,
    beside: BOTH,
    cells: (cell) => atLocalhost(cell) && cell.family === "v6",
    becomes: (_outcome, _cell, theirs) => theirs("nftables", "nodePort"),
  },
  {
    row: 44,
    what: "a socket of the node that no range holds hears it at once",
    of: SOCKETS,
    beside: BOTH,
    cells: (cell) => fromNode(cell) && hasRanges(cell),
    becomes: atOnce(/^(?:silence|send: EPERM)$/, "EACCES"),
  },
  {
    row: 33,
    what: "a balanced socket hears at once that policy Local has nobody here",
    of: SOCKETS,
    beside: BOTH,
    cells: (cell) => isBalanced(cell) && cell.spec.internalTrafficPolicy === "Local",
    becomes: atOnce(/^(?:silence|send: EPERM)$/, "EHOSTUNREACH"),
  },
  {
    row: 31,
    what: "a balanced socket hears at once that nobody is there",
    of: SOCKETS,
    beside: BOTH,
    cells: (cell) => isBalanced(cell) && hasNobody(cell.spec),
    becomes: atOnce(/^port unreachable$/, "ECONNREFUSED"),
  },
  {
    row: 36,
    what: "endpoints see the pod of a balanced socket",
    of: SOCKETS,
    beside: BOTH,
    cells: (cell) => fromPod(cell) && isBalanced(cell),
    becomes: (outcome, { from }) => outcome.map((one) => one.replace(/ sees n1(?:'s bridge)?$/, ` sees ${from}`)),
  },
  {
    row: 36,
    what: "endpoints see the address from which the node reaches them, where its socket is balanced",
    of: SOCKETS,
    beside: BOTH,
    cells: (cell) => fromNode(cell) && cell.frontend === "nodePort on the bridge",
    becomes: (outcome, { family }) => {
      const routed = family === "v4" ? /^(p\w+ sees) n1's bridge$/ : /^(p2\w+ sees) n1's bridge$/;
      return outcome.map((one) => one.replace(routed, "$1 n1"));
    },
  },
  {
    row: 41,
    what: "a device without an address masquerades as the node's, over IPv6 too",
    of: EBPF,
    beside: BOTH,
    cells: (cell) => cell.family === "v6" && !fromNode(cell),
    becomes: (outcome) => outcome.map((one) => one.replace(/^(p\w+ sees) n1's bridge$/, "$1 n1")),
  },
];
