// SPDX-License-Identifier: Apache-2.0
// Rules with all that those of the drivers are made of, for commands to check.

/** For `nft -c -f -`. */
export const NFT_RULES = `table inet portolan-probe {
  map endpoints4 { typeof numgen random mod 1 : ip daddr . tcp dport; }
  map frontends6 { type ipv6_addr . inet_proto . inet_service : verdict; }
  set clients4 { type ipv4_addr; flags dynamic, timeout; timeout 3h; }
  chain service {
    ip saddr @clients4 update @clients4 { ip saddr }
    meta l4proto tcp dnat ip to numgen random mod 2 offset 1 map @endpoints4
    numgen random mod 2 vmap { 0 : accept, 1 : drop }
  }
  chain prerouting {
    type nat hook prerouting priority dstnat; policy accept;
    ip6 daddr . meta l4proto . th dport vmap @frontends6
    fib daddr type local meta mark set meta mark or 0x4000 goto service
  }
  chain postrouting {
    type nat hook postrouting priority srcnat; policy accept;
    meta mark & 0x4000 != 0 masquerade fully-random
  }
  chain forward {
    type filter hook forward priority filter; policy accept;
    ct state new reject with icmpx admin-prohibited
  }
}
`;

/** For `iptables-restore --test --noflush`, of either family. */
export const IPTABLES_RULES = `*nat
:PORTOLAN-PROBE - [0:0]
-A PORTOLAN-PROBE -m comment --comment probe -m addrtype --dst-type LOCAL -j MARK --or-mark 0x4000
-A PORTOLAN-PROBE -m statistic --mode random --probability 0.5 -j RETURN
-A PORTOLAN-PROBE -m recent --name PORTOLAN-PROBE --rcheck --seconds 10800 --reap -j RETURN
-A PORTOLAN-PROBE -m mark --mark 0x4000/0x4000 -j MASQUERADE --random-fully
COMMIT
*filter
:PORTOLAN-PROBE - [0:0]
-A PORTOLAN-PROBE -m conntrack --ctstate NEW -j REJECT
COMMIT
`;
