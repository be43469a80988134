// SPDX-License-Identifier: Apache-2.0
// The configuration of an agent that runs (row 83): what is taken up, what waits, what leaves all as it was; real files.

import { mkdirSync, mkdtempSync, renameSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { readConfig } from "../../../src/agent/config/config-file.ts";
import { ConfigFollower } from "../../../src/agent/config/config-follower.ts";
import { mergeFlags } from "../../../src/agent/config/merge.ts";
import type { Log } from "../../../src/agent/log.ts";
import type { AgentFlags, AgentOptions, FileFlags } from "../../../src/agent/options.ts";
import { agentCommand } from "../../../src/cli/agent.ts";
import { until } from "../../support/until.ts";

const HEAD = "apiVersion: portolan.dev/v1alpha1\nkind: PortolanConfiguration\n";

let directory = "";
beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), "pt-config-"));
});
afterEach(() => rmSync(directory, { recursive: true }));

/** An agent with this command line that follows the file; told: the options it has taken up, said: its log. */
function follow(path: string, text: string, argv: readonly string[] = []) {
  const command = agentCommand().action(() => undefined);
  command.parse(["--manifests", "/m", ...argv], { from: "user" });
  const given = command.opts<AgentFlags>();
  const merge = (file: FileFlags) => mergeFlags(given, (flag) => command.getOptionValueSource(flag) === "cli", file);
  const said: string[] = [];
  const say = (level: string) => (first: object | string, message?: string) =>
    void said.push(`${level} ${message === undefined ? first : `${message} ${JSON.stringify(first)}`}`);
  const log = { info: say("info"), warn: say("warn"), error: say("error") } as unknown as Log;
  const told: AgentOptions[] = [];
  const file = { path, text, flags: merge(readConfig(path, text).flags), merge };
  const follower = new ConfigFollower(file, (options) => void told.push(options), log, 20);
  return { told, said, follower };
}

test("row 83: what can be taken up is, of the rest the log says that it waits, as long as it differs", async () => {
  const path = join(directory, "agent.yaml");
  const text = `${HEAD}devices: [eth0]\nmaps: {maxFlows: 2048}\n`;
  writeFileSync(path, text);
  const { told, said, follower } = follow(path, text);
  using _ = follower;
  writeFileSync(
    path,
    `${HEAD}devices: [eth1]\nnodePortAddresses: [192.0.2.0/24]\nmaps: {maxFlows: 4096}\nvipPing: true\n`,
  );
  await until("both are said", () => said.length === 2);
  expect(said).toEqual([
    `info ${path} is in force as it is now {"changed":"devices, nodePortAddresses"}`,
    `warn ${path}: takes effect at the next start: maps.maxFlows, vipPing`,
  ]);
  const sizes = { maxServices: 65_536, maxBackends: 262_144, maxFlows: 2048 };
  expect(told).toHaveLength(1);
  expect(told[0]).toMatchObject({ devices: ["eth1"], nodePortAddresses: ["192.0.2.0/24"], sizes, vipPing: false });
  writeFileSync(path, `${HEAD}maps: {maxFlows: 2048}\n`);
  await until("it is taken up", () => told.length === 2);
  expect(told[1]).toMatchObject({ devices: [], nodePortAddresses: [], sizes });
  expect(said.slice(2)).toEqual([`info ${path} is in force as it is now {"changed":"devices, nodePortAddresses"}`]);
});

test("row 83: a flag that is given goes on beating the file", async () => {
  const path = join(directory, "agent.yaml");
  writeFileSync(path, HEAD);
  const { told, follower } = follow(path, HEAD, ["--devices", "eth7"]);
  using _ = follower;
  writeFileSync(path, `${HEAD}devices: [eth1]\nlogging: {level: debug}\n`);
  await until("it is taken up", () => told.length === 1);
  expect(told[0]).toMatchObject({ devices: ["eth7"], logLevel: "debug" });
});

