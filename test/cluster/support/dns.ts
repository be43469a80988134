// SPDX-License-Identifier: Apache-2.0
// Cluster DNS: the real CoreDNS in a pod of the lab, and a client that asks it.
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import type { Lab, SpawnOptions } from "../../../src/demo/lab/lab.ts";
import type { Host } from "../../../src/demo/lab/plan.ts";
import type { LabProcess } from "../../../src/demo/lab/process.ts";
import { until } from "../../support/until.ts";
import { binary } from "./components.ts";

export interface DnsRecord {
  readonly name: string;
  readonly type: string;
  /** As in a zone file. */
  readonly value: string;
}

export interface DnsAnswer {
  /** RCODE of RFC 1035: 0, 3 for a name that is not there. */
  readonly status: number;
  readonly records: readonly DnsRecord[];
}

export interface DnsQuestion {
  readonly server: string;
  readonly name: string;
  readonly type: string;
  readonly tcp?: boolean;
  readonly timeoutMs?: number;
}

/** On port 53 of the pod; lets everybody have the zone. Does not wait for it. */
export function startCoreDns(lab: Lab, pod: Host, kubeconfig: string): LabProcess {
  const file = join(lab.plan.directory, `Corefile-${pod.name}`);
  writeFileSync(
    file,
    `.:53 {
  errors
  kubernetes cluster.local in-addr.arpa ip6.arpa {
    kubeconfig ${kubeconfig}
    pods disabled
  }
  transfer cluster.local {
    to *
  }
}
`,
  );
  return lab.spawn(pod, [binary("coredns"), "-conf", file]);
}

interface Line extends Partial<DnsAnswer> {
  readonly id: number;
  readonly error?: string;
}

export class DnsClient {
  readonly #process: LabProcess;
  readonly #waiting = new Map<number, (line: Line) => void>();
  #next = 1;
  /** Of the process's output, what has been read. */
  #read = 0;

  private constructor(process: LabProcess) {
    this.#process = process;
    process.onChange(() => this.#take());
  }

  static async start(lab: Lab, host: Host, options: SpawnOptions = {}): Promise<DnsClient> {
    const client = lab.spawn(host, ["node", join(import.meta.dirname, "programs/dns-client.mjs")], options);
    await client.waitForOutput(/^ready$/m);
    return new DnsClient(client);
  }

  /** Rejects with the reason why there is no answer. */
  async ask({ timeoutMs = 2000, ...question }: DnsQuestion): Promise<DnsAnswer> {
    if (!this.#process.running) throw new Error(`the DNS client has ended: ${this.#process.stderr}`);
    const id = this.#next++;
    const answered = new Promise<Line>((resolve) => this.#waiting.set(id, resolve));
    this.#process.write(`${JSON.stringify({ id, timeoutMs, ...question })}\n`);
    const { status = 0, records = [], error } = await answered;
    if (error !== undefined) throw new Error(`${question.name} ${question.type} of ${question.server}: ${error}`);
    return { status, records };
  }

  /** Until the server knows the name. */
  async known(question: DnsQuestion): Promise<void> {
    const answered = () =>
      this.ask(question).then(
        ({ records }) => records.length > 0,
        () => false,
      );
    await until(`${question.server} knows ${question.name}`, answered, 60_000);
  }

  #take(): void {
    const { stdout } = this.#process;
    for (let end = stdout.indexOf("\n", this.#read); end >= 0; end = stdout.indexOf("\n", this.#read)) {
      const text = stdout.slice(this.#read, end);
      this.#read = end + 1;
      if (!text.startsWith("{")) continue;
      const line: Line = JSON.parse(text);
      this.#waiting.get(line.id)?.(line);
      this.#waiting.delete(line.id);
    }
  }
}
