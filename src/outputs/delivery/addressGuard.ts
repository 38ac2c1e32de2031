/**
 * Which addresses a delivery may go to (against server-side request forgery). Pure. Guarantees: only globally routable
 * unicast addresses pass; private, loopback, link-local (cloud metadata), carrier, multicast, documentation and
 * translated ones do not, nor IPv4 dressed up as IPv6. Assumes that the address given is the one connected to.
 * @see https://www.iana.org/assignments/iana-ipv4-special-registry, iana-ipv6-special-registry
 */
import { BlockList, isIP } from "node:net";

// Two lists: one list would hold IPv4 addresses against the IPv6 networks too.
const closed4 = new BlockList();
const closed6 = new BlockList();
for (const [network, prefix] of [
  ["0.0.0.0", 8],
  ["10.0.0.0", 8],
  ["100.64.0.0", 10],
  ["127.0.0.0", 8],
  ["169.254.0.0", 16],
  ["172.16.0.0", 12],
  ["192.0.0.0", 24],
  ["192.0.2.0", 24],
  ["192.88.99.0", 24],
  ["192.168.0.0", 16],
  ["198.18.0.0", 15],
  ["198.51.100.0", 24],
  ["203.0.113.0", 24],
  ["224.0.0.0", 3],
] as const) {
  closed4.addSubnet(network, prefix, "ipv4");
}
// Of IPv6 only 2000::/3 is global unicast: that leaves out ::1, mapped IPv4, NAT64, fc00::/7, fe80::/10 and ff00::/8.
for (const [network, prefix] of [
  ["::", 3],
  ["4000::", 2],
  ["8000::", 1],
  ["2001::", 23],
  ["2001:db8::", 32],
  ["2002::", 16],
  ["3fff::", 20],
] as const) {
  closed6.addSubnet(network, prefix, "ipv6");
}

/** `address`: an IP as text, as the resolver gives it. What is not an IP does not pass. */
export function isPublicAddress(address: string): boolean {
  const version = isIP(address);
  if (version === 0 || address.includes("%")) return false;
  return version === 4 ? !closed4.check(address, "ipv4") : !closed6.check(address, "ipv6");
}
