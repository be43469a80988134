// SPDX-License-Identifier: Apache-2.0
// Cgroup links through the addon, seen by a real connect() from a process in a sub-cgroup of our own.

import { execFile } from "node:child_process";
import { randomBytes } from "node:crypto";
import { once } from "node:events";
import { mkdirSync, readdirSync, rmdirSync } from "node:fs";
import { type AddressInfo, createServer, type Server } from "node:net";
import { promisify } from "node:util";
import { afterAll, beforeAll, expect, test } from "vitest";
import { type LoadedBpfObject, openObject, openPinnedLink } from "../../src/libbpf/index.ts";
import { compileFixture } from "../support/bpf-fixture.ts";
import { bpffs } from "../support/bpffs.ts";

const cgroup = `/sys/fs/cgroup/unified/pt-${randomBytes(4).toString("hex")}`;
const run = promisify(execFile);
const fixture = compileFixture("addon");
const pins = bpffs();
let server: Server;
let loaded: LoadedBpfObject;

beforeAll(async () => {
  mkdirSync(cgroup);
  server = createServer((socket) => socket.end("served\n")).listen(0, "127.0.0.1");
  await once(server, "listening");
  const port = (server.address() as AddressInfo).port;
  using object = openObject(fixture.path);
  object.setRodata("redirect_port", Uint8Array.of(port >> 8, port & 0xff));
  loaded = object.load();
});

afterAll(() => {
  loaded[Symbol.dispose]();
  server.close();
  pins[Symbol.dispose]();
  fixture[Symbol.dispose]();
  rmdirSync(cgroup);
});

/** What a process in the cgroup gets from port 1, where nobody listens; the error's text if it cannot connect. */
async function connectInCgroup(): Promise<string> {
  const script = `echo $$ > ${cgroup}/cgroup.procs; exec 3<>/dev/tcp/127.0.0.1/1 && cat <&3`;
  return run("bash", ["-c", script]).then(
    ({ stdout }) => stdout.trim(),
    (error: { stderr: string }) => error.stderr,
  );
}

test("a link redirects connect(), its update takes effect at once, detaching ends it", async () => {
  expect(await connectInCgroup()).toContain("Connection refused");
  using link = loaded.program("redirect_connect").attachCgroup(cgroup, "connect4");
  expect(await connectInCgroup()).toBe("served");
  link.update(loaded.program("refuse_connect"));
  expect(await connectInCgroup()).toContain("Operation not permitted");
  link.detach();
  expect(await connectInCgroup()).toContain("Connection refused");
});

test("a pinned link outlives its handle and is found by its pin", async () => {
  const path = `${pins.path}/link`;
  const link = loaded.program("redirect_connect").attachCgroup(cgroup, "connect4");
  link.pin(path);
  link[Symbol.dispose]();
  expect(await connectInCgroup()).toBe("served");
  using again = openPinnedLink(path);
  expect(again.id).toBe(link.id);
  again.detach();
  expect(await connectInCgroup()).toContain("Connection refused");
});

test("an unpinned link goes with its handle", async () => {
  loaded.program("redirect_connect").attachCgroup(cgroup, "connect4")[Symbol.dispose]();
  expect(await connectInCgroup()).toContain("Connection refused");
});

test("refusals name the program, the place and what to do", () => {
  const program = loaded.program("redirect_connect");
  expect(() => program.attachCgroup("/tmp", "connect4")).toThrow(
    "redirect_connect on cgroup/connect4 of /tmp: EBADF: must be a cgroup v2 directory",
  );
  expect(() => program.attachCgroup(`${cgroup}/none`, "connect4")).toThrow(`open ${cgroup}/none: ENOENT`);
  expect(() => program.attachCgroup(cgroup, "connect6")).toThrow(/redirect_connect on cgroup\/connect6 of .*: EINVAL/);
});

test("links and objects leave no descriptor behind", () => {
  const descriptors = (): number => readdirSync("/proc/self/fd").length;
  const before = descriptors();
  for (let i = 0; i < 20; i++) {
    using object = openObject(fixture.path);
    using again = object.load();
    using link = again.program("redirect_connect").attachCgroup(cgroup, "connect4");
    expect(() => link.update(again.program("sum"))).toThrow();
  }
  expect(descriptors()).toBe(before);
});
