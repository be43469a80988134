// SPDX-License-Identifier: Apache-2.0
// Who we are to which API server: a kubeconfig or what a pod is given, by @kubernetes/client-node. Files are read anew
// for each connection, so that rotated tokens and certificates count without a restart.

import { readFileSync } from "node:fs";
import type { RequestOptions } from "node:https";
import { dirname, resolve } from "node:path";
import { KubeConfig } from "@kubernetes/client-node/dist/config.js";
import * as v from "valibot";
import { parse } from "yaml";
import { ApiFailure } from "./failure.ts";

export interface CredentialOptions {
  /** undefined: the service account's files in a pod. */
  readonly kubeconfig: string | undefined;
  /** URLs that are tried in turn, in place of the kubeconfig's server. */
  readonly servers: readonly string[];
}

export interface Access {
  readonly server: URL;
  /** TLS, headers and agent of a request. */
  readonly options: RequestOptions;
}

export class Credentials {
  readonly #options: CredentialOptions;
  /** Kept while its plugin's credentials are good and the file is as it was. */
  #plugin: { readonly text: string; readonly config: KubeConfig } | undefined;
  #turn = 0;

  constructor(options: CredentialOptions) {
    this.#options = options;
  }

  /** For people: where to look. */
  get place(): string {
    return this.#options.kubeconfig ?? "the pod's service account token";
  }

  /** Throws an ApiFailure of kind credentials when they name no API server. */
  check(): void {
    try {
      this.#serverOf(this.#config());
    } catch (cause) {
      throw this.#failure(cause);
    }
  }

  /** Rejects with an ApiFailure of kind credentials. */
  async access(): Promise<Access> {
    try {
      const config = this.#config();
      const server = this.#serverOf(config);
      const options: RequestOptions = {};
      await config.applyToHTTPSOptions(options);
      return { server, options: withoutSpace(options) };
    } catch (cause) {
      throw this.#failure(cause);
    }
  }

  /** The API server refused them: what a plugin gave is asked for again. */
  refused(): void {
    this.#plugin = undefined;
  }

  /** The server does not answer: the next is asked. */
  nextServer(): void {
    this.#turn++;
  }

  #config(): KubeConfig {
    const { kubeconfig } = this.#options;
    if (kubeconfig !== undefined) return this.#fromFile(kubeconfig);
    const config = new KubeConfig();
    config.loadFromCluster();
    return withToken(config, providerTokenFile(config));
  }

  #serverOf(config: KubeConfig): URL {
    const cluster = config.getCurrentCluster();
    if (!cluster) throw new Error(`current-context ${JSON.stringify(config.getCurrentContext())} names no cluster`);
    const { servers } = this.#options;
    const text = servers[this.#turn % servers.length] ?? cluster.server;
    if (!URL.canParse(text)) throw new Error(`the cluster's server ${JSON.stringify(text)} is no URL`);
    return new URL(text);
  }

  #failure(cause: unknown): ApiFailure {
    const reason = cause instanceof Error ? reasonOf(cause) : String(cause);
    return new ApiFailure("credentials", `${this.place}: ${reason}`, { cause });
  }

  #fromFile(file: string): KubeConfig {
    const text = readFileSync(file, "utf8");
    if (this.#plugin?.text === text) return this.#plugin.config;
    const config = new KubeConfig();
    config.loadFromString(text);
    config.makePathsAbsolute(dirname(resolve(file)));
    const named = tokenFileOf(text, config.getCurrentUser()?.name) ?? providerTokenFile(config);
    withToken(config, named === undefined ? undefined : resolve(dirname(file), named));
    const user = config.getCurrentUser();
    this.#plugin = user?.exec || user?.authProvider ? { text, config } : undefined;
    return config;
  }
}

/** Of what is no YAML the message goes on with the lines around it, which may hold a token. */
function reasonOf({ name, message }: Error): string {
  return name === "YAMLException" ? (message.split("\n", 1)[0] ?? "") : message.trim();
}

/** Of a service account in a pod, or of an auth-provider in a kubeconfig. */
function providerTokenFile(config: KubeConfig): string | undefined {
  return config.getCurrentUser()?.authProvider?.config?.tokenFile;
}

/**
 * The current user with the token that the file holds now. @kubernetes/client-node would read it once a minute by the
 * node's clock: after that is set back, not before the old time has come again.
 */
function withToken(config: KubeConfig, file: string | undefined): KubeConfig {
  const user = config.getCurrentUser();
  if (file === undefined || user === null) return config;
  const { authProvider: _, ...rest } = user;
  const told = { ...rest, token: readFileSync(file, "utf8") };
  config.users = config.users.map((one) => (one.name === user.name ? told : one));
  return config;
}

const USERS = v.object({
  users: v.array(v.object({ name: v.string(), user: v.optional(v.object({ tokenFile: v.optional(v.string()) })) })),
});

/** A user's tokenFile, which @kubernetes/client-node knows nothing of: service accounts' kubeconfigs name it. */
function tokenFileOf(kubeconfig: string, user: string | undefined): string | undefined {
  const { success, output } = v.safeParse(USERS, parse(kubeconfig));
  return success ? output.users.find(({ name }) => name === user)?.user?.tokenFile : undefined;
}

/** Files that hold tokens often end in a newline, which no header may have. */
function withoutSpace(options: RequestOptions): RequestOptions {
  const headers = new Map(Object.entries((options.headers ?? {}) as Readonly<Record<string, string>>));
  const authorization = headers.get("Authorization");
  if (authorization !== undefined) headers.set("Authorization", authorization.trim());
  return { ...options, headers: Object.fromEntries(headers) };
}
