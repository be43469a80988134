// SPDX-License-Identifier: Apache-2.0
// A certificate authority of the test's own and what it signs, by openssl: Node.js can make keys, but no certificates.
import { join } from "node:path";
import { run } from "../../../src/demo/lab/run.ts";
import { atClock } from "./clock.ts";

const NEW_KEY = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "30"];

/** For agents whose clock is set back: nobody takes a certificate that is not valid yet. */
const VALID_SINCE = "-10d";

/** Paths of PEM files. */
export interface Certificates {
  readonly ca: string;
  readonly serving: string;
  readonly servingKey: string;
  /** Signs tokens of service accounts. */
  readonly tokenKey: string;
}

/** addresses: those that the server is called by. */
export async function makeCertificates(directory: string, addresses: readonly string[]): Promise<Certificates> {
  const at = (name: string) => join(directory, name);
  const made = {
    ca: at("ca.crt"),
    serving: at("serving.crt"),
    servingKey: at("serving.key"),
    tokenKey: at("token.key"),
  };
  await certificate(made.ca, at("ca.key"), ["-subj", "/CN=portolan-test-ca"]);
  const names = addresses.map((address) => `IP:${address}`).join(",");
  await certificate(made.serving, made.servingKey, [
    ...["-CA", made.ca, "-CAkey", at("ca.key"), "-subj", "/CN=kube-apiserver"],
    ...["-addext", `subjectAltName=${names}`, "-addext", "basicConstraints=critical,CA:FALSE"],
  ]);
  await run(["openssl", "ecparam", "-name", "prime256v1", "-genkey", "-noout", "-out", made.tokenKey]);
  return made;
}

async function certificate(file: string, key: string, more: readonly string[]): Promise<void> {
  await run(atClock(VALID_SINCE, ["openssl", "req", "-x509", ...NEW_KEY, "-keyout", key, "-out", file, ...more]));
}
