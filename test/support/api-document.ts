import { writeApiDescription } from '../../src/api-description.ts'

type Schema = Readonly<Record<string, unknown>>

type MediaType = {
  readonly schema?: Schema
  readonly example?: unknown
  readonly examples?: Readonly<Record<string, { readonly value: unknown }>>
}

type HeaderObject = { readonly required?: boolean; readonly description?: string; readonly schema: Schema }

export type ResponseObject = {
  readonly description: string
  readonly headers?: Readonly<Record<string, HeaderObject | Reference>>
  readonly content?: Readonly<Record<string, MediaType>>
}

type Reference = { readonly $ref: string }

type Parameter = {
  readonly name: string
  readonly in: 'path' | 'query' | 'header'
  readonly required?: boolean
  readonly description?: string
  readonly schema: Schema
}

type OperationObject = {
  readonly operationId: string
  readonly summary?: string
  readonly tags?: readonly string[]
  readonly security?: readonly Readonly<Record<string, unknown>>[]
  readonly parameters?: readonly Parameter[]
  readonly requestBody?: { readonly required?: boolean; readonly content: Readonly<Record<string, MediaType>> }
  readonly responses: Readonly<Record<string, ResponseObject | Reference>>
}

export type ApiDocument = {
  readonly tags: readonly { readonly name: string }[]
  readonly paths: Readonly<Record<string, Readonly<Record<string, OperationObject>>>>
  readonly components: {
    readonly schemas: Readonly<Record<string, Schema>>
    readonly responses: Readonly<Record<string, ResponseObject>>
    readonly headers: Readonly<Record<string, HeaderObject>>
    readonly securitySchemes: Readonly<Record<string, unknown>>
  }
}

export type Operation = {
  readonly method: string
  readonly path: string
  readonly keyType: 'ingest' | 'readonly' | undefined
  readonly spec: OperationObject
}

/** The API's description as it is served. */
export function readApiDocument(): ApiDocument {
  return JSON.parse(writeApiDescription())
}

/** Every operation of the document, and the kind of key it takes. */
export function listOperations({ paths }: ApiDocument): Operation[] {
  return Object.entries(paths).flatMap(([path, methods]) =>
    Object.entries(methods).map(([method, spec]) => {
      const scheme = Object.keys(spec.security?.[0] ?? {})[0]
      const keyType = scheme === undefined || scheme === 'metricsToken' ? undefined : scheme === 'ingestKey' ? 'ingest' : 'readonly'
      return { method: method.toUpperCase(), path, keyType, spec }
    }),
  )
}

/** What a reference of the document stands for. */
export function resolve<Target extends object>(document: ApiDocument, target: Target | Reference): Target {
  if (!('$ref' in target)) return target
  const steps = target.$ref.slice(2).split('/')
  // The public validator has checked that every reference names something of the right kind.
  return steps.reduce<unknown>((value, step) => (value as Record<string, unknown>)[unescapeStep(step)], document) as Target
}

function unescapeStep(step: string): string {
  return step.replaceAll('~1', '/').replaceAll('~0', '~')
}
