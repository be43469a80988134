// SPDX-License-Identifier: Apache-2.0
// The Helm chart: what its values make of it, what it refuses, and that what is for kustomize is the same.
import { execFileSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { describe, expect, test } from "vitest";
import { parse } from "yaml";
import { readConfig } from "../../src/agent/config/config-file.ts";
import { SERVING_CAPABILITIES } from "../support/shipped.ts";
import { CHART, helm, render, renderObject, renderPod } from "./support/helm.ts";

const ROOT = fileURLToPath(new URL("../..", import.meta.url));
const OPTIONAL = ["SYS_ADMIN", "SYS_PTRACE"];

test("helm lint finds nothing", () => {
  const said = helm(
    "lint",
    "--strict",
    CHART,
    "--set",
    "apiServers={https://192.0.2.10:6443}",
    "--kube-version",
    "1.37.1",
  );
  expect(said).toContain("1 chart(s) linted, 0 chart(s) failed");
  expect(said).not.toMatch(/WARNING|ERROR/);
});

test("deploy/kustomize/base is the chart with its default values", () => {
  expect(() => execFileSync("bash", ["deploy/kustomize.sh", "check"], { cwd: ROOT, stdio: "pipe" })).not.toThrow();
});

describe("rights", () => {
  test("nothing is privileged, roots are read-only, and only named capabilities are granted", () => {
    const { containers, initContainers = [] } = renderPod({
      legacyIptables: true,
      extraCapabilities: ["SYS_RESOURCE"],
    });
    for (const { securityContext } of [...containers, ...initContainers]) {
      expect(securityContext.privileged).toBeUndefined();
      expect(securityContext.readOnlyRootFilesystem).toBe(true);
      expect(securityContext.capabilities.drop).toEqual(["ALL"]);
    }
    const granted = containers.map(({ securityContext }) => securityContext.capabilities.add);
    expect(granted).toEqual([[...SERVING_CAPABILITIES, ...OPTIONAL, "NET_RAW", "SYS_RESOURCE"]]);
  });

  test("without closeStaleSockets they are the three that serving takes, and the profiles of the runtime hold", () => {
    const { hostPID, containers } = renderPod({ closeStaleSockets: false });
    expect(hostPID).toBeUndefined();
    expect(containers[0]?.securityContext).toEqual({
      runAsUser: 0,
      runAsGroup: 0,
      readOnlyRootFilesystem: true,
      allowPrivilegeEscalation: false,
      capabilities: { drop: ["ALL"], add: SERVING_CAPABILITIES },
    });
  });

  test("only the container that mounts a bpf file system is privileged, where it is asked for", () => {
    const { initContainers = [], containers } = renderPod({ bpffs: { mount: true } });
    const privileged = [...initContainers, ...containers].filter(({ securityContext }) => securityContext.privileged);
    expect(privileged.map(({ name }) => name)).toEqual(["mount-bpffs"]);
  });

  test("what may be read or written follows rbac, and rbac.create", () => {
    const rules = (rbac: object) => JSON.stringify(renderObject("ClusterRole", { rbac }).rules);
    expect(rules({ optOuts: false })).not.toMatch(/pods|namespaces/);
    expect(rules({ events: false })).not.toContain("events");
    const kinds = render({ rbac: { create: false }, serviceAccount: { create: false, name: "mine" } }).map(
      ({ kind }) => kind,
    );
    expect(kinds.sort()).toEqual(["ConfigMap", "DaemonSet"]);
  });
});

describe("the configuration", () => {
  const configuration = (values: object) => {
    const { data } = renderObject("ConfigMap", values) as unknown as { data: Readonly<Record<string, string>> };
    return data["configuration.yaml"] ?? "";
  };

  test("is one that the agent takes, whatever fields of it are set", () => {
    const config = {
      nodePortAddresses: ["primary"],
      maps: { maxFlows: 65_536 },
      logging: { format: "json", level: "debug" },
      oomScoreAdj: -998,
    };
    const text = configuration({ config, cgroup: { podsHostPath: "/sys/fs/cgroup/memory" } });
    const { flags, warnings } = readConfig("configuration.yaml", text);
    expect(warnings).toEqual([]);
    expect(flags).toMatchObject({
      inCluster: true,
      apiServer: ["https://192.0.2.10:6443"],
      bpffs: "/host/bpf",
      cgroupRoot: "/host/cgroup",
      podCgroups: "/host/pod-cgroups",
      stateDir: "/var/lib/portolan",
      maxFlows: 65_536,
      logLevel: "debug",
    });
  });

  test("of the example for kustomize is the shipped one, but for the API server's address", () => {
    const text = readFileSync(`${ROOT}/deploy/kustomize/example/configuration.yaml`, "utf8");
    expect(readConfig("configuration.yaml", text)).toEqual(readConfig("configuration.yaml", configuration({})));
  });

  test("is another with another checksum, so that the DaemonSet rolls", () => {
    const checksum = (values: object) =>
      JSON.stringify(renderObject("DaemonSet", values)).match(/checksum\/configuration":"(\w{64})/)?.[1];
    expect(checksum({})).toBe(checksum({ maxUnavailable: "10%" }));
    expect(checksum({ config: { vipPing: true } })).not.toBe(checksum({}));
  });

  test.each([
    [undefined, { port: 10_256, host: undefined }],
    ["[::]:10300", { port: 10_300, host: undefined }],
    ["192.0.2.1", { port: 10_256, host: "192.0.2.1" }],
    ["[2001:db8::1]:10300", { port: 10_300, host: "2001:db8::1" }],
  ])("probes ask where it listens: %s", (healthzBindAddress, { port, host }) => {
    const [container] = renderPod({
      config: healthzBindAddress === undefined ? {} : { healthzBindAddress },
    }).containers;
    expect(container?.ports).toEqual([{ name: "health", containerPort: port }]);
    expect(container?.readinessProbe?.httpGet).toEqual({ path: "/readyz", port: "health", ...(host && { host }) });
    expect(container?.livenessProbe?.httpGet).toEqual({ path: "/livez", port: "health", ...(host && { host }) });
  });

  test("nobody probes an agent that listens nowhere, or one that cleans up", () => {
    for (const values of [{ config: { healthzBindAddress: "" } }, { cleanup: true }]) {
      const [container] = renderPod(values).containers;
      expect(container).not.toHaveProperty("readinessProbe");
      expect(container).not.toHaveProperty("livenessProbe");
    }
  });
});

test("with `cleanup` the pods take the datapath away", () => {
  const [container] = renderPod({ cleanup: true }).containers;
  expect(container?.command).toEqual(["sh", "-c", "portolan cleanup && exec sleep infinity"]);
  const [handing] = renderPod({ cleanup: "hand-back" }).containers;
  expect(handing?.command).toEqual(["sh", "-c", "portolan cleanup --hand-back && exec sleep infinity"]);
  expect(container).not.toHaveProperty("args");
});

test("an update has one node at a time without an agent, and never two agents on one", () => {
  const { updateStrategy } = renderObject("DaemonSet").spec as { updateStrategy: object };
  expect(updateStrategy).toEqual({ type: "RollingUpdate", rollingUpdate: { maxUnavailable: 1, maxSurge: 0 } });
});

test("no sysctls, no init container", () => {
  expect(renderPod({ sysctls: null })).not.toHaveProperty("initContainers");
  const [init] =
    renderPod({ sysctls: { "net.ipv4.ip_forward": null, "net/ipv4/conf/eth0.100/rp_filter": 2 } }).initContainers ?? [];
  expect(init?.command?.at(-1)).toContain("\nset_to ipv4/conf/eth0.100/rp_filter '2'\n");
  expect(init?.command?.at(-1)).not.toContain("ip_forward");
});

describe("what cannot be is refused, by name", () => {
  test.each([
    [{ apiServers: [] }, "apiServers: name the API servers' own addresses"],
    [{ apiServers: ["192.0.2.10:6443"] }, "apiServers"],
    [{ config: { bpffs: "/x" } }, "config.bpffs: the chart sets this itself"],
    [{ closeStaleSocket: false }, "closeStaleSocket"],
    [{ maxUnavailable: 0 }, "maxUnavailable"],
    [{ sysctls: { "kernel.panic": "1" } }, "kernel.panic"],
    [{ extraCapabilities: ["CAP_SYS_RESOURCE"] }, "extraCapabilities"],
    [{ image: { registry: "x" } }, "registry"],
  ])("%j", (values, named) => {
    expect(() => render(values)).toThrow(named);
  });
});

test("every value is in the schema and in docs/install.md", () => {
  const defaults = parse(readFileSync(`${CHART}/values.yaml`, "utf8")) as Record<string, unknown>;
  const schema = JSON.parse(readFileSync(`${CHART}/values.schema.json`, "utf8")) as { properties: object };
  expect(Object.keys(schema.properties).sort()).toEqual([...Object.keys(defaults), "global"].sort());
  const [, table = ""] = /<!-- values -->(.*)<!-- end -->/s.exec(readFileSync(`${ROOT}/docs/install.md`, "utf8")) ?? [];
  const documented = [...table.matchAll(/^\| ([^|]*) \|/gm)].flatMap(([, cell = ""]) =>
    [...cell.matchAll(/`([^`]+)`/g)].map(([, name]) => name),
  );
  expect(documented.sort()).toEqual([...namesOf(defaults)].sort());
});

/** The chart's own maps by their fields, what is passed on as it is by its name. */
function namesOf(defaults: Readonly<Record<string, unknown>>): readonly string[] {
  const own = ["image", "bpffs", "cgroup", "serviceAccount", "rbac"];
  return Object.entries(defaults).flatMap(([name, value]) =>
    own.includes(name) ? Object.keys(value as object).map((field) => `${name}.${field}`) : [name],
  );
}
