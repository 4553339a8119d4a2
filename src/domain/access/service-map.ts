/** Service names by the outside system's service id. */
export type ServiceMap = Readonly<Record<string, string>>

/** A JSON merge patch (RFC 7396) of a map: `null` removes. */
export type ServiceMapPatch = Readonly<Record<string, string | null>>

/** A sender's name of something: `PIJ90N7`, `acme/checkout`, a flag's key. Its end is an equals sign where people edit a map. */
export const EXTERNAL_ID_PATTERN = /^(?! )[^=\p{C}\p{Zl}\p{Zp}]{1,128}(?<! )$/u

/** How many services an integration maps at most. */
export const MAX_MAPPED_SERVICES = 1_000

/** Bytes of a map's ids and names together, at most: what a page can show and its form can send. */
export const MAX_MAP_BYTES = 40_000

/** What may be wrong: too many entries, an id, a name that takes more than its line, or too many bytes. */
export type MapFault = 'entries' | 'id' | 'name' | 'bytes'

type FoundFault = { readonly fault: MapFault; readonly id?: string }

/**
 * What is wrong with a map, or a patch of one, and with which id. One pair a line is how people edit it. What is removed may
 * have any id: it may be older than the rule.
 */
export function findMapFaults(map: ServiceMapPatch): readonly FoundFault[] {
  const entries = Object.entries(map)
  if (entries.length > MAX_MAPPED_SERVICES) return [{ fault: 'entries' }]
  const faults = entries.flatMap(([id, name]): FoundFault[] => {
    if (name === null) return []
    const hasId = EXTERNAL_ID_PATTERN.test(id)
    const hasLine = !/[\n\r\u2028\u2029]/.test(name)
    return [...(hasId ? [] : [{ fault: 'id' as const, id }]), ...(hasLine ? [] : [{ fault: 'name' as const, id }])]
  })
  return toMapBytes(map) > MAX_MAP_BYTES ? [...faults, { fault: 'bytes' }] : faults
}

/** Bytes, in UTF-8, of a map's ids and names. */
function toMapBytes(map: ServiceMapPatch): number {
  const encoder = new TextEncoder()
  return Object.entries(map).reduce((bytes, [id, name]) => (name === null ? bytes : bytes + encoder.encode(id + name).byteLength), 0)
}
