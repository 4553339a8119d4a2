import { gzipSync } from 'node:zlib'
import fc from 'fast-check'
import { type ApiDocument, type Operation, resolve } from './api-document.ts'
import {
  CONTENT_TYPES,
  CURSORS,
  FOREIGN_METHODS,
  HOSTILE_KEYS,
  HOSTILE_TEXTS,
  HOSTILE_VALUES,
  IDS,
  listPathIds,
  NAMES,
  ODD_HEADERS,
  ODD_VALUES,
  TIMES,
} from './fuzz-values.ts'

/** A request as it can be printed and replayed: ids are tokens such as `~own.agent~`, bodies recipes. */
export type FuzzedRequest = {
  readonly method: string
  readonly path: string
  readonly headers: readonly (readonly [string, string])[]
  readonly body: FuzzedBody | undefined
}

type FuzzedBody = {
  readonly recipe:
    | { readonly kind: 'text'; readonly text: string }
    /** One character a byte. */
    | { readonly kind: 'bytes'; readonly latin1: string }
    | { readonly kind: 'repeated'; readonly before: string; readonly unit: string; readonly times: number; readonly after: string }
  readonly zip: 'no' | 'whole' | 'cut' | 'spoiled'
}

type Schema = Readonly<Record<string, unknown>>

/** Requests to one operation: from its example and its schemas, mutated, and now and then out of all proportion. */
export function fuzzOperation(document: ApiDocument, { method, path, keyType, spec }: Operation): fc.Arbitrary<FuzzedRequest> {
  return fc.record({
    method: mostly(12, method, fc.constantFrom(...FOREIGN_METHODS)),
    path: fuzzPath(
      path,
      (spec.parameters ?? []).filter((parameter) => parameter.in === 'query'),
    ),
    headers: fuzzHeaders(keyType),
    body: spec.requestBody ? fuzzBody(document, spec.requestBody.content) : fc.option(anyBody(), { freq: 4, nil: undefined }),
  })
}

function fuzzPath(template: string, query: readonly { readonly name: string; readonly schema: Schema }[]): fc.Arbitrary<string> {
  const fitting = listPathIds(template)
  const id = fc.oneof(fc.constantFrom(...fitting, ...IDS), fc.constantFrom(...fitting, ...IDS.slice(0, 1)), oddText())
  const filled = fc
    .tuple(...template.split(/(\{\w+\})/).map((part) => (part.startsWith('{') ? id : fc.constant(part))))
    .map((parts) => parts.join(''))
  const twisted = fc
    .tuple(
      filled,
      fc.constantFrom('//', '/./', '/%2f', '/x/../', '/%00/', '\\'),
      fc.constantFrom('', '/', '//', '%20', ';x=1', '.json', '/..', '%0d%0a'),
    )
    .map(([whole, start, end]) => `${start}${whole.slice(1)}${end}`)
  const known = query.map(({ name, schema }) => fc.tuple(fc.constant(name), fc.oneof(queryValue(name, schema), oddText())))
  const pair = fc.oneof(...known, fc.tuple(fc.constantFrom('x', '__proto__', 'constructor', '%', 'limit[]'), oddText()))
  const search = fc.array(pair, { maxLength: 3 }).map((pairs) => pairs.map(([name, value]) => `${name}=${value}`).join('&'))
  return fc.tuple(mostly(10, filled, twisted), search).map(([whole, text]) => (text === '' ? whole : `${whole}?${text}`))
}

function queryValue(name: string, schema: Schema): fc.Arbitrary<string> {
  const values = schema['enum']
  if (Array.isArray(values)) return fc.constantFrom(...values.map(String))
  if (name === 'cursor') return fc.constantFrom(...CURSORS)
  if (name === 'limit') return fc.integer({ min: -1, max: 101 }).map(String)
  return fc.oneof(
    fc.constantFrom(...TIMES.map(encodeURIComponent), 'checkout'),
    fc.date({ noInvalidDate: true }).map((date) => date.toISOString()),
  )
}

function oddText(): fc.Arbitrary<string> {
  return fc.oneof(
    fc.constantFrom(...HOSTILE_TEXTS),
    fc.string({ unit: 'binary', maxLength: 20 }).map((text) => encodeURIComponent(text.toWellFormed())),
  )
}

function fuzzHeaders(keyType: Operation['keyType']): fc.Arbitrary<[string, string][]> {
  const right = `Bearer ~own.${keyType ?? 'readonly'}~`
  const wrong = [
    'Bearer ~own.ingest~',
    'Bearer ~own.readonly~',
    'bearer   ~own.readonly~',
    'Basic ~own.readonly~',
    'Bearer ~own.ingest~, Bearer ~own.readonly~',
    '',
  ]
  const authorization = mostly(15, right, fc.constantFrom(...wrong)).map((value): [string, string] => ['Authorization', value])
  const type = mostly(10, 'application/json', fc.constantFrom(...CONTENT_TYPES)).map((value): [string, string] => ['Content-Type', value])
  const odd = fc.tuple(fc.constantFrom(...ODD_HEADERS), fc.constantFrom(...ODD_VALUES))
  return fc
    .tuple(authorization, type, mostly(3, [], fc.array(odd, { maxLength: 4 })))
    .map(([first, second, others]) => [first, second, ...others])
}

