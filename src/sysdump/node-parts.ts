// SPDX-License-Identifier: Apache-2.0
// The node around the datapath: kernel, devices, routes, firewalls, settings, what is attached. Commands run as they are
// found; one that is not installed is an error in its place.

import { execFile } from "node:child_process";
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { machine, release, uptime, version } from "node:os";
import { linkPin, type Pins } from "../datapath/ebpf/pins.ts";
import { libbpfVersion, netnsCookie, openNetlink, openPinnedLink, probeFeatures } from "../libbpf/index.ts";
import { filePart } from "./agent-parts.ts";
import { jsonText, type Part, PartialError } from "./part.ts";

const TIMEOUT_MS = 20_000;
/** Bytes of a command's output, at most. */
const ROOM = 32 << 20;
/** Where root's PATH does not always lead. */
const PATH = `${process.env.PATH ?? ""}:/usr/local/sbin:/usr/sbin:/sbin`;

/** By the file that takes the output. */
const COMMANDS: Readonly<Record<string, string>> = {
  "ip-link": "ip -details -statistics link",
  "ip-address": "ip address",
  "ip-neigh": "ip neigh",
  "ip-route-4": "ip -4 route show table all",
  "ip-route-6": "ip -6 route show table all",
  "ip-rule-4": "ip -4 rule",
  "ip-rule-6": "ip -6 rule",
  "nft-ruleset": "nft list ruleset",
  "iptables-nft": "iptables-nft-save -c",
  "ip6tables-nft": "ip6tables-nft-save -c",
  "iptables-legacy": "iptables-legacy-save -c",
  "ip6tables-legacy": "ip6tables-legacy-save -c",
  // Programs of others: these ask bpftool, where there is one.
  "bpftool-net": "bpftool net",
  "bpftool-cgroup": "bpftool cgroup tree",
  "bpftool-prog": "bpftool prog",
};

const SYSCTLS: readonly RegExp[] = [
  /^net\/ipv4\/(?:ip_forward|ip_nonlocal_bind|ip_local_port_range|ip_local_reserved_ports|tcp_tw_reuse)$/,
  /^net\/ipv4\/conf\/[^/]+\/(?:rp_filter|forwarding|accept_local|route_localnet|arp_ignore|arp_announce|proxy_arp)$/,
  /^net\/ipv6\/conf\/[^/]+\/(?:forwarding|force_forwarding|disable_ipv6|accept_ra|proxy_ndp)$/,
  /^net\/bridge\/bridge-nf-/,
  /^net\/netfilter\/nf_conntrack_/,
  /^net\/core\/(?:bpf_jit_|somaxconn$)/,
  /^kernel\/unprivileged_bpf_disabled$/,
];

/** pins: of the datapath, there or not. */
export function nodeParts(pins: Pins, portolan: string): readonly Part[] {
  const part = (file: string, what: string, read: Part["read"]): Part => ({ file: `node/${file}`, what, read });
  return [
    part("versions.json", "versions, capabilities of this process", () => jsonText(versions(portolan))),
    part("features.json", "what a probe of this kernel says", () => jsonText(probeFeatures())),
    filePart("node/os-release", "/etc/os-release"),
    part("mounts.txt", "/proc/self/mountinfo: bpf, cgroup, cgroup2, sysfs", mounts),
    part("sysctl.txt", "/proc/sys, what concerns Services", sysctls),
    part("pinned-links.json", `links in ${pins.links}, as their fdinfo has them`, () => jsonText(pinnedLinks(pins))),
    part("netlink.json", "links, addresses and routes, as the agent sees them", () => jsonText(network())),
    part("tc-filters.txt", "tc filter show, of each device, both ways", tcFilters),
    filePart("node/conntrack-stat.txt", "/proc/net/stat/nf_conntrack"),
    ...Object.entries(COMMANDS).map(([name, line]) => part(`${name}.txt`, line, () => output(line.split(" ")))),
  ];
}

