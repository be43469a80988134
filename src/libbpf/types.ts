// SPDX-License-Identifier: Apache-2.0
// The typed face of the addon: what the rooms above see of libbpf. Raw bytes in and out; codecs belong to the callers.
// Everything is synchronous (a map syscall is microseconds) but rcuSync, iterate and the netlink watch.

/** Value bytes of a lookup: for per-CPU maps the values of all possible CPUs, each rounded up to 8 bytes, back to back. */
export interface BpfMap extends Disposable {
  readonly name: string;
  /** enum bpf_map_type */
  readonly type: number;
  readonly keySize: number;
  readonly valueSize: number;
  readonly maxEntries: number;
  readonly id: number;
  readonly fd: number;
  /** undefined when absent; every other errno throws BpfError. */
  lookup(key: Uint8Array): Uint8Array | undefined;
  /** flags: BPF_ANY 0, BPF_NOEXIST 1, BPF_EXIST 2 */
  update(key: Uint8Array, value: Uint8Array, flags?: number): void;
  /** false when absent. */
  delete(key: Uint8Array): boolean;
  /** A snapshot walk; entries changed meanwhile may or may not be seen. Batched where the kernel can. */
  entries(): IterableIterator<readonly [Uint8Array, Uint8Array]>;
  /** keys and values packed back to back; returns how many were written. Falls back to single updates once and remembers. */
  updateBatch(keys: Uint8Array, values: Uint8Array, count: number): number;
  /** Absent keys are skipped; returns how many were deleted. */
  deleteBatch(keys: Uint8Array, count: number): number;
  /**
   * The map's memory (BPF_F_MMAPABLE arrays); elements at a stride of valueSize rounded up to 8. cells: only the first
   * so many, at least 1; all of what is mapped counts as resident.
   */
  mmap(cells?: number): ArrayBuffer;
  /** Gives back what mmap() gave, now and not when it is garbage: all views of it are empty from here on. */
  unmap(memory: ArrayBuffer): void;
  pin(path: string): void;
}

/** For createMap(). innerMap: the shape of what a map-in-map holds. */
export interface MapSpec {
  readonly name: string;
  readonly type: number;
  readonly keySize: number;
  readonly valueSize: number;
  readonly maxEntries: number;
  readonly flags?: number;
  readonly innerMap?: BpfMap;
}

export type TcDirection = "ingress" | "egress";

/** Names of libbpf's section suffixes: cgroup/connect4 and so on. */
export type CgroupAttachType =
  | "bind4"
  | "bind6"
  | "connect4"
  | "connect6"
  | "sendmsg4"
  | "sendmsg6"
  | "recvmsg4"
  | "recvmsg6"
  | "getpeername4"
  | "getpeername6";

/** An attachment. Closing the handle leaves a pinned link attached; an unpinned one goes with its last descriptor. */
export interface BpfLink extends Disposable {
  readonly id: number;
  readonly fd: number;
  /** Replaces the program atomically. */
  update(program: BpfProgram): void;
  pin(path: string): void;
  /** Detaches now, pinned or not. */
  detach(): void;
}

export interface TestRunResult {
  /** Verdict of the program. */
  readonly retval: number;
  readonly dataOut: Uint8Array;
  readonly ctxOut: Uint8Array;
  /** Average over repeat, nanoseconds. */
  readonly durationNs: number;
}

/** Closing the handle leaves attachments and pins as they are. */
export interface BpfProgram extends Disposable {
  readonly name: string;
  readonly id: number;
  readonly fd: number;
  /** BPF_PROG_TEST_RUN. ctx is struct __sk_buff for tc, the argument of a syscall program (written back to ctxOut). */
  testRun(input: { data?: Uint8Array; ctx?: Uint8Array; repeat?: number; dataOutSize?: number }): TestRunResult;
  /** TCX link (kernel 6.6). first: before others, else after them. */
  attachTcx(ifindex: number, direction: TcDirection, first: boolean): BpfLink;
  /** clsact filter where TCX is missing; replaces ours (same priority and handle) atomically. */
  attachTc(ifindex: number, direction: TcDirection, priority: number): void;
  /** XDP link in the device's driver. Throws BpfError: EOPNOTSUPP, EINVAL where that cannot, EBUSY, EEXIST where somebody else has it. */
  attachXdp(ifindex: number): BpfLink;
  attachCgroup(cgroupPath: string, type: CgroupAttachType): BpfLink;
  /**
   * Runs an iterator program over the network namespace at this path (undefined: our own); resolves with what it wrote.
   * destroy: that names sockets, each a __u16 family, a __u16 protocol and a struct inet_diag_sockid, which are
   * destroyed through sock_diag. Rejects with BpfError: ENOENT when nothing is there, EPERM without CAP_SYS_ADMIN.
   */
  iterate(netnsPath?: string, destroy?: boolean): Promise<Uint8Array>;
  pin(path: string): void;
}