function fuzzBody(
  document: ApiDocument,
  content: Readonly<Record<string, { readonly schema?: Schema; readonly example?: unknown }>>,
): fc.Arbitrary<FuzzedBody | undefined> {
  const json = content['application/json']
  if (json === undefined) return fc.option(anyBody(), { nil: undefined })
  const schema = json.schema ?? {}
  const text = fc.oneof(
    { weight: 6, arbitrary: mutated(document, schema, json.example) },
    { weight: 3, arbitrary: textOf(document, schema, 3) },
  )
  const shaped = fc.record({
    recipe: text.map((value) => ({ kind: 'text' as const, text: value })),
    zip: mostly(8, 'no' as const, fc.constantFrom('whole' as const, 'cut' as const, 'spoiled' as const)),
  })
  return mostly(6, shaped, fc.option(anyBody(), { nil: undefined }))
}

/** Bodies that no schema describes. */
function anyBody(): fc.Arbitrary<FuzzedBody> {
  const bytes = fc.uint8Array({ maxLength: 64 }).map((array) => ({ kind: 'bytes' as const, latin1: String.fromCharCode(...array) }))
  const spoilt = fc.constantFrom(
    '{"hostname":"a\xff\xc3"}',
    '{"name":"\xed\xa0\x80"}',
    '\xef\xbb\xbf{}',
    '\xff\xfe{\x00}\x00',
    '{"key_type":"ingest\xc0\x80"}',
  )
  const text = fc.oneof(
    fc.constantFrom(...HOSTILE_VALUES),
    fc.constantFrom('', ' ', '{', '{"a":', '\u2028', '{}{}', '{}\n{}', 'NaN', '[1,]'),
    fc.json(),
  )
  const repeated = fc.constantFrom(
    { before: '', unit: '[', times: 50_000, after: '' },
    { before: '', unit: '{"a":', times: 50_000, after: '1' },
    { before: '[', unit: '[],', times: 20_000, after: '[]]' },
    { before: '[', unit: '0,', times: 499, after: '0]' },
    { before: '{"hostname":"', unit: 'x', times: 1_048_000, after: '"}' },
    { before: '{"hostname":"', unit: '\\u0000', times: 170_000, after: '"}' },
    { before: '"', unit: 'é', times: 524_287, after: '"' },
    { before: '', unit: '\n', times: 1_048_576, after: '' },
    { before: '', unit: ' ', times: 1_048_577, after: '' },
  )
  return fc.record({
    recipe: fc.oneof(
      text.map((value) => ({ kind: 'text' as const, text: value })),
      fc.oneof(
        bytes,
        spoilt.map((latin1) => ({ kind: 'bytes' as const, latin1 })),
      ),
      repeated.map((parts) => ({ kind: 'repeated' as const, ...parts })),
    ),
    zip: mostly(5, 'no' as const, fc.constantFrom('whole' as const, 'cut' as const, 'spoiled' as const)),
  })
}

/** The example as JSON text with some of its fields changed, left out or joined by others. */
function mutated(document: ApiDocument, schema: Schema, example: unknown): fc.Arbitrary<string> {
  const target = resolve<Schema>(document, schema)
  if (Array.isArray(example)) {
    const item = mutated(document, (target['items'] ?? {}) as Schema, example[0])
    return fc.array(item, { maxLength: 4 }).map((items) => `[${items.join(',')}]`)
  }
  if (typeof example !== 'object' || example === null) return textOf(document, schema, 2)
  const properties = (target['properties'] ?? {}) as Readonly<Record<string, Schema>>
  const names = [...new Set([...Object.keys(example), ...Object.keys(properties)])]
  const values: Readonly<Record<string, unknown>> = { ...example }
  const members = names.map((name) => {
    const kept = values[name] === undefined ? fc.constant(undefined) : fc.constant(JSON.stringify(values[name]))
    const times = name === 'timestamp' ? TIMES.map((time) => JSON.stringify(time)) : []
    const other = fc.oneof(
      textOf(document, properties[name] ?? {}, 2),
      fc.constantFrom(...HOSTILE_VALUES, ...times),
      fc.constant(undefined),
    )
    return mostly(7, kept, other).map((value) => (value === undefined ? [] : [`${JSON.stringify(name)}:${value}`]))
  })
  return fc.tuple(fc.tuple(...members), mostly(3, [], strangers())).map(([own, others]) => `{${[...own.flat(), ...others].join(',')}}`)
}

function strangers(): fc.Arbitrary<string[]> {
  const member = fc
    .tuple(fc.constantFrom(...HOSTILE_KEYS), fc.constantFrom(...HOSTILE_VALUES))
    .map(([key, value]) => `${JSON.stringify(key)}:${value}`)
  return fc.array(member, { minLength: 1, maxLength: 3 })
}