test("row 83: a file that is no configuration, or is gone, changes nothing and is named by line; the next one counts", async () => {
  const path = join(directory, "agent.yaml");
  writeFileSync(path, HEAD);
  const { told, said, follower } = follow(path, HEAD);
  using _ = follower;
  const stays = "the agent goes on as it was";
  writeFileSync(path, `${HEAD}logging:\n  level: loud\n`);
  await until("the value is said", () => said.length === 1);
  const levels = "trace, debug, info, warn, error, fatal or silent";
  expect(said[0]).toBe(`error ${path}:4: logging.level: must be ${levels}; ${stays}`);
  writeFileSync(path, `${HEAD}logging: {\nmode: x`);
  await until("the syntax is said", () => said.length === 2);
  expect(said[1]).toMatch(new RegExp(`^error ${path}:4: .*; ${stays}$`));
  writeFileSync(path, `${HEAD}detectLocalMode: BridgeInterface\n`);
  await until("what lacks is said", () => said.length === 3);
  expect(said[2]).toMatch(/^error --detect-local-mode BridgeInterface needs the name of the interface/);
  rmSync(path);
  await until("its absence is said", () => said.length === 4);
  expect(said[3]).toMatch(new RegExp(`^error --config ${path} cannot be read: ENOENT.*; ${stays}$`));
  expect(told).toEqual([]);
  writeFileSync(path, `${HEAD}logging: {level: warn}\n`);
  await until("it is taken up", () => told.length === 1);
  expect(told[0]?.logLevel).toBe("warn");
});

test("row 83: a ConfigMap's volume, whose files are links through ..data, and a file that is moved there", async () => {
  const volume = join(directory, "volume");
  const publish = (version: string, text: string): void => {
    mkdirSync(join(volume, version), { recursive: true });
    writeFileSync(join(volume, version, "agent.yaml"), text);
    symlinkSync(version, join(volume, "..data_tmp"));
    renameSync(join(volume, "..data_tmp"), join(volume, "..data"));
  };
  publish("..2026_1", HEAD);
  const path = join(volume, "agent.yaml");
  symlinkSync("..data/agent.yaml", path);
  const { told, follower } = follow(path, HEAD);
  using _ = follower;
  publish("..2026_2", `${HEAD}logging: {level: debug}\n`);
  await until("the second version is taken up", () => told.length === 1);
  publish("..2026_3", `${HEAD}logging: {level: error}\n`);
  await until("the third version is taken up", () => told.length === 2);
  expect(told.map(({ logLevel }) => logLevel)).toEqual(["debug", "error"]);
  writeFileSync(join(directory, "new.yaml"), `${HEAD}logging: {level: trace}\n`);
  renameSync(join(directory, "new.yaml"), path);
  await until("the file is taken up", () => told.length === 3);
  expect(told[2]?.logLevel).toBe("trace");
});

test("row 83: a file that is a link to one elsewhere", async () => {
  const elsewhere = join(directory, "elsewhere");
  const path = join(directory, "agent.yaml");
  mkdirSync(elsewhere);
  writeFileSync(join(elsewhere, "real.yaml"), HEAD);
  symlinkSync(join(elsewhere, "real.yaml"), path);
  const { told, follower } = follow(path, HEAD);
  using _ = follower;
  writeFileSync(join(elsewhere, "real.yaml"), `${HEAD}logging: {level: debug}\n`);
  await until("it is taken up", () => told.length === 1);
  expect(told[0]?.logLevel).toBe("debug");
});

test("row 83: what was written between the start and now is found; the same once more is nothing", async () => {
  const path = join(directory, "agent.yaml");
  writeFileSync(path, `${HEAD}logging: {level: debug}\n`);
  const { told, said, follower } = follow(path, HEAD);
  using _ = follower;
  await until("it is taken up", () => told.length === 1);
  writeFileSync(path, `${HEAD}logging: {level: debug} # louder\n`);
  writeFileSync(join(directory, "other"), "");
  writeFileSync(path, `${HEAD}logging: {level: warn} # less\n`);
  await until("the last is taken up", () => told.at(-1)?.logLevel === "warn");
  expect(told.filter(({ logLevel }) => logLevel === "debug")).toHaveLength(1);
  expect(said.filter((line) => line.startsWith("error"))).toEqual([]);
});
