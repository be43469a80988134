// SPDX-License-Identifier: Apache-2.0
// What an API server has of some resources now, for a command that looks once.

import { ChangeTracker, type ModelChanges } from "../../model/changes.ts";
import type { SourceProblem } from "../source.ts";
import { ApiClient } from "./client.ts";
import { type CredentialOptions, Credentials } from "./credentials.ts";
import type { ApiFailure } from "./failure.ts";
import { Objects } from "./objects.ts";
import { Reflector } from "./reflector.ts";
import type { Resource } from "./resources.ts";

export interface ReadOnceOptions extends CredentialOptions {
  readonly resources: readonly Resource[];
  /** Names us in the API server's audit log. */
  readonly userAgent: string;
  readonly onProblem: (problem: SourceProblem) => void;
}

/** Rejects with an ApiFailure: nothing is tried twice. What an agent does without too is a warning. */
export async function readOnce({
  resources,
  userAgent,
  onProblem,
  ...options
}: ReadOnceOptions): Promise<ModelChanges> {
  const credentials = new Credentials(options);
  credentials.check();
  const client = new ApiClient(credentials, userAgent);
  const changes = new ChangeTracker();
  for (const resource of resources) {
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
    if (!failure) continue;
    const refused = failure.kind === "forbidden" || failure.kind === "missing";
    if (!refused || resource.without === undefined) throw failure;
    const message = `${failure.message}; done without ${resource.without}`;
    onProblem({ severity: "warning", place: `API server, ${resource.plural}`, message });
  }
  return changes.take(true);
}
