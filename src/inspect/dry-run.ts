// SPDX-License-Identifier: Apache-2.0
// Runs the datapath's own programs without an effect: a second load that shares the agent's pinned maps, with `dry_run`
// set. It decides as the attached programs would, and writes only to maps of its own.

import { existsSync } from "node:fs";
import * as abi from "../datapath/ebpf/abi.gen.ts";
import { checkAbi } from "../datapath/ebpf/abi-check.ts";
import { decode, encode, HOST_LITTLE_ENDIAN } from "../datapath/ebpf/codec.ts";
import { mapPin, type Pins } from "../datapath/ebpf/pins.ts";
import { bpfObjectPath } from "../datapath/ebpf/programs.ts";
import { type LoadedBpfObject, openObject, openPinnedMap, probeFeatures, readBtf } from "../libbpf/index.ts";

/** What was decided, scratch space, and a copy of the devices with the one that test packets come from. */
const OWN_MAPS: ReadonlySet<string> = new Set(["explained", "work", "reply_sources", "devices"]);

/** A test packet comes from loopback, which has this index in every network namespace. */
const TEST_IFINDEX = 1;

/** Both paths' programs, loaded when first asked for: any number of questions and states may share them. */
export class DryRuns implements Disposable {
  readonly #pins: Pins;
  readonly #agent: abi.AgentState;
  #wire: WireDryRun | undefined;
  #socket: SocketDryRun | undefined;

  /** agent: what the programs in force were loaded with. */
  constructor(pins: Pins, agent: abi.AgentState) {
    this.#pins = pins;
    this.#agent = agent;
  }

  /** Throws BpfError where the kernel refuses. */
  get wire(): WireDryRun {
    this.#wire ??= new WireDryRun(this.#pins, this.#agent);
    return this.#wire;
  }

  /** Throws BpfError where the kernel refuses. */
  get socket(): SocketDryRun {
    this.#socket ??= new SocketDryRun(this.#pins, this.#agent);
    return this.#socket;
  }

  [Symbol.dispose](): void {
    this.#wire?.[Symbol.dispose]();
    this.#socket?.[Symbol.dispose]();
  }
}

/** tc: what a packet on the wire meets. */
export class WireDryRun implements Disposable {
  readonly #object: LoadedBpfObject;

  /** Throws BpfError where the kernel refuses. */
  constructor(pins: Pins, agent: abi.AgentState) {
    this.#object = loadDryRun("tc", ["pt_ingress"], pins, agent);
    using devices = openPinnedMap(mapPin(pins, "devices"));
    for (const [ifindex, device] of devices.entries()) this.#object.map("devices").update(ifindex, device);
  }

  /** What happens to this frame when it enters by such a device. */
  run(frame: Uint8Array, device: abi.Device): abi.Explanation {
    this.#object.map("devices").update(u32(TEST_IFINDEX), encode(abi.device, device));
    const explained = this.#object.map("explained");
    explained.update(u32(0), new Uint8Array(abi.explanation.size));
    this.#object.program("pt_ingress").testRun({ data: frame });
    return decode(abi.explanation, explained.lookup(u32(0)) ?? new Uint8Array());
  }

  [Symbol.dispose](): void {
    this.#object[Symbol.dispose]();
  }
}

/** The socket hooks' lookup and choice: what a connect() meets. The kernel has no test run for the hooks themselves. */
export class SocketDryRun implements Disposable {
  readonly #object: LoadedBpfObject;

  /** Throws BpfError where the kernel refuses. */
  constructor(pins: Pins, agent: abi.AgentState) {
    this.#object = loadDryRun("explain", ["pt_explain_socket"], pins, agent);
  }

  run(question: Omit<abi.SocketQuestion, "answer">): abi.Explanation {
    const data = encode(abi.socketQuestion, { ...question, answer: NO_ANSWER });
    const { dataOut } = this.#object.program("pt_explain_socket").testRun({ data });
    return decode(abi.socketQuestion, dataOut).answer;
  }

  [Symbol.dispose](): void {
    this.#object[Symbol.dispose]();
  }
}

const NO_ANSWER = decode(abi.explanation, new Uint8Array(abi.explanation.size));

function loadDryRun(
  objectName: string,
  programs: readonly string[],
  pins: Pins,
  agent: abi.AgentState,
): LoadedBpfObject {
  const path = bpfObjectPath(objectName);
  checkAbi(path, readBtf(path));
  using object = openObject(path);
  for (const name of object.mapNames) {
    const pin = mapPin(pins, name);
    if (OWN_MAPS.has(name) || !existsSync(pin)) continue;
    using map = openPinnedMap(pin);
    object.reuseMap(name, map);
  }
  for (const name of object.programNames) object.setAutoload(name, programs.includes(name));
  object.setRodata("dry_run", u32(1));
  object.setRodata("masquerade_all", u32(agent.config & abi.AgentConfig.AGENT_MASQUERADE_ALL ? 1 : 0));
  object.setRodata("detect_local", u32(agent.detectLocal));
  object.setRodata("host_netns_cookie", u64(agent.netnsCookie));
  object.setRodata("has_conntrack", u32(probeFeatures().conntrackLookup.supported ? 1 : 0));
  return object.load();
}

function u32(value: number): Uint8Array {
  const bytes = new Uint8Array(4);
  new DataView(bytes.buffer).setUint32(0, value, HOST_LITTLE_ENDIAN);
  return bytes;
}

function u64(value: bigint): Uint8Array {
  const bytes = new Uint8Array(8);
  new DataView(bytes.buffer).setBigUint64(0, value, HOST_LITTLE_ENDIAN);
  return bytes;
}