function versions(portolan: string): object {
  const capabilities = /^CapEff:\s*(\w+)$/m.exec(readFileSync("/proc/self/status", "utf8"))?.[1] ?? null;
  return {
    time: new Date().toISOString(),
    portolan,
    node: process.version,
    libbpf: libbpfVersion(),
    kernel: { release: release(), version: version(), machine: machine() },
    uptimeSeconds: Math.floor(uptime()),
    capabilities,
    netnsCookie: String(netnsCookie()),
  };
}

function mounts(): string {
  const lines = readFileSync("/proc/self/mountinfo", "utf8").split("\n");
  return `${lines.filter((line) => / - (?:bpf|cgroup2?|sysfs) /.test(line)).join("\n")}\n`;
}

/** `PATH: value`, in the order of the paths. A secret is among none of these. */
function sysctls(): string {
  const root = "/proc/sys";
  const places = ["net/ipv4", "net/ipv4/conf", "net/ipv6/conf", "net/bridge", "net/netfilter", "net/core", "kernel"];
  const files = places.flatMap((place) => filesBelow(root, place));
  const wanted = files.filter((file) => SYSCTLS.some((pattern) => pattern.test(file))).sort();
  return wanted.map((file) => `${file}: ${settingText(`${root}/${file}`)}\n`).join("");
}

/** Of a directory, and of its directories one level down where it is a conf. */
function filesBelow(root: string, place: string): readonly string[] {
  if (!existsSync(`${root}/${place}`)) return [];
  const entries = readdirSync(`${root}/${place}`, { withFileTypes: true });
  return entries.flatMap((entry) => {
    if (!entry.isDirectory()) return [`${place}/${entry.name}`];
    return place.endsWith("/conf") ? filesBelow(root, `${place}/${entry.name}`) : [];
  });
}

function settingText(path: string): string {
  try {
    return readFileSync(path, "utf8").trim();
  } catch (error) {
    return error instanceof Error ? error.message : String(error); // some are the first namespace's alone
  }
}

function network(): object {
  using netlink = openNetlink();
  return { links: netlink.links(), addresses: netlink.addresses(), routes: netlink.routes() };
}

/** By the pin's name: type, program, device or cgroup. */
function pinnedLinks(pins: Pins): object {
  const facts = readdirSync(pins.links).map((name) => {
    using link = openPinnedLink(linkPin(pins, name));
    const fields = readFileSync(`/proc/self/fdinfo/${link.fd}`, "utf8").matchAll(/^(\w+):\s*(.*)$/gm);
    return [name, Object.fromEntries([...fields].map(([, field = "", value]) => [field, value]))];
  });
  return Object.fromEntries(facts);
}

async function tcFilters(): Promise<string> {
  using netlink = openNetlink();
  let shown = "";
  for (const { name } of netlink.links()) {
    for (const way of ["ingress", "egress"]) {
      const text = await output(["tc", "filter", "show", "dev", name, way]);
      if (text !== "") shown += `# ${name} ${way}\n${text}`;
    }
  }
  return shown;
}

/** Of stdout. Throws PartialError with what came of a command that failed. */
function output(argv: readonly string[]): Promise<string> {
  const [command = "", ...args] = argv;
  const options = { timeout: TIMEOUT_MS, maxBuffer: ROOM, env: { ...process.env, PATH, LC_ALL: "C" } };
  return new Promise((resolve, reject) => {
    execFile(command, args, options, (error, stdout, stderr) => {
      if (!error) resolve(stdout);
      else reject(stdout === "" ? new Error(failure(error, stderr)) : new PartialError(failure(error, stderr), stdout));
    });
  });
}

function failure(error: Error, stderr: string): string {
  if ("code" in error && error.code === "ENOENT") return `${error.message}: it is not installed here`;
  return `${error.message.split("\n")[0]}: ${stderr.trim()}`;
}
