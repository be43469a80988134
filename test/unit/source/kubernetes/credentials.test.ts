// SPDX-License-Identifier: Apache-2.0
import { chmodSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeEach, expect, test, vi } from "vitest";
import { Credentials } from "../../../../src/source/kubernetes/credentials.ts";
import { connectionFailure } from "../../../../src/source/kubernetes/failure.ts";

const root = mkdtempSync(join(tmpdir(), "pt-credentials-"));
afterAll(() => rmSync(root, { recursive: true }));

let directory: string;
let count = 0;
beforeEach(() => {
  directory = join(root, String(count++));
  mkdirSync(directory);
});

function kubeconfig(user: object, cluster: object = { server: "https://192.0.2.1:6443" }): string {
  const file = join(directory, "kubeconfig");
  writeFileSync(
    file,
    JSON.stringify({
      clusters: [{ name: "c", cluster }],
      users: [{ name: "u", user }],
      contexts: [{ name: "x", context: { cluster: "c", user: "u" } }],
      "current-context": "x",
    }),
  );
  return file;
}

function open(file: string, servers: readonly string[] = []): Credentials {
  return new Credentials({ kubeconfig: file, servers });
}

async function authorization(credentials: Credentials): Promise<string | undefined> {
  const { options } = await credentials.access();
  const { Authorization } = options.headers as { readonly Authorization?: string };
  return Authorization;
}

test("a token file, beside the kubeconfig, is read for each connection; a newline at its end is none of the token's", async () => {
  const token = join(directory, "token");
  writeFileSync(token, "first\n");
  const credentials = open(kubeconfig({ tokenFile: "token" }));
  expect(await authorization(credentials)).toBe("Bearer first");
  writeFileSync(token, "second\n");
  expect(await authorization(credentials)).toBe("Bearer second");
});

test("a service account's token file is read for each connection, wherever the clock has jumped to", async () => {
  const token = join(directory, "token");
  const credentials = open(kubeconfig({ "auth-provider": { name: "tokenFile", config: { tokenFile: token } } }));
  vi.useFakeTimers({ toFake: ["Date"], now: new Date("2026-11-22T12:00:00Z") });
  try {
    writeFileSync(token, "first\n");
    expect(await authorization(credentials)).toBe("Bearer first");
    vi.setSystemTime(new Date("2026-11-20T12:00:00Z"));
    writeFileSync(token, "second\n");
    expect(await authorization(credentials)).toBe("Bearer second");
    vi.setSystemTime(new Date("2026-11-20T12:00:01Z"));
    writeFileSync(token, "third\n");
    expect(await authorization(credentials)).toBe("Bearer third");
  } finally {
    vi.useRealTimers();
  }
});

test("a kubeconfig that is written anew counts from the next connection on", async () => {
  const credentials = open(kubeconfig({ token: "first" }));
  expect(await authorization(credentials)).toBe("Bearer first");
  kubeconfig({ token: "second" }, { server: "https://192.0.2.2:6443" });
  expect(await authorization(credentials)).toBe("Bearer second");
  expect((await credentials.access()).server.href).toBe("https://192.0.2.2:6443/");
});

test("an exec plugin is asked once, until its credentials are refused", async () => {
  const plugin = join(directory, "plugin");
  const asked = join(directory, "asked");
  writeFileSync(asked, "");
  writeFileSync(
    plugin,
    `#!/bin/sh\necho x >> ${asked}\nn=$(wc -l < ${asked})\n` +
      `echo '{"kind":"ExecCredential","status":{"token":"t'$n'","expirationTimestamp":"2999-01-01T00:00:00Z"}}'\n`,
  );
  chmodSync(plugin, 0o755);
  const credentials = open(kubeconfig({ exec: { apiVersion: "client.authentication.k8s.io/v1", command: plugin } }));
  expect([await authorization(credentials), await authorization(credentials)]).toEqual(["Bearer t1", "Bearer t1"]);
  credentials.refused();
  expect(await authorization(credentials)).toBe("Bearer t2");
  expect(readFileSync(asked, "utf8")).toBe("x\nx\n");
});

test("a plugin that fails is a failure of the credentials, in its own words", async () => {
  const credentials = open(kubeconfig({ exec: { command: "sh", args: ["-c", "echo no such role >&2; exit 1"] } }));
  await expect(credentials.access()).rejects.toMatchObject({
    kind: "credentials",
    message: `${join(directory, "kubeconfig")}: no such role`,
  });
});

test("servers that are named take the place of the kubeconfig's, one after the other", async () => {
  const credentials = open(kubeconfig({ token: "t" }), ["https://192.0.2.3:6443", "https://[2001:db8::4]:6443"]);
  const server = async () => (await credentials.access()).server.host;
  expect(await server()).toBe("192.0.2.3:6443");
  credentials.nextServer();
  expect(await server()).toBe("[2001:db8::4]:6443");
  credentials.nextServer();
  expect(await server()).toBe("192.0.2.3:6443");
});

test("what names no API server is told apart before anything begins", () => {
  const file = kubeconfig({ token: "t" }, { server: "api.example" });
  expect(() => open(file).check()).toThrow(`${file}: the cluster's server "api.example" is no URL`);
  writeFileSync(file, JSON.stringify({ clusters: [], users: [], contexts: [], "current-context": "gone" }));
  expect(() => open(file).check()).toThrow(`${file}: current-context "gone" names no cluster`);
  expect(() => open(join(directory, "none")).check()).toThrow("ENOENT");
});

test.each([
  [
    "ENOTFOUND",
    "getaddrinfo ENOTFOUND api.example",
    "the name api.example does not resolve (ENOTFOUND): use an address, or a name that needs no cluster DNS",
  ],
  [
    "SELF_SIGNED_CERT_IN_CHAIN",
    "self-signed certificate in certificate chain",
    "https://192.0.2.1:6443 does not prove to be the API server that we trust: self-signed certificate in certificate " +
      "chain (SELF_SIGNED_CERT_IN_CHAIN): compare its certificate with the CA and the server's name that the credentials hold",
  ],
  [
    "CERT_NOT_YET_VALID",
    "certificate is not yet valid",
    "https://192.0.2.1:6443: certificate is not yet valid (CERT_NOT_YET_VALID), by this node's clock: set the clock, or renew the certificate",
  ],
  ["ECONNREFUSED", "connect ECONNREFUSED", "https://192.0.2.1:6443 cannot be reached: connect ECONNREFUSED"],
])("%s in words", (code, message, text) => {
  const error = Object.assign(new Error(message), { code, hostname: "api.example" });
  expect(connectionFailure(error, "https://192.0.2.1:6443").message).toBe(text);
});

test("of a kubeconfig that is no YAML only the place is said, not the lines, which may hold a token", async () => {
  const file = join(directory, "kubeconfig");
  writeFileSync(file, "users:\n- name: u\n  user:\n    token: hunter2\n   password: hunter2\n");
  await expect(open(file).access()).rejects.toThrow(/^[^\n]*kubeconfig: bad indentation of a mapping entry \(5:4\)$/);
});
