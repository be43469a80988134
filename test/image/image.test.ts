// SPDX-License-Identifier: Apache-2.0
// The image as it is shipped, run by runc on a node of a lab as the DaemonSet has it run: its capabilities and no others, a
// read-only root, containerd's default seccomp profile, the node's network. Prints what it measures.
import { execFileSync } from "node:child_process";
import { readdirSync, readFileSync } from "node:fs";
import { beforeAll, describe, expect, test } from "vitest";
import { useLab } from "../support/lab.ts";
import { type ServiceSpec, serviceAddresses, writeService } from "../support/manifests.ts";
import { SERVING_CAPABILITIES, shippedContainer } from "../support/shipped.ts";
import { Container } from "./support/container.ts";
import { type Image, machine, unpackImage } from "./support/images.ts";
import { configureNode, leastGrant, nodeVolumes, shippedGrant, startAgent } from "./support/node-container.ts";

const NODE_PORT = 30080;

describe("the image of this machine's architecture", () => {
  // A firewall that forwards nothing: what goes through does so by a rule that the image's own iptables has written.
  const getLab = useLab({ nodes: [{ name: "n1", routedPods: ["p1a"] }], firewall: "closed" });
  let image: Image;

  beforeAll(async () => {
    const lab = getLab();
    image = unpackImage(machine(), lab.plan.directory);
    const web: ServiceSpec = {
      name: "web",
      number: 1,
      nodePort: NODE_PORT,
      external: true,
      endpoints: [{ address: lab.pod("p1a").address, nodeName: "n1" }],
    };
    writeService(configureNode(lab, lab.node("n1")), web);
    await lab.serve(lab.pod("p1a"));
  });

  test("it is small, has labels, Node.js 24 and no package manager", () => {
    const kib = Number(execFileSync("du", ["-sk", image.root], { encoding: "utf8" }).split("\t")[0]);
    const packed = execFileSync("sh", ["-c", `tar -C "$0" -c . | gzip | wc -c`, image.root], { encoding: "utf8" });
    print(`image ${image.arch}: ${Math.round(kib / 1024)} MiB, compressed ${Math.round(Number(packed) / 2 ** 20)} MiB`);
    expect(kib).toBeLessThan(160 * 1024);
    expect(image.arch).toBe(machine());
    expect(image.labels).toMatchObject({
      "org.opencontainers.image.title": "portolan",
      "org.opencontainers.image.version": packageVersion(),
      "org.opencontainers.image.revision": expect.stringMatching(/^([0-9a-f]{40}|unknown)$/),
    });
    expect(inImage(image, "node", "--version")).toMatch(/^v24\./);
    for (const name of ["nodejs", "libbpf1", "portolan/commander", "portolan/@kubernetes/client-node"]) {
      expect(inImage(image, "sh", "-c", `cat /usr/share/doc/${name}/*`), name).toMatch(/copyright|licen[cs]e/i);
    }
    for (const command of ["npm", "apt-get", "perl", "python3"]) {
      expect(() => inImage(image, "sh", "-c", `command -v ${command}`), command).toThrow();
    }
  });

  test("with the capabilities that serving takes it serves everybody, over both families", async () => {
    const lab = getLab();
    const node = lab.node("n1");
    const { agent, readyMs } = await startAgent(lab, node, image, leastGrant(SERVING_CAPABILITIES));
    const client = await lab.agentIn(lab.client);
    const { loadBalancer, clusterIP } = serviceAddresses(1);
    for (const { v4, v6 } of [loadBalancer, clusterIP]) {
      for (const address of [v4, v6]) {
        expect(await client.tcp({ address, port: 80, count: 100, concurrency: 10 }), address).toMatchObject({
          failed: 0,
        });
        expect(await client.udp({ address, port: 80, count: 100, concurrency: 10 }), address).toMatchObject({
          failed: 0,
        });
      }
    }
    for (const address of [node.address.v4, node.address.v6]) {
      const nodePort = { address, port: NODE_PORT, count: 100, concurrency: 10 };
      expect(await client.tcp(nodePort), address).toMatchObject({ failed: 0 });
    }
    const pid = await agent.pid();
    expect(effectiveCapabilities(pid)).toBe(bits(12, 38, 39)); // NET_ADMIN, PERFMON, BPF, as in linux/capability.h
    expect(readFileSync(`/proc/${pid}/status`, "utf8")).toMatch(/^Seccomp:\t2$/m); // filtered
    await expect(agent.exec("touch", "/portolan/x")).rejects.toThrow("Read-only file system");
    expect(await agent.exec("portolan", "status")).toContain("n1");
    expect(await agent.exec("portolan", "doctor")).toContain(
      "lacks CAP_SYS_ADMIN, CAP_SYS_PTRACE, hostPID: a UDP socket",
    );
    expect(await agent.exec("portolan", "services", "-o", "name")).toContain("test/web");
    print(`start to ready: ${Math.round(readyMs)} ms; idle after 1000 connections: ${memory(pid)}`);
    expect(agent.process.stderr).not.toMatch(/ (WARN|ERROR) .*(EPERM|EACCES|EROFS|not permitted|iptables)/);
    await agent.stop();
  });

  test("an agent that makes way for the next, which has more capabilities, costs no connection", async () => {
    const lab = getLab();
    const node = lab.node("n1");
    const { agent: first } = await startAgent(lab, node, image, leastGrant(SERVING_CAPABILITIES));
    const client = await lab.agentIn(lab.client);
    const held = await client.hold({ address: serviceAddresses(1).loadBalancer.v4, port: 80 });
    const traffic = client.startTcp({ address: node.address.v6, port: NODE_PORT, concurrency: 4, gapMs: 2 });
    await first.stop();
    const { agent: second } = await startAgent(lab, node, image, shippedGrant());
    const { asked, failed } = await traffic.stop();
    await held.echo({ count: 5 });
    expect(failed).toBe(0);
    expect(asked).toBeGreaterThan(100);
    print(`replaced by the next agent under ${asked} connections: ${failed} failed`);
    expect(await second.exec("portolan", "doctor")).toMatch(/^nothing found; checked: .*rights/);
    await held.close();
    await second.stop();
  });

  test("with the chart's value `cleanup` a pod takes the datapath away", async () => {
    const lab = getLab();
    const node = lab.node("n1");
    expect(readdirSync(node.bpffs)).toContain("portolan");
    const { container, hostPid } = shippedGrant();
    const cleaning = { ...container, command: ["sh", "-c", "portolan cleanup && exec sleep infinity"], args: [] };
    const cleaner = new Container(lab, node, { image, container: cleaning, hostPid, volumes: nodeVolumes(lab, node) });
    await cleaner.process.waitForOutput(/^removed \d+ links and \d+ maps and 2 chains of netfilter$/m);
    expect(readdirSync(node.bpffs)).not.toContain("portolan");
    expect(cleaner.process.running).toBe(true);
    await cleaner.stop();
  });

  test("the sysctl init container switches forwarding on, with CAP_NET_ADMIN alone", async () => {
    const lab = getLab();
    const node = lab.node("n1");
    await lab.sysctl(node, "net.ipv4.ip_forward=0");
    const container = shippedContainer("sysctls");
    expect(container.securityContext.capabilities).toEqual({ drop: ["ALL"], add: ["NET_ADMIN"] });
    for (const said of ["ipv4/ip_forward: 0 becomes 1\n", ""]) {
      const init = new Container(lab, node, { image, container, hostPid: false, volumes: { sysctl: "/proc/sys/net" } });
      const { code } = await init.process.exited;
      expect({ code, stderr: init.process.stderr }).toEqual({ code: 0, stderr: "" });
      expect(init.process.stdout).toBe(said);
    }
    expect(await lab.exec(node, ["sysctl", "-n", "net.ipv4.ip_forward"])).toBe("1\n");
  });
});

