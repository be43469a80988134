// SPDX-License-Identifier: Apache-2.0
// What takes this mode's rules out of a table, and nothing else. Pure.

import type { TableName } from "../netfilter/iptables.ts";
import { removal, targetOf } from "../netfilter/kube-proxy-chains.ts";
import { CANARY, KUBE_PROXY_CANARY } from "../netfilter/own-chains.ts";
import { OWN_JUMP } from "./base-rules.ts";
import { isOwn } from "./listing.ts";

/**
 * rules: as `iptables -S` prints them. Lines of iptables-restore; none where nothing is ours. The chains of kube-proxy's names are
 * ours by our canary; by its own they are a kube-proxy's that was started since, and only what no kube-proxy has goes. So does
 * KUBE-FIREWALL stay, as it does with kube-proxy: the kubelet has the same, and it keeps neighbours off the loopback addresses.
 */
export function ownRemoval(table: TableName, rules: readonly string[]): readonly string[] {
  if (!rules.includes(`-N ${CANARY}`)) return [];
  const handedOver = rules.includes(`-N ${KUBE_PROXY_CANARY}`);
  const own = rules.flatMap((rule) => /^-N (\S+)$/.exec(rule)?.[1] ?? []).filter((chain) => isOwn(chain));
  const others = rules.filter((rule) => !isOwn(/^-A (\S+)/.exec(rule)?.[1] ?? ""));
  const shared = handedOver ? [] : removal(table, others).lines;
  const flushed = new Set(shared.flatMap((line) => /^:(\S+) /.exec(line)?.[1] ?? []));
  const leading = others.filter((rule) => !flushed.has(/^-A (\S+)/.exec(rule)?.[1] ?? ""));
  const held = new Set(leading.flatMap((rule) => targetOf(rule) ?? []));
  const gone = own.filter((chain) => !held.has(chain));
  const jump = `${OWN_JUMP.chain} ${OWN_JUMP.rule}`;
  return [
    ...gone.map((chain) => `:${chain} - [0:0]`),
    ...(handedOver && table === OWN_JUMP.table && rules.includes(`-A ${jump}`) ? [`-D ${jump}`] : []),
    ...shared,
    ...gone.map((chain) => `-X ${chain}`),
  ];
}