/** What may be set between open and load; names are those of the C source. */
export interface OpenBpfObject extends Disposable {
  readonly mapNames: readonly string[];
  readonly programNames: readonly string[];
  /** Overwrites part of .rodata: the bytes of one `const volatile` variable, found by BTF. */
  setRodata(variable: string, bytes: Uint8Array): void;
  setMaxEntries(map: string, maxEntries: number): void;
  /** The map is taken from this pin if it is there (refused if its shape differs), else created and pinned there. */
  setPinPath(map: string, path: string): void;
  /** Shares an already open map. */
  reuseMap(map: string, from: BpfMap): void;
  setAutoload(program: string, autoload: boolean): void;
  /** Throws VerifierError with the log when the kernel refuses a program. The open object is spent. */
  load(): LoadedBpfObject;
  /** The same on a thread of its own: the kernel checks large programs for a second. The open object is spent at once. */
  loadAside(): Promise<LoadedBpfObject>;
}

/** Disposing it closes the handles of all its maps and programs; links, pins and mapped memory live on. */
export interface LoadedBpfObject extends Disposable {
  map(name: string): BpfMap;
  program(name: string): BpfProgram;
}

export interface LinkInfo {
  readonly ifindex: number;
  readonly name: string;
  /** "veth", "bridge", "vxlan", ...; "" for a plain device */
  readonly kind: string;
  /** ARPHRD_*: 1 Ethernet, 772 loopback, 65534 none */
  readonly arpType: number;
  /** Ifindex of the bridge or bond it is enslaved to, else 0. */
  readonly master: number;
  /** Peer or lower ifindex (IFLA_LINK), else 0. Of another namespace if linkNetnsid is set. */
  readonly link: number;
  /** Namespace id of the peer, undefined when it is in this one. */
  readonly linkNetnsid: number | undefined;
  readonly mac: Uint8Array;
  readonly mtu: number;
  readonly up: boolean;
}

export interface AddressInfo {
  readonly ifindex: number;
  /** 4 or 16 bytes */
  readonly address: Uint8Array;
  readonly prefixLength: number;
  /** RT_SCOPE_*: 0 universe, 253 link, 254 host */
  readonly scope: number;
  /** IFA_F_*: secondary, deprecated, tentative */
  readonly flags: number;
}

export interface RouteInfo {
  readonly family: 4 | 6;
  /** undefined: default route */
  readonly destination: Uint8Array | undefined;
  readonly prefixLength: number;
  readonly outputIfindex: number;
  /** Devices of the further next hops of a multipath route. */
  readonly otherIfindexes: readonly number[];
  readonly gateway: Uint8Array | undefined;
  readonly preferredSource: Uint8Array | undefined;
  readonly table: number;
  /** Of routes to one destination the lowest counts. */
  readonly metric: number;
  /** RTN_*: 1 unicast, 2 local */
  readonly type: number;
}

export type NetlinkEvent =
  | { readonly kind: "link"; readonly removed: boolean; readonly link: LinkInfo }
  | { readonly kind: "address"; readonly removed: boolean; readonly address: AddressInfo }
  | { readonly kind: "route"; readonly removed: boolean; readonly route: RouteInfo }
  /** The socket's buffer overflowed: list everything again. */
  | { readonly kind: "overrun" };

/** rtnetlink of the calling process's network namespace. */
export interface Netlink extends Disposable {
  links(): readonly LinkInfo[];
  addresses(): readonly AddressInfo[];
  routes(): readonly RouteInfo[];
  /** Calls back from the event loop for every change, until disposed. */
  watch(onEvent: (event: NetlinkEvent) => void): void;
}

/** One entry of an object's BTF, as far as codecs need it. */
export interface BtfField {
  readonly name: string;
  /** bytes from the start of the struct */
  readonly offset: number;
  readonly type: BtfType;
}
export type BtfType =
  | {
      readonly kind: "int";
      readonly name: string;
      readonly size: number;
      readonly bigEndian: boolean;
      readonly char: boolean;
    }
  | { readonly kind: "array"; readonly length: number; readonly element: BtfType }
  | {
      readonly kind: "struct" | "union";
      readonly name: string;
      readonly size: number;
      readonly fields: readonly BtfField[];
    }
  | {
      readonly kind: "enum";
      readonly name: string;
      readonly size: number;
      readonly values: Readonly<Record<string, number>>;
    };

export interface Probe {
  readonly supported: boolean;
  /** What the kernel said: "loaded", "EPERM: needs CAP_BPF", "EINVAL: ..." */
  readonly reason: string;
}

export interface Features {
  readonly tcx: Probe;
  readonly cgroupSockAddr: Probe;
  readonly setRetval: Probe;
  readonly mmapableArrays: Probe;
  readonly conntrackLookup: Probe;
  readonly csumIpv6Flag: Probe;
  /** Iterators over sockets that may destroy them (kernel 6.5), and the right to enter other network namespaces. */
  readonly sockDestroy: Probe;
  /** The same through sock_diag's SOCK_DESTROY (CONFIG_INET_DIAG_DESTROY). */
  readonly sockDiagDestroy: Probe;
  readonly btf: Probe;
}

/** One thing that the programs of an object need and the kernel does not have. */
export interface KernelLack {
  readonly kind: "program" | "helper" | "map";
  /** "bpf_loop" of a helper, "syscall" of a program's type, "ringbuf" of a map's. */
  readonly name: string;
  /** Of the programs that call the helper: "sched_cls"; "" of a map. */
  readonly programType: string;
}
