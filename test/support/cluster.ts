// SPDX-License-Identifier: Apache-2.0
// A lab with an agent on each node and a manifest directory that all of them read.
import { mkdirSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll } from "vitest";
import { openState } from "../../src/datapath/ebpf/state.ts";
import { Lab } from "../../src/demo/lab/lab.ts";
import type { Host, LabOptions, NodeHost } from "../../src/demo/lab/plan.ts";
import type { LabProcess } from "../../src/demo/lab/process.ts";
import type { TrafficAgent } from "../../src/demo/lab/traffic.ts";
import { type AgentStart, startAgent } from "../../src/demo/portolan.ts";
import type { ServiceRow } from "../../src/inspect/rows.ts";
import { serviceRows } from "../../src/inspect/service-rows.ts";
import { GUEST_AGENT, inGuest } from "./guest.ts";
import { removeService, type ServiceSpec, writeService } from "./manifests.ts";
import { until } from "./until.ts";

export interface ClusterOptions extends LabOptions {
  readonly services?: (lab: Lab) => readonly ServiceSpec[];
  readonly agentFlags?: readonly string[];
  /** What a node serves, as `portolan services` lists it; default: by its pinned maps. */
  readonly rows?: (node: NodeHost) => Promise<readonly ServiceRow[]>;
  /** Nodes that have an agent; default: all. */
  readonly agents?: readonly string[];
  /** Before the agents start. */
  readonly prepare?: (lab: Lab) => Promise<void>;
  /** Makes what agents read from; the flags that tell them. Default: the directory of manifests. */
  readonly source?: (lab: Lab) => Promise<readonly string[]>;
}

export class Cluster implements AsyncDisposable {
  readonly lab: Lab;
  readonly manifests: string;
  readonly agents: Map<string, LabProcess> = new Map();
  readonly #clients = new Map<string, Promise<TrafficAgent>>();
  readonly #agentFlags: readonly string[];
  readonly #rows: (node: NodeHost) => Promise<readonly ServiceRow[]>;
  #source: readonly string[];

  private constructor(lab: Lab, { agentFlags = [], rows = pinnedRows }: ClusterOptions) {
    this.lab = lab;
    this.#agentFlags = agentFlags;
    this.#rows = rows;
    this.manifests = join(lab.plan.directory, "manifests");
    mkdirSync(this.manifests);
    this.#source = ["--manifests", this.manifests];
  }

  static async create(options: ClusterOptions = {}): Promise<Cluster> {
    const lab = await Lab.create(options);
    try {
      const cluster = new Cluster(lab, options);
      await options.prepare?.(lab);
      if (options.source !== undefined) cluster.#source = await options.source(lab);
      for (const spec of options.services?.(lab) ?? []) writeService(cluster.manifests, spec);
      for (const name of options.agents ?? lab.nodes.map((node) => node.name)) await cluster.startAgent(name);
      return cluster;
    } catch (error) {
      await lab[Symbol.asyncDispose]();
      throw error;
    }
  }

  /** flags: default those of the cluster. */
  async startAgent(node: string, flags: readonly string[] = this.#agentFlags, start?: AgentStart): Promise<LabProcess> {
    const how = { ...(inGuest ? GUEST_AGENT : {}), ...start };
    const agent = await startAgent(this.lab, this.lab.node(node), this.#source, flags, how);
    this.agents.set(node, agent);
    return agent;
  }

  /** kill -9: nothing of the agent's own cleans up. */
  async killAgent(node: string): Promise<void> {
    const agent = this.agents.get(node);
    if (agent === undefined) throw new Error(`no agent runs on ${node}`);
    process.kill(agent.pid, "SIGKILL");
    await agent.exited;
    this.agents.delete(node);
  }

  /** Writes the Service and waits until every node serves it with that many endpoints. */
  async write(spec: ServiceSpec): Promise<void> {
    writeService(this.manifests, spec);
    await this.served(spec.name, spec.endpoints.length);
  }

  async remove(name: string): Promise<void> {
    removeService(this.manifests, name);
    await this.served(name, undefined);
  }

  /** A client whose traffic meets the tc programs: outside its node's cgroups. One process for each host. */
  wire(host: Host): Promise<TrafficAgent> {
    return this.#client(`wire ${host.name}`, () => this.lab.agentIn(host, { socketBalancing: false }));
  }

  /** A client whose sockets are balanced. */
  socket(host: Host): Promise<TrafficAgent> {
    return this.#client(`socket ${host.name}`, () => this.lab.agentIn(host));
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.lab[Symbol.asyncDispose]();
  }

  #client(key: string, start: () => Promise<TrafficAgent>): Promise<TrafficAgent> {
    const client = this.#clients.get(key) ?? start();
    this.#clients.set(key, client);
    return client;
  }

  /** Waits until every node serves it with that many endpoints; undefined: not at all. */
  async served(name: string, endpoints: number | undefined, timeoutMs?: number): Promise<void> {
    for (const node of this.lab.nodes) {
      if (!this.agents.has(node.name)) continue;
      const serves = async () => {
        const found = (await this.#rows(node)).filter(({ service }) => service.startsWith(`test/${name}:`));
        return endpoints === undefined
          ? found.length === 0
          : found.length > 0 && found.every((service) => service.endpoints.total === endpoints);
      };
      await until(`${node.name} serves ${name} with ${endpoints ?? "no"} endpoints`, serves, timeoutMs);
    }
  }
}

async function pinnedRows({ bpffs }: NodeHost): Promise<readonly ServiceRow[]> {
  using state = openState(bpffs);
  return serviceRows(state.services());
}

/** A cluster for one test file: made before its tests, taken down after them, failed or not. */
export function useCluster(options: ClusterOptions): () => Cluster {
  let cluster: Cluster | undefined;
  beforeAll(async () => {
    cluster = await Cluster.create(options);
  });
  afterAll(async () => {
    await cluster?.[Symbol.asyncDispose]();
  });
  return () => {
    if (cluster === undefined) throw new Error("the cluster is there only while tests run");
    return cluster;
  };
}
