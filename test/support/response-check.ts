import { Ajv2020, type ValidateFunction } from 'ajv/dist/2020.js'
import formats from 'ajv-formats'
import { type ApiDocument, listOperations, type Operation, type ResponseObject, readApiDocument, resolve } from './api-document.ts'

const DOCUMENT = 'openapi.json'
const OWN_HEADER = /^(?:noctuary-|idempoten)/

type ResponseCheck = (method: string, url: string, response: Response) => Promise<void>

/**
 * A check that an answer is one which the API's description allows: its status, its headers, its media type, and its body
 * to the last field. It throws what it found.
 */
function createResponseCheck(document: ApiDocument): ResponseCheck {
  const validate = createValidator(document)
  const operations = listOperations(document).map((operation) => ({ ...operation, pattern: toPattern(operation.path) }))

  return async (method, url, response) => {
    const pathname = withoutDoorsSlash(new URL(url, 'http://localhost').pathname)
    // Other methods are refused in the words of another protocol.
    if (pathname === '/mcp' && method !== 'POST') return
    const operation = findOperation(operations, method, pathname)
    const text = await response.clone().text()
    if (isPreflight(method, response)) return
    const findings = operation
      ? checkOperation(document, validate, operation, method, response, text)
      : checkStray(validate, response, text)
    if (findings.length === 0) return
    const name = operation ? `${method} ${operation.path}` : `${method} ${pathname} (no operation)`
    throw new Error(
      `the answer ${response.status} to ${name} is not what openapi.json says:\n  ${findings.join('\n  ')}\n${text.slice(0, 500)}`,
    )
  }
}

/** Doors take a slash at the end, too. */
function withoutDoorsSlash(pathname: string): string {
  return /^\/(?:in\/|webhooks\/|v1\/logs|v2\/)/.test(pathname) ? pathname.replace(/(?<=.)\/$/, '') : pathname
}

type Validate = (pointer: string, value: unknown) => string[]

/** Validates values against the schema at a JSON pointer of the document. */
export function createValidator(document: ApiDocument): Validate {
  const ajv = new Ajv2020({ strict: false, allErrors: true, validateSchema: false })
  formats(ajv)
  ajv.addSchema(document, DOCUMENT)
  const compiled = new Map<string, ValidateFunction>()

  return (pointer, value) => {
    const validate = compiled.get(pointer) ?? ajv.compile({ $ref: `${DOCUMENT}${pointer}` })
    compiled.set(pointer, validate)
    if (validate(value)) return []
    return (validate.errors ?? []).map(
      ({ instancePath, message, params }) => `${instancePath || 'the body'} ${message} ${JSON.stringify(params)}`,
    )
  }
}

/** A JSON pointer as a URI fragment. */
export function pointTo(...steps: readonly string[]): string {
  return `#${steps.map((step) => `/${encodeURIComponent(step.replaceAll('~', '~0').replaceAll('/', '~1'))}`).join('')}`
}

type Matchable = Operation & { readonly pattern: RegExp }

function findOperation(operations: readonly Matchable[], method: string, pathname: string): Operation | undefined {
  const asked = method === 'HEAD' ? 'GET' : method
  const matching = operations.filter((operation) => operation.method === asked && operation.pattern.test(pathname))
  return matching.find(({ path }) => !path.includes('{')) ?? matching[0]
}

function toPattern(path: string): RegExp {
  return new RegExp(`^${path.replaceAll('.', '\\.').replaceAll(/\{[^}]+\}/g, '[^/]+')}$`)
}

function checkOperation(
  document: ApiDocument,
  validate: Validate,
  { path, method, spec }: Operation,
  asked: string,
  response: Response,
  text: string,
): string[] {
  const declared = spec.responses[response.status]
  if (declared === undefined) return ['its status is not declared']
  const object = resolve<ResponseObject>(document, declared)
  const base = '$ref' in declared ? declared.$ref : pointTo('paths', path, method.toLowerCase(), 'responses', String(response.status))
  return [
    ...checkHeaders(document, validate, base, object, response),
    ...(asked === 'HEAD' ? [] : checkBody(validate, base, Object.keys(object.content ?? {}), response, text)),
  ]
}

function checkHeaders(
  document: ApiDocument,
  validate: Validate,
  base: string,
  { headers = {} }: ResponseObject,
  response: Response,
): string[] {
  const names = new Map(Object.keys(headers).map((name) => [name.toLowerCase(), name]))
  const undeclared = [...response.headers.keys()].filter((name) => OWN_HEADER.test(name) && !names.has(name))
  const wrong = Object.entries(headers).flatMap(([name, declared]) => {
    const header = resolve(document, declared)
    const value = response.headers.get(name)
    if (value === null) return header.required ? [`the header ${name} is missing`] : []
    const pointer = '$ref' in declared ? `${declared.$ref}/schema` : `${base}${pointTo('headers', name, 'schema').slice(1)}`
    return validate(pointer, value).map((finding) => `the header ${name}: ${finding}`)
  })
  return [...undeclared.map((name) => `the header ${name} is not declared`), ...wrong]
}

function checkBody(validate: Validate, base: string, types: readonly string[], response: Response, text: string): string[] {
  const type = response.headers.get('Content-Type')?.split(';', 1)[0]
  if (types.length === 0) return text === '' && type === undefined ? [] : [`it has a body (${type})`]
  if (type === undefined || !types.includes(type)) return [`its media type is ${type}, not ${types.join(' or ')}`]
  if (!type.endsWith('json')) return []
  return validate(`${base}${pointTo('content', type, 'schema').slice(1)}`, JSON.parse(text))
}

/** A browser's question before a request from another origin is answered by no operation. */
function isPreflight(method: string, response: Response): boolean {
  return method === 'OPTIONS' && response.status === 204 && response.headers.has('Access-Control-Allow-Methods')
}

/** What no operation answers is a problem all the same. */
function checkStray(validate: Validate, response: Response, text: string): string[] {
  if (response.status < 400) return ['only a problem can be the answer']
  const type = response.headers.get('Content-Type')
  if (type !== 'application/problem+json') return [`its media type is ${type}`]
  return text === '' ? [] : validate(pointTo('components', 'schemas', 'Problem'), JSON.parse(text))
}

let shared: ResponseCheck | undefined

/** The check against this app's own description, made once a process. */
export function getResponseCheck(): ResponseCheck {
  shared ??= createResponseCheck(readApiDocument())
  return shared
}
