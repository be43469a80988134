// SPDX-License-Identifier: Apache-2.0
// What an agent says when an API server does not let it in, or is not the one it takes it for.
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { beforeAll, describe, expect, test } from "vitest";
import { useApiCluster } from "./support/api-cluster.ts";
import { makeCertificates } from "./support/certificates.ts";

const world = useApiCluster({ nodes: [{ name: "n1" }], agents: [] });

/** The kubeconfig with one text in place of another. */
function changed(file: string, from: string, to: string): string {
  const text = readFileSync(file, "utf8");
  expect(text).toContain(from);
  const copy = `${file}.changed`;
  writeFileSync(copy, text.replaceAll(from, to));
  return copy;
}

/** Starts an agent with it, which gets ready without any Service; resolves with its log once that says so of Services. */
async function said(kubeconfig: string): Promise<string> {
  // The last --kubeconfig counts.
  const agent = await world().cluster.startAgent("n1", ["--kubeconfig", kubeconfig]);
  await agent.waitForOutput(/ERROR API server, services: /, 60_000);
  await agent.stop();
  return agent.stderr;
}

describe("an agent goes on and says", () => {
  let foreign: string;
  beforeAll(async () => {
    const { lab } = world().cluster;
    foreign = (await makeCertificates(join(lab.plan.directory), ["192.0.2.1"])).ca;
  });

  test("403: which verb on which resource RBAC does not allow", async () => {
    const log = await said(world().plane.kubeconfig("stranger"));
    expect(log).toMatch(
      /ERROR API server, endpointslices: forbidden \(403, .*User "stranger" cannot watch resource "endpointslices".*\): RBAC must allow verb watch on endpointslices of API group "discovery.k8s.io"/,
    );
    expect(log).toMatch(
      /ERROR API server, services: forbidden .* RBAC must allow verb watch on services of API group ""/,
    );
  });

  test("401: where the credentials come from", async () => {
    const file = changed(world().plane.kubeconfig("portolan"), '"token":"portolan"', '"token":"nobody"');
    expect(await said(file)).toContain(
      `ERROR API server, services: the API server refuses our credentials (401, Unauthorized): renew ${file} (it is tried again`,
    );
  });

  test("x509: a CA that did not sign its certificate", async () => {
    const config = JSON.parse(readFileSync(world().plane.kubeconfig("portolan"), "utf8"));
    const ca = config.clusters[0].cluster["certificate-authority"];
    const file = changed(world().plane.kubeconfig("portolan"), ca, foreign);
    expect(await said(file)).toMatch(
      /ERROR API server, services: https:\/\/.* does not prove to be the API server that we trust: .* \((UNABLE_TO_VERIFY_LEAF_SIGNATURE|CERT_SIGNATURE_FAILURE|SELF_SIGNED_CERT_IN_CHAIN)\)/,
    );
  });

  test("DNS: the name that does not resolve", async () => {
    const { plane } = world();
    const file = changed(plane.kubeconfig("portolan"), plane.url, "https://api.invalid:6443");
    expect(await said(file)).toMatch(
      /ERROR API server, services: the name api.invalid does not resolve \((ENOTFOUND|EAI_AGAIN)\): use an address/,
    );
  });
});