/** JSON text of a value that a schema describes, more or less. */
function textOf(document: ApiDocument, schema: Schema, depth: number): fc.Arbitrary<string> {
  const target = resolve<Schema>(document, schema)
  const values = target['enum']
  if (Array.isArray(values)) return fc.constantFrom(...values.map((value) => JSON.stringify(value)))
  const [type] = [target['type']].flat()
  if (type === 'string') return fc.oneof(fc.constantFrom(...NAMES), codeUnits()).map((text) => JSON.stringify(text))
  if (type === 'integer') return fc.integer({ min: -1, max: 100_000 }).map(String)
  if (type === 'number') return fc.double({ min: -0.5, max: 1.5, noNaN: true }).map(String)
  if (type === 'array' && depth > 0)
    return fc.array(textOf(document, (target['items'] ?? {}) as Schema, depth - 1), { maxLength: 3 }).map((items) => `[${items.join(',')}]`)
  if (type === 'object' && depth > 0) return objectText(document, target, depth - 1)
  return fc.constantFrom(...HOSTILE_VALUES)
}

function objectText(document: ApiDocument, schema: Schema, depth: number): fc.Arbitrary<string> {
  const properties = Object.entries((schema['properties'] ?? {}) as Readonly<Record<string, Schema>>)
  const members = properties.map(([name, property]) =>
    fc
      .option(textOf(document, property, depth), { nil: undefined, freq: 8 })
      .map((value) => (value === undefined ? [] : [`${JSON.stringify(name)}:${value}`])),
  )
  const entry = fc.tuple(
    fc.oneof(fc.constantFrom(...HOSTILE_KEYS), codeUnits()),
    textOf(document, (schema['additionalProperties'] ?? {}) as Schema, depth),
  )
  const further =
    typeof schema['additionalProperties'] === 'object'
      ? fc.array(
          entry.map(([key, value]) => `${JSON.stringify(key)}:${value}`),
          { maxLength: 3 },
        )
      : mostly(3, [], strangers())
  return fc.tuple(fc.tuple(...members), further).map(([own, others]) => `{${[...own.flat(), ...others].join(',')}}`)
}

/** Text of any UTF-16 code units, lone surrogates among them, and now and then too long for a name. */
function codeUnits(): fc.Arbitrary<string> {
  const unit = fc.oneof(fc.integer({ min: 0, max: 0xffff }), fc.integer({ min: 0x20, max: 0x7e })).map((code) => String.fromCharCode(code))
  return mostly(
    9,
    fc.string({ unit, maxLength: 20 }),
    fc.constantFrom('x'.repeat(512), '🦉'.repeat(512), '🦉'.repeat(513), 'é'.repeat(30_000)),
  )
}

/** The first value or arbitrary `weight` times as often as the other. */
function mostly<Value>(weight: number, usual: Value | fc.Arbitrary<Value>, other: fc.Arbitrary<Value>): fc.Arbitrary<Value> {
  const arbitrary = usual instanceof fc.Arbitrary ? usual : fc.constant(usual)
  return fc.oneof({ weight, arbitrary }, { weight: 1, arbitrary: other })
}

/** A text of a fuzzed request with its tokens replaced. */
export function fill(text: string, tokens: ReadonlyMap<string, string>): string {
  return text
    .replaceAll(/~[a-z_.]+~/g, (token) => tokens.get(token) ?? token)
    .replaceAll(/~base64:(.*?):~/g, (_, plain: string) => encodeURIComponent(btoa(plain)))
}

/** The request itself, its tokens replaced; `undefined` when no HTTP client could send it. */
export function toRequest({ method, path, headers, body }: FuzzedRequest, tokens: ReadonlyMap<string, string>): Request | undefined {
  const fillIn = (text: string) => fill(text, tokens)
  try {
    const list = new Headers()
    for (const [name, value] of headers) list.append(name, fillIn(value))
    if (body !== undefined && body.zip !== 'no') list.set('Content-Encoding', 'gzip')
    const hasBody = body !== undefined && !['GET', 'HEAD'].includes(method.toUpperCase())
    return new Request(`http://localhost${fillIn(path)}`, { method, headers: list, ...(hasBody ? { body: toBytes(body, fillIn) } : {}) })
  } catch {
    return undefined
  }
}

function toBytes({ recipe, zip }: FuzzedBody, fill: (text: string) => string): Uint8Array<ArrayBuffer> {
  const bytes = recipe.kind === 'bytes' ? Buffer.from(recipe.latin1, 'latin1') : Buffer.from(fill(toText(recipe)))
  if (zip === 'no') return new Uint8Array(bytes)
  const zipped = gzipSync(bytes)
  if (zip === 'cut') return new Uint8Array(zipped.subarray(0, -5))
  if (zip === 'spoiled') zipped[Math.floor(zipped.length / 2)] = 0x55
  return new Uint8Array(zipped)
}

function toText(recipe: Exclude<FuzzedBody['recipe'], { kind: 'bytes' }>): string {
  return recipe.kind === 'text' ? recipe.text : recipe.before + recipe.unit.repeat(recipe.times) + recipe.after
}
