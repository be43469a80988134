// SPDX-License-Identifier: Apache-2.0
// A network of nodes, pods and an outside client in network namespaces of its own, with cgroups and bpf filesystems,
// for the demo and for the tests with real sockets. Everything it makes carries its id and goes when it is disposed:
//
//   await using lab = await Lab.create({ firewall: "realistic" });
//   await lab.serve(lab.pod("p1a"));
//   const agent = await lab.agentIn(lab.client);
//   const result = await agent.tcp({ address: "192.168.50.1", port: 30080, count: 100 });

import { randomBytes } from "node:crypto";
import { mkdirSync, readFileSync } from "node:fs";
import { constants, tmpdir } from "node:os";
import { fileURLToPath } from "node:url";
import { LabError } from "./errors.ts";
import {
  type ClientRoute,
  DEFAULT_NODES,
  type Host,
  type LabOptions,
  type NodeHost,
  type Plan,
  type PodHost,
  plan,
  SERVICE_PREFIXES,
} from "./plan.ts";
import { LabProcess } from "./process.ts";
import { inNetns, ip, run, sysctl } from "./run.ts";
import { killAll, removeLab } from "./teardown.ts";
import { buildTopology, clientRouteLine, setFirewall } from "./topology.ts";
import { TrafficAgent } from "./traffic.ts";

/** What ends the process from outside: Ctrl-C, kill, the terminal going away. */
const SIGNALS = ["SIGINT", "SIGTERM", "SIGHUP"] as const;
/** Of many at once, on an emulated processor. */
const START_TIMEOUT_MS = 60_000;

export interface SpawnOptions {
  /** false: outside the cgroups of its node, so that its traffic meets the tc programs. Default true. */
  readonly socketBalancing?: boolean;
  readonly environment?: Readonly<Record<string, string>>;
}

export interface ServeOptions {
  /** Default [8080]. */
  readonly tcp?: readonly number[];
  /** Default: as tcp. */
  readonly udp?: readonly number[];
  /** Bind to one address instead of all (a UDP server on a host with several must). */
  readonly address?: string;
  /** What the answers call it; default: the host's name. */
  readonly name?: string;
}

