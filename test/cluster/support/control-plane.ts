// SPDX-License-Identifier: Apache-2.0
// A control plane on a host of a lab: the real etcd and kube-apiserver as processes, with certificates, users and roles.
// No controller and no scheduler run: tests write Nodes and EndpointSlices themselves, and no object changes on its own.
//
//   await using lab = await Lab.create({ nodes: [...DEFAULT_NODES, { name: "cp" }] });
//   const plane = await ControlPlane.start(lab, lab.node("cp"));
//   await plane.api.create(service({ name: "web" }));

import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import type { Lab } from "../../../src/demo/lab/lab.ts";
import type { NodeHost } from "../../../src/demo/lab/plan.ts";
import type { LabProcess } from "../../../src/demo/lab/process.ts";
import { until } from "../../support/until.ts";
import { Api } from "./api.ts";
import { type Certificates, makeCertificates } from "./certificates.ts";
import { binary } from "./components.ts";
import { Etcd } from "./etcd.ts";
import { roleBinding } from "./objects.ts";

/** Ranges of ClusterIPs, which a lab's client has routes for. */
export const SERVICE_RANGES: readonly string[] = ["10.96.0.0/16", "fd00:10:96::/112"];
const PORT = 6443;
const ETCD_PORT = 2379;
const READY_TIMEOUT_MS = 60_000;

/** Users with a token of their own, which is their name: who reads as kube-proxy does, and who may do all. */
const USERS = [
  { name: "admin", groups: "system:masters" },
  { name: "system:kube-proxy", groups: "" }, // bound to system:node-proxier by the API server itself
  { name: "portolan", groups: "" },
  { name: "stranger", groups: "" },
] as const;
export type User = (typeof USERS)[number]["name"];

export interface ControlPlaneOptions {
  /** Feature gates of kube-apiserver, "WatchList=false". */
  readonly featureGates?: readonly string[];
}

/** Its processes end with the lab. */
export class ControlPlane {
  readonly #lab: Lab;
  readonly #host: NodeHost;
  readonly #directory: string;
  readonly certificates: Certificates;
  readonly #options: ControlPlaneOptions;
  /** Of the user that may do all. */
  readonly api: Api;
  readonly etcd: Etcd;
  apiServer: LabProcess;
  #etcdServer: LabProcess;

