import { findMapFaults, MAX_MAPPED_SERVICES, type MapFault, type ServiceMap, type ServiceMapPatch } from '../domain/access/service-map.ts'
import { AppError } from '../domain/errors.ts'
import { isNameLength, MAX_NAME_LENGTH } from '../domain/event/event.ts'
import { toStorableText } from '../domain/text.ts'
import { fingerprint } from './fingerprint.ts'
import type { Form } from './page-request.ts'

const FAULTS: Readonly<Record<MapFault, (line: string) => string>> = {
  entries: () => `At most ${MAX_MAPPED_SERVICES} services can be mapped.`,
  id: (line) => `A sender’s name is 1 to 128 printable characters without an equals sign: ${line}`,
  name: (line) => `A service name is on one line: ${line}`,
  bytes: () => 'The ids and names of the services are too long together.',
}

/** Lines of `<id> = <service>`, in the place of the map that the form showed. Throws `invalid_request` and `conflict`. */
export function readServiceMap({ service_map = '', map_shown }: Form, present: ServiceMap): ServiceMapPatch {
  const wanted = Object.fromEntries(toLines(service_map).map((line) => readMapping(toStorableText(line))))
  const [found] = findMapFaults(wanted)
  if (found) {
    const { fault, id = '' } = found
    throw new AppError('invalid_request', FAULTS[fault](`${id} = ${wanted[id] ?? ''}`))
  }
  if (map_shown !== toMapVersion(present))
    throw new AppError('conflict', 'The services were changed since this form was opened. Open it again and make your changes there.')
  return { ...Object.fromEntries(Object.keys(present).map((id): [string, null] => [id, null])), ...wanted }
}

/** By what a form knows whether the map is still the one that it showed. */
export function toMapVersion(map: ServiceMap): string {
  return fingerprint(JSON.stringify(map))
}

/** A map as lines to edit. */
export function toMapLines(map: ServiceMap): string {
  return Object.entries(map)
    .map(([id, name]) => `${id} = ${name}`)
    .join('\n')
}

function toLines(text: string): string[] {
  return text.split(/[\n\r\u2028\u2029]+/).filter((line) => line.trim() !== '')
}

function readMapping(line: string): readonly [string, string] {
  const [id = '', ...rest] = line.split('=')
  const name = rest.join('=').trim()
  if (name === '') throw new AppError('invalid_request', `Not an "id = service" line: ${line}`)
  if (!isNameLength(name)) throw new AppError('invalid_request', `A name has at most ${MAX_NAME_LENGTH} characters.`)
  return [id.trim(), name]
}
