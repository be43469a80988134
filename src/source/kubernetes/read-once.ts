// SPDX-License-Identifier: Apache-2.0
// The Services of a cluster and their slices as an API server has them now, for a command that looks once.

import { ChangeTracker, type ModelChanges } from "../../model/changes.ts";
import type { SourceProblem } from "../source.ts";
import { ApiClient } from "./client.ts";
import { type CredentialOptions, Credentials } from "./credentials.ts";
import type { ApiFailure } from "./failure.ts";
import { Objects } from "./objects.ts";
import { Reflector } from "./reflector.ts";
import { ALL_SERVICES } from "./resources.ts";

export interface ReadOnceOptions extends CredentialOptions {
  /** Names us in the API server's audit log. */
  readonly userAgent: string;
  readonly onProblem: (problem: SourceProblem) => void;
}

/** Rejects with an ApiFailure: nothing is tried twice. */
export async function readOnce({ userAgent, onProblem, ...options }: ReadOnceOptions): Promise<ModelChanges> {
  const credentials = new Credentials(options);
  credentials.check();
  const client = new ApiClient(credentials, userAgent);
  const changes = new ChangeTracker();
  for (const resource of ALL_SERVICES) {
    const objects = new Objects({ resource, changes, intern: (text) => text, onProblem });
    const stop = new AbortController();
    let failure: ApiFailure | undefined;
    const sink = {
      begin: () => objects.begin(),
      put: objects.put.bind(objects),
      remove: objects.remove.bind(objects),
      commit: () => objects.commit(),
      flush: () => stop.abort(),
      failed: (problem: ApiFailure | undefined) => {
        failure = problem;
        if (problem) stop.abort();
      },
    };
    await new Reflector({ resource, client, sink }).run(stop.signal);
    if (failure) throw failure;
  }
  return changes.take(true);
}
