// SPDX-License-Identifier: Apache-2.0
// docs/kernels.md, from what is on record of each kernel.

import { MODES } from "../../src/datapath/probe/answer.ts";
import { KERNELS, type KernelRecord, readKernelRecord } from "./kernel-record.ts";

type Cell = (record: KernelRecord) => string;
type Row = readonly [name: string, cell: Cell];

const FEATURES: Readonly<Record<keyof KernelRecord["features"], string>> = {
  btf: "BTF of the kernel",
  cgroupSockAddr: "socket hooks of cgroups, `getpeername` with them",
  mmapableArrays: "arrays that the agent maps into its memory",
  tcx: "TCX links; without: filters of clsact",
  setRetval: "`bpf_set_retval`; without: a refused `connect()` says EPERM instead of ECONNREFUSED",
  conntrackLookup: "`bpf_skb_ct_lookup`; without: netfilter's connections are not asked before a port is claimed",
  csumIpv6Flag: "`BPF_F_IPV6` of `bpf_l4_csum_replace`",
  sockDestroy: "`bpf_sock_destroy`; without: sock_diag closes stale sockets",
  sockDiagDestroy: "`SOCK_DESTROY` of sock_diag",
};

const HEAD = `# Kernels

What Portolan found on kernels of Debian. This file is made by \`npm run test:matrix -- --record\` from
\`test/matrix/kernels\`, what the look of \`test/matrix/look.ts\` found in QEMU, by doing it: programs loaded and attached one by
one, commands asked. \`npm run test:matrix\` fails where a kernel does not do what is said here (\`test/matrix/kernel.test.ts\`).
A kernel of another distribution has what it has: \`--mode auto\` asks it the same questions.
`;

export function kernelsDocument(): string {
  const records = KERNELS.map(readKernelRecord);
  const table = (rows: readonly Row[]): string => tableOf(records, rows);
  const programs = Object.keys(records[0]?.hooks ?? {});
  const modules = Object.keys(records[0]?.modules ?? {});
  return [
    HEAD,
    "## Modes\n\nThe first usable one is taken by `--mode auto`.\n",
    table([
      ["**chosen**", ({ modes }) => `**${modes.find(({ usable }) => usable)?.mode ?? "none"}**`],
      ...MODES.map((mode): Row => [mode, ({ modes }) => yes(modes.find((answer) => answer.mode === mode)?.usable)]),
    ]),
    "Why not:\n",
    ...records.map(reasons),
    "\n## Programs\n\nEach alone, with what the kernel says to one that it refuses.\n",
    table(programs.map((name): Row => [`\`${name}\``, ({ hooks }) => yes(hooks[name]?.supported)])),
    ...records.map(refusals),
    "\n## Features\n",
    table(
      Object.entries(FEATURES).map(
        ([name, text]): Row => [
          text,
          ({ features }) => yes(features[name as keyof KernelRecord["features"]].supported),
        ],
      ),
    ),
    "## Modules\n\nThat Debian's package has.\n",
    table(modules.map((name): Row => [`\`${name}\``, (record) => yes(record.modules[name])])),
  ].join("\n");
}

function tableOf(records: readonly KernelRecord[], rows: readonly Row[]): string {
  const line = (cells: readonly string[]): string => `| ${cells.join(" | ")} |`;
  const head = [line(["", ...records.map(({ release }) => release)]), line(["---", ...records.map(() => "---")])];
  return `${[...head, ...rows.map(([name, cell]) => line([name, ...records.map(cell)]))].join("\n")}\n`;
}

function reasons({ release, modes }: KernelRecord): string {
  const lines = modes.filter(({ usable }) => !usable).map(({ mode, reason }) => `  - ${mode}: ${reason}`);
  return lines.length === 0 ? `- ${release}: all are usable.` : [`- ${release}`, ...lines].join("\n");
}

/** One line for each thing that the kernel says. */
function refusals({ release, hooks }: KernelRecord): string {
  const said = new Map<string, string[]>();
  for (const [name, { supported, reason }] of Object.entries(hooks)) {
    const words = reason.slice(reason.indexOf(": ") + 2);
    if (!supported) said.set(words, [...(said.get(words) ?? []), `\`${name}\``]);
  }
  const lines = [...said].map(([words, names]) => `  - ${names.join(", ")}: ${words}`);
  return lines.length === 0 ? `- ${release}: all are taken.` : [`- ${release}`, ...lines].join("\n");
}

function yes(can: boolean | undefined): string {
  return can === true ? "yes" : "–";
}