export class Lab implements AsyncDisposable {
  readonly plan: Plan;
  readonly #processes: LabProcess[] = [];
  readonly #onSignal = (signal: NodeJS.Signals) => {
    void this[Symbol.asyncDispose]().finally(() => process.exit(128 + constants.signals[signal]));
  };
  /** For a process that ends without disposing: an uncaught error, process.exit(). */
  readonly #onExit = () => {
    for (const failure of removeLab(this.plan)) process.stderr.write(`lab ${this.plan.id}: ${failure}\n`);
  };
  #disposed: Promise<void> | undefined;

  private constructor(made: Plan) {
    this.plan = made;
  }

  /** Needs root. Rejects, with everything taken down again, when a part cannot be made. */
  static async create(options: LabOptions = {}): Promise<Lab> {
    if (process.getuid?.() !== 0) throw new LabError("network namespaces need root: run this as root (sudo)");
    const id = `pt-${randomBytes(4).toString("hex")}`;
    const lab = new Lab(plan(id, cgroup2Mount(), tmpdir(), options.nodes ?? DEFAULT_NODES));
    for (const signal of SIGNALS) process.on(signal, lab.#onSignal);
    process.on("exit", lab.#onExit);
    try {
      await lab.#build(options);
    } catch (error) {
      await lab[Symbol.asyncDispose]();
      throw error;
    }
    return lab;
  }

  get client(): Host {
    return this.plan.client;
  }

  get nodes(): readonly NodeHost[] {
    return this.plan.nodes;
  }

  get pods(): readonly PodHost[] {
    return this.plan.nodes.flatMap((node) => node.pods);
  }

  node(name: string): NodeHost {
    return named(this.nodes, "node", name);
  }

  pod(name: string): PodHost {
    return named(this.pods, "pod", name);
  }

  /** Runs a command to its end in a host's namespace (not in its cgroup); resolves with stdout. */
  exec(host: Host, argv: readonly string[], input = ""): Promise<string> {
    return run(inNetns(host.netns, argv), input);
  }

  /** ip(8) lines in a host's namespace. */
  ip(host: Host, ...lines: readonly string[]): Promise<void> {
    return ip(host.netns, lines);
  }

  sysctl(host: Host, ...settings: readonly string[]): Promise<void> {
    return sysctl(host.netns, settings);
  }

  /** Sends the client's traffic for a prefix to a node. */
  routeClient(route: ClientRoute): Promise<void> {
    return ip(this.client.netns, [clientRouteLine(this.plan, route)]);
  }

  /** Starts a process in a host's namespace and cgroup; it ends with the lab at the latest. */
  spawn(host: Host, argv: readonly string[], options: SpawnOptions = {}): LabProcess {
    if (this.#disposed !== undefined) throw new Error(`lab ${this.plan.id} is already taken down`);
    const cgroup = (options.socketBalancing ?? true) ? host.cgroup : this.#outsideCgroup;
    const enter = ["sh", "-c", 'echo $$ > "$0/cgroup.procs" && exec "$@"', cgroup];
    const started = new LabProcess(
      `${argv[0]?.replace(/.*\//, "")} in ${host.name}`,
      [...enter, ...inNetns(host.netns, argv)],
      options.environment,
    );
    this.#processes.push(started);
    return started;
  }

  /** Starts a TCP and UDP server that says who it is and whom it sees; resolves when it listens. */
  async serve(host: Host, options: ServeOptions = {}): Promise<LabProcess> {
    const tcp = options.tcp ?? [8080];
    const settings = { name: options.name ?? host.name, tcp, udp: options.udp ?? tcp, address: options.address };
    const server = this.spawn(host, ["node", program("server.mjs"), JSON.stringify(settings)]);
    await server.waitForOutput(/^ready$/m, START_TIMEOUT_MS);
    return server;
  }

  /** Starts a process that makes connections from this host on request. */
  async agentIn(host: Host, options: SpawnOptions = {}): Promise<TrafficAgent> {
    const agent = this.spawn(host, ["node", program("agent.mjs")], options);
    await agent.waitForOutput(/^ready$/m, START_TIMEOUT_MS);
    return new TrafficAgent(agent, host.name);
  }

  /** Ends the processes and takes away namespaces, cgroups, mounts and files; safe to call again. */
  [Symbol.asyncDispose](): Promise<void> {
    this.#disposed ??= this.#takeDown();
    return this.#disposed;
  }

  get #outsideCgroup(): string {
    return `${this.plan.cgroup}/outside`;
  }

  async #build(options: LabOptions): Promise<void> {
    const cgroups = [this.client, ...this.nodes, ...this.pods].map((host) => host.cgroup);
    for (const cgroup of [...cgroups, this.#outsideCgroup]) mkdirSync(cgroup, { recursive: true });
    for (const node of this.nodes) {
      mkdirSync(node.bpffs, { recursive: true });
      mkdirSync(node.stateDir, { recursive: true });
      await run(["mount", "-t", "bpf", "none", node.bpffs]);
    }
    const first = this.nodes[0];
    const routes =
      options.clientRoutes ??
      SERVICE_PREFIXES.flatMap((to) => (first === undefined ? [] : [{ to, viaNode: first.name }]));
    await buildTopology(this.plan, options.brNetfilter ?? 0, routes);
    const { firewall = "none" } = options;
    if (firewall !== "none") for (const node of this.nodes) await setFirewall(node, firewall);
  }

  async #takeDown(): Promise<void> {
    await Promise.all(this.#processes.map((started) => started.stop()));
    killAll(this.plan.cgroup);
    await Promise.all(this.#processes.map((started) => started.exited));
    const failures = removeLab(this.plan);
    // Only now: an impatient second Ctrl-C must not stop this.
    for (const signal of SIGNALS) process.off(signal, this.#onSignal);
    process.off("exit", this.#onExit);
    if (failures.length > 0) throw new AggregateError(failures, `lab ${this.plan.id} was not taken down completely`);
  }
}

/** Where cgroup2 is mounted: /sys/fs/cgroup, or /sys/fs/cgroup/unified beside version 1. */
function cgroup2Mount(): string {
  const line = readFileSync("/proc/mounts", "utf8")
    .split("\n")
    .map((text) => text.split(" "))
    .find((fields) => fields[2] === "cgroup2");
  if (line?.[1] === undefined)
    throw new LabError("no cgroup2 filesystem is mounted: mount -t cgroup2 none /sys/fs/cgroup");
  return line[1];
}

/** Beside this file in the source, beside the bundle in dist/. */
function program(name: string): string {
  return fileURLToPath(new URL(`./programs/${name}`, import.meta.url));
}

function named<T extends Host>(hosts: readonly T[], kind: string, name: string): T {
  const found = hosts.find((host) => host.name === name);
  if (found === undefined)
    throw new Error(`the lab has no ${kind} ${name}; it has ${hosts.map((host) => host.name).join(", ")}`);
  return found;
}
