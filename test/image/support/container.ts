// SPDX-License-Identifier: Apache-2.0
// A container of the shipped DaemonSet on a node of a lab, by runc: as a kubelet's runtime would make it, except that what
// the DaemonSet takes from the host is the lab node's.
import { execFileSync } from "node:child_process";
import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import type { Lab } from "../../../src/demo/lab/lab.ts";
import type { NodeHost } from "../../../src/demo/lab/plan.ts";
import type { LabProcess } from "../../../src/demo/lab/process.ts";
import { inNetns, run } from "../../../src/demo/lab/run.ts";
import type { PodContainer } from "../../support/shipped.ts";
import type { Image } from "./images.ts";

export interface ContainerRun {
  readonly image: Image;
  readonly container: PodContainer;
  /** Of its pod. */
  readonly hostPid: boolean;
  /** What each volume is on the host, by its name. */
  readonly volumes: Readonly<Record<string, string>>;
}

/** As runtimes for Kubernetes have them. */
const READ_ONLY = ["/proc/bus", "/proc/fs", "/proc/irq", "/proc/sys", "/proc/sysrq-trigger"];
const MASKED = ["/proc/acpi", "/proc/kcore", "/proc/keys", "/proc/latency_stats", "/proc/timer_list", "/sys/firmware"];
const MOUNTS = [
  { destination: "/proc", type: "proc", source: "proc", options: ["nosuid", "noexec", "nodev"] },
  { destination: "/dev", type: "tmpfs", source: "tmpfs", options: ["nosuid", "strictatime", "mode=755"] },
  { destination: "/sys", type: "sysfs", source: "sysfs", options: ["nosuid", "noexec", "nodev", "ro"] },
  { destination: "/sys/fs/cgroup", type: "cgroup", source: "cgroup", options: ["nosuid", "noexec", "nodev", "ro"] },
];

export class Container {
  readonly process: LabProcess;
  readonly #id: string;
  readonly #state: string;
  readonly #node: NodeHost;

  constructor(lab: Lab, node: NodeHost, run: ContainerRun) {
    this.#node = node;
    this.#id = `${lab.plan.id}-${node.name}-${run.container.name}`;
    this.#state = join(lab.plan.directory, "runc");
    const bundle = join(lab.plan.directory, this.#id);
    mkdirSync(bundle, { recursive: true });
    writeFileSync(join(bundle, "config.json"), JSON.stringify(runtimeConfig(run, node.name, this.#id)));
    this.process = lab.spawn(node, [...this.#runc, "run", "--bundle", bundle, this.#id]);
  }

  /** Runs a command in it, as kubectl exec does; resolves with stdout. */
  exec(...argv: readonly string[]): Promise<string> {
    return run(inNetns(this.#node.netns, [...this.#runc, "exec", this.#id, ...argv]));
  }

  /** Process id, on this machine, of its first process. */
  async pid(): Promise<number> {
    const state = JSON.parse(await run([...this.#runc, "state", this.#id])) as { pid: number };
    return state.pid;
  }

  /** Ends it with SIGTERM. */
  async stop(): Promise<void> {
    await this.process.stop();
  }

  get #runc(): readonly string[] {
    return ["runc", "--root", this.#state];
  }
}

/** Of the OCI runtime specification. */
function runtimeConfig({ image, container, hostPid, volumes }: ContainerRun, nodeName: string, id: string): object {
  const { securityContext, volumeMounts, env = [], args = [] } = container;
  const capabilities = (securityContext.capabilities.add ?? []).map((name) => `CAP_${name}`);
  const fill = (text: string) => text.replace("$(NODE_NAME)", nodeName);
  return {
    ociVersion: "1.0.2",
    root: { path: image.root, readonly: securityContext.readOnlyRootFilesystem === true },
    process: {
      terminal: false,
      user: { uid: securityContext.runAsUser ?? 0, gid: 0 },
      cwd: "/",
      args: [...(container.command ?? image.entrypoint), ...args].map(fill),
      env: [...image.environment, ...env.map(({ name, value = nodeName }) => `${name}=${value}`)],
      noNewPrivileges: securityContext.allowPrivilegeEscalation === false,
      capabilities: { bounding: capabilities, effective: capabilities, permitted: capabilities },
    },
    mounts: [
      ...MOUNTS,
      ...volumeMounts.map(({ name, mountPath, readOnly }) => ({
        destination: mountPath,
        type: "bind",
        source: volumeSource(volumes, name),
        options: ["rbind", "rprivate", readOnly === true ? "ro" : "rw"],
      })),
    ],
    linux: {
      cgroupsPath: `/${id}`,
      namespaces: [...(hostPid ? [] : ["pid"]), "ipc", "mount"].map((type) => ({ type })), // the network is the node's
      maskedPaths: MASKED,
      readonlyPaths: READ_ONLY,
      seccomp: seccompProfile(capabilities),
    },
  };
}

/** What RuntimeDefault is with containerd, by its own word. SECCOMP names the program that prints it. */
function seccompProfile(capabilities: readonly string[]): object {
  const program = process.env.SECCOMP ?? "seccomp";
  return JSON.parse(execFileSync(program, [...capabilities], { encoding: "utf8" })) as object;
}

function volumeSource(volumes: ContainerRun["volumes"], name: string): string {
  const source = volumes[name];
  if (source === undefined) throw new Error(`the test gives nothing for the volume ${name}`);
  return source;
}
