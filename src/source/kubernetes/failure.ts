// SPDX-License-Identifier: Apache-2.0
// What can go wrong between us and an API server, in the words that an administrator needs.

import type { ApiStatus } from "./decode.ts";
import { type ApiResource, groupOf } from "./resources.ts";

/**
 * unreachable: no connection, or it broke. credentials: ours cannot be read or are refused (401). forbidden: 403.
 * missing: 404. expired: 410, the version that we asked from is gone. unsupported: the server does not know the request.
 * busy: 429 and 5xx. protocol: an answer that is none.
 */
export type FailureKind =
  | "unreachable"
  | "credentials"
  | "forbidden"
  | "missing"
  | "expired"
  | "unsupported"
  | "busy"
  | "protocol";

export class ApiFailure extends Error {
  readonly kind: FailureKind;
  /** What the server asks us to wait at least. */
  readonly retryAfterMs: number;

  constructor(kind: FailureKind, message: string, options: { retryAfterMs?: number; cause?: unknown } = {}) {
    super(message, { cause: options.cause });
    this.name = "ApiFailure";
    this.kind = kind;
    this.retryAfterMs = options.retryAfterMs ?? 0;
  }
}

/** Of a connection that did not come about, or broke. */
export function connectionFailure(error: Error, server: string): ApiFailure {
  const { code = "" } = error as NodeJS.ErrnoException;
  const say = (problem: string) => new ApiFailure("unreachable", problem, { cause: error });
  if (code === "ENOTFOUND" || code === "EAI_AGAIN") {
    const { hostname = server } = error as NodeJS.ErrnoException & { hostname?: string };
    return say(`the name ${hostname} does not resolve (${code}): use an address, or a name that needs no cluster DNS`);
  }
  if (code === "CERT_NOT_YET_VALID" || code === "CERT_HAS_EXPIRED") {
    return say(`${server}: ${error.message} (${code}), by this node's clock: set the clock, or renew the certificate`);
  }
  if (isTls(code)) {
    return say(
      `${server} does not prove to be the API server that we trust: ${error.message} (${code}): ` +
        "compare its certificate with the CA and the server's name that the credentials hold",
    );
  }
  return say(`${server} cannot be reached: ${textOf(error)}`);
}

/** Happy eyeballs' failures come together, without a message of their own. */
function textOf(error: Error): string {
  if (error instanceof AggregateError) return error.errors.map((one: Error) => one.message).join(", ");
  return error.message;
}

/** Codes of OpenSSL's X.509 verification and of Node.js's own checks. */
function isTls(code: string): boolean {
  return /^(ERR_TLS_|ERR_SSL_|ERR_OSSL_|CERT_|UNABLE_TO_|SELF_SIGNED_|DEPTH_ZERO_|INVALID_CA|HOSTNAME_MISMATCH|EPROTO)/.test(
    code,
  );
}

/** Of an answer that is not 200. status: its body, where that could be read. */
export function answerFailure(
  code: number,
  status: ApiStatus,
  { resource, verb, credentials }: { resource: ApiResource; verb: string; credentials: string },
): ApiFailure {
  const told = status.message || status.reason || "it says no more";
  const retryAfterMs = (status.details?.retryAfterSeconds ?? 0) * 1000;
  switch (code) {
    case 401:
      return new ApiFailure(
        "credentials",
        `the API server refuses our credentials (401, ${told}): renew ${credentials}`,
      );
    case 403:
      return new ApiFailure(
        "forbidden",
        `forbidden (403, ${told}): RBAC must allow verb ${verb} on ${resource.plural} of API group ` +
          `"${groupOf(resource)}", as ClusterRole system:node-proxier does for a proxy's resources`,
      );
    case 404:
      return new ApiFailure("missing", `the API server has no ${resource.plural} in ${resource.apiVersion} (404)`);
    case 410:
      return new ApiFailure("expired", `the version that we knew is gone (410, ${told})`);
    case 429:
      return new ApiFailure("busy", `the API server asks us to wait (429, ${told})`, { retryAfterMs });
    case 400:
    case 422:
      return new ApiFailure("unsupported", `the API server does not take the request (${code}, ${told})`);
    case 504:
      // etcd was restored from a backup: what we know is of a future that will not be (client-go asks anew as well).
      if (told.includes("Too large resource version")) {
        return new ApiFailure("expired", `the API server is behind the version that we knew (504, ${told})`);
      }
      return new ApiFailure("busy", `the API server fails (504, ${told})`, { retryAfterMs });
    default:
      return new ApiFailure("busy", `the API server fails (${code}, ${told})`, { retryAfterMs });
  }
}
