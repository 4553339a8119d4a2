export const FOREIGN_METHODS = ['GET', 'HEAD', 'POST', 'PUT', 'PATCH', 'DELETE', 'OPTIONS', 'PROPFIND', 'QUERY', 'get', 'X']

export const NAMES = [
  'checkout',
  'prod/checkout-7d9f8b6c5-x2x9k',
  'cart',
  'Café ☕ 🦉',
  "'; DROP TABLE events; --",
  '%_\\',
  '$&$1',
  '‮',
  'a\u0000b',
  '\ud800',
]

export const HOSTILE_VALUES = [
  ...['null', 'true', '0', '-0', '-1', '1e400', '-1e400', '1e-400', '9007199254740993', '2147483648', '0.1e1', '31536000', '31536001'],
  ...['""', '" "', '"\\u0000"', '"\\ud800"', '"\\udfff\\ud800"', '"\\u202e"', '[]', '{}', '[[]]', '[null]', '{"__proto__":{"polluted":1}}'],
  ...[
    '{"constructor":{"prototype":{"polluted":1}}}',
    '{"toString":1}',
    '{"a":1,"a":2}',
    '"2026-02-30T25:61:61Z"',
    '"+275760-09-13T00:00:00Z"',
  ],
  ...[
    '"0000-01-01T00:00:00Z"',
    '"2026-01-15T10:23:41.123456789+14:00"',
    '"2024-01-15 10:23:41 ACST"',
    '"~victim.agent~"',
    '"~victim.service~"',
  ],
]

export const HOSTILE_KEYS = [
  '__proto__',
  'constructor',
  'prototype',
  'toString',
  'hasOwnProperty',
  'id',
  'tenant_id',
  'expires_at',
  '',
  '\u0000',
  'raw_line',
]

export const HOSTILE_TEXTS = [
  ...[
    '%00',
    '%',
    '%ff',
    '%c3%28',
    '..',
    '.',
    '%2e%2e%2f',
    'a%2fb',
    '%252f',
    '',
    ' ',
    '%20',
    '~victim.agent~',
    '~victim.service~',
    '~victim.api_key~',
  ],
  ...[
    '~victim.integration~',
    '00000000-0000-0000-0000-000000000000',
    'ffffffff-ffff-ffff-ffff-ffffffffffff',
    '%F0%9F%A6%89',
    "'%20OR%201=1--",
    '*',
  ],
  ...[
    '__proto__',
    'undefined',
    'NaN',
    '1e400',
    '-0',
    '-1',
    '9007199254740993',
    'x'.repeat(5_000),
    '2026-01-15T10:30:00Z',
    '2026-01-15T10:30:00+02:00',
  ],
]

export const TIMES = [
  ...[
    '0000-01-01T00:00:00Z',
    '0001-01-01T00:00:00+23:59',
    '9999-12-31T23:59:59.999999999-23:59',
    '+275760-09-13T00:00:00.000Z',
    '-271821-04-20T00:00:00.000Z',
  ],
  ...[
    '1969-12-31T23:59:59Z',
    '2026-02-29T00:00:00Z',
    '2024-02-29T24:00:00Z',
    '2026-06-30T23:59:60Z',
    '2026-01-15 10:23:41 ACST',
    '20260115T102341Z',
    '1768472621',
  ],
]

export const CURSORS = ['0', '1', '-1', '99999999999999999', '9007199254740993', '1768472621000000', '1e9', '']
  .flatMap((instant) => [`${instant}.~own.event~`, `${instant}.~victim.event~`, `${instant}.00000000-0000-0000-0000-000000000000`])
  .map((cursor) => `~base64:${cursor}:~`)

export const IDS = ['agent', 'service', 'api_key', 'integration', 'receiver', 'incident', 'share', 'maintenance', 'event'].flatMap(
  (kind) => [`~own.${kind}~`, `~victim.${kind}~`],
)

/** The id that a path asks for, by the path's second step. */
const PATH_IDS: Readonly<Record<string, readonly string[]>> = {
  agents: ['~own.agent~'],
  services: ['~own.service~'],
  'api-keys': ['~own.api_key~'],
  integrations: ['~own.integration~'],
  incidents: ['~own.incident~'],
  maintenance: ['~own.maintenance~'],
  pagerduty: ['~own.webhook~'],
}

/** The tokens that an honest client may put where a path asks for ids, in their order. */
export function listPathIds(path: string): readonly string[] {
  if (path.startsWith('/in/')) return ['~own.door~']
  if (path.endsWith('/rotate-secret')) return ['~own.receiver~']
  return [...(PATH_IDS[path.split('/')[2] ?? ''] ?? []), ...(path.includes('{share_id}') ? ['~own.share~'] : [])]
}

export const CONTENT_TYPES = [
  ...[
    'application/json',
    'application/json; charset=utf-16',
    'APPLICATION/JSON',
    'application/x-ndjson',
    'text/plain',
    'application/problem+json',
  ],
  ...['', ';', 'application/json, application/json', 'multipart/form-data', 'application/x-www-form-urlencoded', 'x'.repeat(9_000)],
]

export const ODD_HEADERS = [
  ...[
    'Idempotency-Key',
    'Content-Encoding',
    'Content-Type',
    'X-Request-Id',
    'Accept',
    'Accept-Encoding',
    'Origin',
    'Authorization',
    'If-None-Match',
  ],
  ...['X-HTTP-Method-Override', 'X-Forwarded-Host', 'Range', 'Transfer-Encoding', 'Cookie', 'Access-Control-Request-Method'],
]

export const ODD_VALUES = [
  ...[
    '',
    ' ',
    ',',
    ', ,',
    'x'.repeat(256),
    'x'.repeat(20_000),
    'gzip',
    'GZIP',
    'gzip, gzip',
    'identity',
    'br',
    'deflate',
    'null',
    '*',
    'DELETE',
    'chunked',
  ],
  ...[
    'ÿþ',
    'Bearer',
    'Bearer ',
    'Bearer x',
    'Basic eDp5',
    'key-1',
    'https://evil.example',
    'bytes=0-1',
    '"',
    '\\',
    '1, 2',
    'application/json',
  ],
]
