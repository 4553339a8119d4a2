import { INTEGRATIONS } from '../../domain/access/integration.ts'
import { DOORS } from '../../domain/doors/index.ts'
import type { DoorType } from '../../domain/integration-type.ts'

/** What a sender needs to know. */
export type SetupValues = { readonly url: string; readonly token: string }

/** The values of a door's setup, by its integration's token: the address carries it only where the sender can send no header. */
export function toSetupValues(type: DoorType, origin: string, token: string): SetupValues {
  const { setup } = DOORS[type]
  const path = INTEGRATIONS[type].toPath(token)
  const sendsToken = setup.includes('{{token}}')
  // A sender that has the paths of its own wants the host alone.
  if (setup.includes('{{url}}/')) return { url: origin, token }
  return { url: `${origin}${sendsToken ? path.replace(`/${token}`, '') : path}`, token }
}

export type Part =
  | { readonly kind: 'text' | 'code' | 'strong'; readonly text: string }
  | { readonly kind: keyof SetupValues; readonly isCode: boolean }
export type Block =
  | { readonly kind: 'paragraph'; readonly parts: readonly Part[] }
  | { readonly kind: 'list'; readonly items: readonly (readonly Part[])[] }
  | { readonly kind: 'snippet'; readonly parts: readonly Part[] }

const INDENT = /^ {4}/

/** Takes the Markdown of a door's setup apart: paragraphs, lists, indented code, and in them code, emphasis and the two values. */
export function parseSetup(setup: string): readonly Block[] {
  const blocks: Block[] = []
  for (const lines of groupLines(setup.split('\n'))) {
    const [first = ''] = lines
    if (INDENT.test(first))
      blocks.push({ kind: 'snippet', parts: splitValues(lines.map((line) => line.replace(INDENT, '')).join('\n'), true) })
    else if (first.startsWith('- ')) blocks.push({ kind: 'list', items: lines.map((line) => parseInline(line.slice(2))) })
    else blocks.push({ kind: 'paragraph', parts: parseInline(lines.join(' ')) })
  }
  return blocks
}

function groupLines(lines: readonly string[]): string[][] {
  const groups: string[][] = []
  let kind = ''
  for (const line of lines) {
    const own = line === '' ? '' : INDENT.test(line) ? 'snippet' : line.startsWith('- ') ? 'list' : 'paragraph'
    if (own !== '' && own === kind) groups.at(-1)?.push(line)
    else if (own !== '') groups.push([line])
    kind = own
  }
  return groups
}

function parseInline(text: string): Part[] {
  return text.split(/(`[^`]+`|\*[^*]+\*)/).flatMap((piece): Part[] => {
    if (piece.startsWith('`')) return splitValues(piece.slice(1, -1), true)
    if (/^\*[^*]+\*$/.test(piece)) return [{ kind: 'strong', text: piece.slice(1, -1) }]
    return splitValues(piece, false)
  })
}

function splitValues(text: string, isCode: boolean): Part[] {
  return text.split(/(\{\{(?:url|token)\}\})/).flatMap((piece): Part[] => {
    if (piece === '{{url}}') return [{ kind: 'url', isCode }]
    if (piece === '{{token}}') return [{ kind: 'token', isCode }]
    return piece === '' ? [] : [{ kind: isCode ? 'code' : 'text', text: piece }]
  })
}
