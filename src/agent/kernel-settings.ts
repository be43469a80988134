// SPDX-License-Identifier: Apache-2.0
// What kube-proxy sets in the kernel beside its rules (behaviour rows 63 and 64): which files are to be written with what,
// given what they hold. Pure.

/** Times in milliseconds; 0 and undefined: left as it is. */
export interface KernelSettings {
  /** Of nf_conntrack_max, for each CPU. */
  readonly maxPerCore: number | undefined;
  /** Of nf_conntrack_max in all, where maxPerCore comes to less. */
  readonly min: number;
  readonly tcpEstablishedMs: number | undefined;
  readonly tcpCloseWaitMs: number | undefined;
  /** Only ever switched on. */
  readonly tcpBeLiberal: boolean;
  readonly udpMs: number | undefined;
  readonly udpStreamMs: number | undefined;
  /** Of the agent itself, -1000 to 1000; undefined: left as it is. */
  readonly oomScoreAdj: number | undefined;
}

export interface KernelWrite {
  /** Relative to the root directory. */
  readonly file: string;
  readonly value: number;
  /** To be written once this one is. */
  readonly next?: KernelWrite;
}

/** As kube-proxy has it: the cap counts before the floor. */
export const DEFAULT_CONNTRACK_MIN = 131_072;
const CONNTRACK_MAX_AT_MOST = 1_048_576;
/** A bucket of netfilter's table for so many connections. */
const CONNECTIONS_PER_BUCKET = 4;

const NETFILTER = "proc/sys/net/netfilter";
const HASHSIZE = "sys/module/nf_conntrack/parameters/hashsize";

/** present: the number in a file; undefined: there is none. */
export function kernelWrites(
  settings: KernelSettings,
  cpus: number,
  present: (file: string) => number | undefined,
): readonly KernelWrite[] {
  const { tcpEstablishedMs, tcpCloseWaitMs, tcpBeLiberal, udpMs, udpStreamMs, oomScoreAdj } = settings;
  const wanted: (KernelWrite | undefined)[] = [
    seconds("nf_conntrack_tcp_timeout_established", tcpEstablishedMs),
    seconds("nf_conntrack_tcp_timeout_close_wait", tcpCloseWaitMs),
    tcpBeLiberal ? { file: `${NETFILTER}/nf_conntrack_tcp_be_liberal`, value: 1 } : undefined,
    seconds("nf_conntrack_udp_timeout", udpMs),
    seconds("nf_conntrack_udp_timeout_stream", udpStreamMs),
    oomScoreAdj === undefined ? undefined : { file: "proc/self/oom_score_adj", value: oomScoreAdj },
  ];
  const differing = wanted.filter((write) => write !== undefined && present(write.file) !== write.value);
  return [...tableWrites(conntrackMax(settings, cpus), present), ...differing.filter((write) => write !== undefined)];
}

/** 0: leave it. */
export function conntrackMax({ maxPerCore, min }: Pick<KernelSettings, "maxPerCore" | "min">, cpus: number): number {
  const scaled = (maxPerCore ?? 0) * cpus;
  if (scaled === 0) return 0;
  return scaled > CONNTRACK_MAX_AT_MOST ? CONNTRACK_MAX_AT_MOST : Math.max(scaled, min);
}

/** The table's size, and its buckets if there are too few; more are left. */
function tableWrites(max: number, present: (file: string) => number | undefined): readonly KernelWrite[] {
  if (max === 0) return [];
  const file = `${NETFILTER}/nf_conntrack_max`;
  const buckets = Math.floor(max / CONNECTIONS_PER_BUCKET);
  const hash = (present(HASHSIZE) ?? buckets) < buckets ? { file: HASHSIZE, value: buckets } : undefined;
  if (present(file) === max) return hash ? [hash] : [];
  return [{ file, value: max, ...(hash && { next: hash }) }];
}

function seconds(name: string, ms: number | undefined): KernelWrite | undefined {
  const value = Math.floor((ms ?? 0) / 1000);
  return value === 0 ? undefined : { file: `${NETFILTER}/${name}`, value };
}

/** Number of CPUs in a list of the kernel's: `0-3,6`; 0: it is none. */
export function cpusIn(list: string): number {
  let cpus = 0;
  for (const [, first, last] of list.matchAll(/(\d+)(?:-(\d+))?/g)) cpus += Number(last ?? first) - Number(first) + 1;
  return cpus;
}