function packageVersion(): string {
  const { version } = JSON.parse(readFileSync(new URL("../../package.json", import.meta.url), "utf8")) as {
    version: string;
  };
  return version;
}

/** Runs a command with the image as its root directory. */
function inImage({ root, environment }: Image, ...argv: readonly string[]): string {
  return execFileSync("chroot", [root, "/bin/env", "-i", ...environment, ...argv], { encoding: "utf8", stdio: "pipe" });
}

function effectiveCapabilities(pid: number): bigint {
  return BigInt(`0x${/^CapEff:\s*([0-9a-f]+)$/m.exec(readFileSync(`/proc/${pid}/status`, "utf8"))?.[1] ?? ""}`);
}

function bits(...numbers: readonly number[]): bigint {
  return numbers.reduce((set, bit) => set | (1n << BigInt(bit)), 0n);
}

/** Resident, and of that what is the process's own. */
function memory(pid: number): string {
  const status = readFileSync(`/proc/${pid}/status`, "utf8");
  const mib = (field: string) =>
    Math.round(Number(new RegExp(`^${field}:\\s*(\\d+) kB$`, "m").exec(status)?.[1]) / 1024);
  return `${mib("VmRSS")} MiB resident, ${mib("RssAnon")} MiB of it its own`;
}

function print(line: string): void {
  process.stdout.write(`${line}\n`);
}
