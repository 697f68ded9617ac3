// Where outgoing calls may go, as pure rules: schemes, ports, names and addresses, and what the operator has opened. It
// never looks anything up and opens nothing; who asks is egress/connect.ts, for every hop and every address.

import ipaddr from 'ipaddr.js';

export interface Target {
  /** As `foldHost` writes it: lower case, no brackets, no final dot. */
  host: string;
  port: number;
}

export interface EgressRules {
  /** Ports that are open on every public host. */
  ports: ReadonlySet<number>;
  /** `host` (every port) or `host:port`, host as in `Target`. */
  hosts: ReadonlySet<string>;
  ranges: readonly [ipaddr.IPv4 | ipaddr.IPv6, number][];
}

/** The web's own ports and their usual seconds. Everything else speaks something that HTTP should not be sent to. */
export const WEB_PORTS = [80, 443, 8080, 8443] as const;

/** Names that mean this machine or this network wherever they are asked. */
const INNER_NAMES = /^[^.]+$|(^|\.)(localhost|localdomain|local|internal|intranet|lan|home\.arpa)$/;
/** Public by its number, but Azure answers metadata there to whoever runs on it. */
const METADATA = new Set(['168.63.129.16']);
/** The only part of IPv6 that is given to hosts on the internet. */
const IPV6_INTERNET = ipaddr.IPv6.parseCIDR('2000::/3');

/** Rules from the entries of `HOLDPOINT_EGRESS_ALLOW`; throws an error that names an entry it cannot read. */
export function readEgressRules(allow: readonly string[], ports: readonly number[] = WEB_PORTS): EgressRules {
  const hosts = new Set<string>();
  const ranges: [ipaddr.IPv4 | ipaddr.IPv6, number][] = [];
  for (const entry of allow) {
    if (entry.includes('/') && ipaddr.isValidCIDR(entry)) ranges.push(ipaddr.parseCIDR(entry));
    else hosts.add(readHost(entry));
  }
  return { ports: new Set(ports), hosts, ranges };
}

function readHost(entry: string): string {
  const authority = ipaddr.IPv6.isValid(entry) ? `[${entry}]` : entry;
  const port = /:(\d{1,5})$/.exec(authority.replace(/^\[.*\]/, ''))?.[1];
  const url = URL.canParse(`http://${authority}`) ? new URL(`http://${authority}`) : null;
  const isPlain = url !== null && url.pathname === '/' && url.username === '' && !/[*\s/?#@\\]/.test(entry);
  const host = url === null ? null : foldHost(url.hostname);
  if (!isPlain || host === null)
    throw new Error(
      `HOLDPOINT_EGRESS_ALLOW has "${entry}", which is no host, host:port or CIDR; names are exact, without wildcards`,
    );
  return port === undefined ? host : `${host}:${Number(port)}`;
}

/** A URL's host name in one spelling, or null when a label is missing. The URL parser has decoded it already. */
export function foldHost(hostname: string): string | null {
  const bare = hostname.startsWith('[') ? hostname.slice(1, -1) : hostname;
  const host = bare.endsWith('.') ? bare.slice(0, -1) : bare;
  return host === '' || host.split('.').includes('') ? null : host.toLowerCase();
}

/**
 * What `url` points to, or null when it may not be called whatever its name resolves to. A name that comes through may
 * still resolve to addresses that are refused.
 */
export function findTarget(url: URL, rules: EgressRules): Target | null {
  if (url.protocol !== 'http:' && url.protocol !== 'https:') return null;
  if (url.username !== '' || url.password !== '') return null;
  const host = foldHost(url.hostname);
  if (host === null) return null;
  const target = { host, port: url.port === '' ? (url.protocol === 'https:' ? 443 : 80) : Number(url.port) };
  if (ipaddr.isValid(host)) return mayConnect(host, target, rules) ? target : null;
  // A range may hold what an inner name resolves to, on any port; without one, only the name itself can be open.
  if (isOpened(target, rules) || rules.ranges.length > 0) return target;
  return rules.ports.has(target.port) && !INNER_NAMES.test(host) ? target : null;
}

/** Whether a connection made for `target` may end at `address`. */
export function mayConnect(address: string, target: Target, rules: EgressRules): boolean {
  if (!ipaddr.isValid(address) || target.port < 1) return false;
  if (isOpened(target, rules)) return true;
  const ip = ipaddr.process(address);
  if (isOpened({ host: ip.toString(), port: target.port }, rules)) return true;
  if (rules.ranges.some(([range, bits]) => range.kind() === ip.kind() && ip.match(range, bits))) return true;
  return rules.ports.has(target.port) && isPublic(address);
}

function isOpened({ host, port }: Target, { hosts }: EgressRules): boolean {
  return hosts.has(host) || hosts.has(`${host}:${port}`);
}

/** Whether an address is a host's on the internet: in no special range of IPv4 or IPv6, nor an address inside another. */
function isPublic(address: string): boolean {
  const ip = ipaddr.parse(address);
  if (ip.range() !== 'unicast' || METADATA.has(ip.toString())) return false;
  return ip.kind() === 'ipv4' || ip.match(IPV6_INTERNET);
}
