// URLs that mean this machine or its network, in every spelling we know of. `PORT` is where a listener waits that must
// never see a connection.

// biome-ignore format: a table
const LOOPBACK = [
  '127.0.0.1', '127.1', '127.0.1', '127.127.127.127', '127.255.255.254', '0177.0.0.1', '0177.0.0.01', '00000177.1',
  '0x7f.0.0.1', '0x7f.1', '0x7F000001', '0x7f.0x0.0x0.0x1', '2130706433', '017700000001', '127.0.0.1.', '127.1.',
  '0x7f000001.', '%31%32%37.0.0.1', '127%2e0%2e0%2e1', '①②⑦.⓪.⓪.①', '１２７.０.０.１', '127。0。0。1', '127．0．0．1', '127｡0｡0｡1',
  '[::1]', '[0:0:0:0:0:0:0:1]', '[0000:0000:0000:0000:0000:0000:0000:0001]', '[::0.0.0.1]', '[::ffff:127.0.0.1]',
  '[::ffff:7f00:1]', '[0:0:0:0:0:ffff:127.0.0.1]', '[::FFFF:7F00:0001]', '[::127.0.0.1]', '[::ffff:0:127.0.0.1]',
];
// biome-ignore format: a table
const UNSPECIFIED = ['0', '0.0.0.0', '0.0', '0x0', '00', '0.0.0.0.', '[::]', '[0::0]', '[::0.0.0.0]', '[::ffff:0.0.0.0]', '0.1.2.3'];
// biome-ignore format: a table
const NAMES = [
  'localhost', 'LOCALHOST', 'localhost.', 'LocalHost.', 'foo.localhost', 'foo.localhost.', 'localhost.localdomain',
  'ip6-localhost', 'ｌｏｃａｌｈｏｓｔ', 'ⓛocalhost', '%6c%6f%63alhost', 'redis', 'postgres', 'db', 'printer.local', 'metadata',
  'metadata.google.internal', 'metadata.google.internal.', 'instance-data.ec2.internal', 'kubernetes.default.svc.cluster.local',
  'host.docker.internal', 'gateway.docker.internal', 'router.lan', 'nas.home.arpa', 'wiki.intranet',
];
// biome-ignore format: a table
const PRIVATE = [
  '10.0.0.1', '10.255.255.255', '012.0.0.1', '0xa.0.0.1', '167772161', '172.16.0.1', '172.31.255.255', '192.168.0.1',
  '192.168.255.255', '0300.0250.0.1', '3232235521', '100.64.0.1', '100.127.255.255', '[fc00::1]', '[fd00::1]',
  '[fdff:ffff::1]', '[::ffff:10.0.0.1]', '[::ffff:c0a8:1]', '[fec0::1]',
];
// biome-ignore format: a table
const METADATA = [
  '169.254.169.254', '169.254.170.2', '169.254.0.1', '0251.0376.0251.0376', '0xa9fea9fe', '2852039166', '169.254.43518',
  '[fe80::1]', '[fe80::a9fe:a9fe]', '[febf::1]', '[fd00:ec2::254]', '[::ffff:169.254.169.254]', '100.100.100.200',
  '192.0.0.192', '168.63.129.16',
];
// biome-ignore format: a table
const SPECIAL = [
  '192.0.0.1', '192.0.2.1', '192.88.99.1', '198.18.0.1', '198.19.255.255', '198.51.100.1', '203.0.113.1', '224.0.0.1',
  '239.255.255.255', '240.0.0.1', '255.255.255.255', '[ff02::1]', '[ff05::2]', '[64:ff9b::127.0.0.1]', '[64:ff9b::a00:1]',
  '[64:ff9b:1::1]', '[2002:7f00:1::]', '[2002:a00:1::1]', '[2001::1]', '[2001:db8::1]', '[2001:2::1]', '[100::1]',
  '[3fff::1]', '[5f00::1]', '[4000::1]',
];

/** Hosts, as `http://<host>:PORT/`. */
export const INNER_HOSTS = [...LOOPBACK, ...UNSPECIFIED, ...NAMES, ...PRIVATE, ...METADATA, ...SPECIAL];

/** Whole URLs: schemes, parser tricks, ports. */
// biome-ignore format: a table
export const TRICKS = [
  'file:///etc/passwd', 'ftp://127.0.0.1:PORT/', 'gopher://127.0.0.1:PORT/_GET', 'data:text/plain,hello',
  'javascript:fetch("http://127.0.0.1:PORT")', 'ws://127.0.0.1:PORT/', 'unix:/var/run/docker.sock', 'http://unix:/var/run/docker.sock:/info',
  'http+unix://%2Fvar%2Frun%2Fdocker.sock/info', 'dict://127.0.0.1:PORT/', 'ldap://127.0.0.1:PORT/', 'jar:http://127.0.0.1:PORT!/', 'blob:http://127.0.0.1:PORT/x',
  'http://user:pass@127.0.0.1:PORT/', 'http://user:pass@example.com/', 'http://user@example.com/', 'http://example.com@127.0.0.1:PORT/',
  'http://example.com:80@127.0.0.1:PORT/', 'http://127.0.0.1:PORT\\@example.com/', 'http://127.0.0.1:PORT#@example.com/',
  'http://127.0.0.1:PORT?@example.com/', 'http://foo@127.0.0.1:PORT@example.com/', 'http:127.0.0.1:PORT/',
  'http:/127.0.0.1:PORT/', 'http:///127.0.0.1:PORT/', 'http:\\\\127.0.0.1:PORT\\', 'ht\ntp://127.0.0.1:PORT/', 'http://127.0.\t0.1:PORT/',
  ' http://127.0.0.1:PORT/ ', 'HTTP://127.0.0.1:PORT/', '//127.0.0.1:PORT/', '127.0.0.1:PORT', 'http://', 'http://.', 'http://..', 'http://a..b/', '', 'http://127.0.0.1:65536/',
  'http://127.0.0.1:0/', 'http://example.com:0/', 'http://example.com:65536/', 'http://example.com:22/', 'http://example.com:25/', 'http://example.com:5432/',
  'http://example.com:6379/', 'http://example.com:3000/', 'https://example.com:9200/', 'http://[::1%25lo]:PORT/', 'http://[fe80::1%25eth0]/', 'http://[::1', 'http://0x7f.1:PORT/admin/queues',
  'http://127.0.0.1%00.example.com/', 'http://127.0.0.1%0d%0a.example.com/', 'http://1.1.1.1 &@127.0.0.1:PORT/', 'http://localhost%2eexample.com@127.0.0.1:PORT/', 'http://example.com%2F@127.0.0.1:PORT/',
];