  private constructor(lab: Lab, host: NodeHost, certificates: Certificates, options: ControlPlaneOptions) {
    this.#lab = lab;
    this.#host = host;
    this.#directory = directoryOn(lab, host);
    this.certificates = certificates;
    this.#options = options;
    this.etcd = new Etcd(join(this.#directory, "etcd-relay"));
    this.api = new Api(join(this.#directory, "relay"), host.address.v4, certificates.ca, "admin");
    this.#etcdServer = this.#spawnEtcd();
    this.apiServer = this.#spawnApiServer();
  }

  /** Resolves once it is ready, with namespace "test" and the role of user "portolan" there. */
  static async start(lab: Lab, host: NodeHost, options: ControlPlaneOptions = {}): Promise<ControlPlane> {
    const directory = directoryOn(lab, host);
    mkdirSync(directory);
    const addresses = ["127.0.0.1", "::1", host.address.v4, host.address.v6];
    const certificates = await makeCertificates(directory, addresses);
    const users = USERS.map(({ name, groups }) => `${name},${name},${name},"${groups}"\n`);
    writeFileSync(join(directory, "tokens.csv"), users.join(""));
    await relay(lab, host, join(directory, "relay"), PORT);
    await relay(lab, host, join(directory, "etcd-relay"), ETCD_PORT);
    const plane = new ControlPlane(lab, host, certificates, options);
    await plane.ready();
    await plane.api.create({ apiVersion: "v1", kind: "Namespace", metadata: { name: "test" } });
    await plane.api.create(roleBinding("portolan", "system:node-proxier"));
    return plane;
  }

  get url(): string {
    return `https://${this.#host.address.v4}:${PORT}`;
  }

  /** The certificate that signed the API server's, PEM. */
  get ca(): string {
    return readFileSync(this.certificates.ca, "utf8");
  }

  /**
   * Writes a kubeconfig of the user's; returns its path. server: another address of it, such as a proxy's. credentials: as
   * the file is to name them; default the user's token.
   */
  kubeconfig(user: User, server: string = this.url, credentials: object = { token: user }): string {
    const file = join(
      this.#directory,
      `${user.replace(":", "-")}-${new URL(server).host.replaceAll(/[^\w.]/g, "-")}.conf`,
    );
    const config = {
      apiVersion: "v1",
      kind: "Config",
      clusters: [{ name: "test", cluster: { server, "certificate-authority": this.certificates.ca } }],
      users: [{ name: user, user: credentials }],
      contexts: [{ name: "test", context: { cluster: "test", user } }],
      "current-context": "test",
    };
    writeFileSync(file, JSON.stringify(config));
    return file;
  }

  /** Resolves once the API server serves. */
  async ready(): Promise<void> {
    await until(
      `the API server is ready; it said ${this.apiServer.stderr.slice(-2000)}`,
      () => {
        if (this.apiServer.running) return this.api.isReady();
        throw new Error(`kube-apiserver has ended: ${this.apiServer.stderr.slice(-4000)}`);
      },
      READY_TIMEOUT_MS,
    );
  }

  /** kill -9 of the API server; etcd stays. */
  async killApiServer(): Promise<void> {
    process.kill(this.apiServer.pid, "SIGKILL");
    await this.apiServer.exited;
  }

  /** Both, the one that answers first. */
  async kill(): Promise<void> {
    await this.killApiServer();
    process.kill(this.#etcdServer.pid, "SIGKILL");
    await this.#etcdServer.exited;
  }

  /** Both, after kill(); resolves once the API server serves. */
  async start(): Promise<void> {
    this.#etcdServer = this.#spawnEtcd();
    await this.startApiServer();
  }

  /** On the same data and the same port, after it has ended; resolves once it serves. */
  async startApiServer(): Promise<void> {
    this.apiServer = this.#spawnApiServer();
    await this.ready();
  }

  /** Stops it where it is: connections stay open, nobody answers. */
  pauseApiServer(): void {
    process.kill(this.apiServer.pid, "SIGSTOP");
  }

  resumeApiServer(): void {
    process.kill(this.apiServer.pid, "SIGCONT");
  }

  #spawnEtcd(): LabProcess {
    return this.#lab.spawn(this.#host, [binary("etcd"), ...etcdFlags(this.#directory)], {
      environment: { GOGC: "50" },
    });
  }

  #spawnApiServer(): LabProcess {
    const gates = this.#options.featureGates ?? [];
    const flags = [
      `--etcd-servers=http://127.0.0.1:${ETCD_PORT}`,
      `--secure-port=${PORT}`,
      `--advertise-address=${this.#host.address.v4}`,
      `--cert-dir=${this.#directory}`,
      `--tls-cert-file=${this.certificates.serving}`,
      `--tls-private-key-file=${this.certificates.servingKey}`,
      `--token-auth-file=${join(this.#directory, "tokens.csv")}`,
      "--authorization-mode=RBAC",
      `--service-cluster-ip-range=${SERVICE_RANGES.join(",")}`,
      "--service-account-issuer=https://portolan.test",
      `--service-account-key-file=${this.certificates.tokenKey}`,
      `--service-account-signing-key-file=${this.certificates.tokenKey}`,
      "--endpoint-reconciler-type=none", // no endpoint that the test has not written
      "--enable-priority-and-fairness=false", // whoever is slow here is meant to be
      "--max-requests-inflight=1000",
      "--max-mutating-requests-inflight=1000",
      "--profiling=false",
      "--shutdown-delay-duration=0s",
      ...(gates.length > 0 ? [`--feature-gates=${gates.join(",")}`] : []),
    ];
    return this.#lab.spawn(this.#host, [binary("kube-apiserver"), ...flags]);
  }
}

/** Makes a Unix socket that leads to a port of the host's. */
async function relay(lab: Lab, host: NodeHost, socket: string, port: number): Promise<void> {
  const program = join(import.meta.dirname, "programs/relay.mjs");
  await lab.spawn(host, ["node", program, socket, "127.0.0.1", String(port)]).waitForOutput(/^ready$/m);
}

function etcdFlags(directory: string): readonly string[] {
  return [
    `--data-dir=${join(directory, "etcd")}`,
    `--listen-client-urls=http://127.0.0.1:${ETCD_PORT}`,
    `--advertise-client-urls=http://127.0.0.1:${ETCD_PORT}`,
    "--listen-peer-urls=http://127.0.0.1:2380",
    "--unsafe-no-fsync",
    "--log-level=warn",
    "--quota-backend-bytes=8589934592",
  ];
}

function directoryOn(lab: Lab, host: NodeHost): string {
  return join(lab.plan.directory, host.name, "control-plane");
}
