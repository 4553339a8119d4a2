import type { Child } from 'hono/jsx'
import { type Block, type Part, parseSetup, type SetupValues } from './setup.ts'

/** What to paste, and where; a value that is in no snippet has a field of its own to copy from. */
export const Setup = ({ setup, values }: { readonly setup: string; readonly values: SetupValues }) => {
  const blocks = parseSetup(setup)
  return (
    <>
      {(['url', 'token'] as const)
        .filter((name) => !isIn(blocks, name, ['snippet']) && isIn(blocks, name, ['paragraph', 'list']))
        .map((name) => (
          <CopyField name={NAMES[name]}>
            <Value name={name} values={values} />
          </CopyField>
        ))}
      {blocks.map((block, place) =>
        isCaption(block) && block.parts.length === 3 ? null : (
          <SetupBlock block={block} values={values} file={blocks.slice(0, place).findLast(isCaption)?.parts.at(-2)} />
        ),
      )}
    </>
  )
}

const NAMES: Readonly<Record<keyof SetupValues, string>> = { url: 'Address', token: 'Token' }

const partsOf = (block: Block): readonly Part[] => (block.kind === 'list' ? block.items.flat() : block.parts)

function isIn(blocks: readonly Block[], name: keyof SetupValues, kinds: readonly Block['kind'][]): boolean {
  return blocks.some((block) => kinds.includes(block.kind) && partsOf(block).some(({ kind }) => kind === name))
}

type Paragraph = Extract<Block, { readonly kind: 'paragraph' }>

/** Whether a paragraph ends in the file that what follows goes into: a caption, and nothing else, where it is `In <file>:`. */
const isCaption = (block: Block): block is Paragraph => {
  if (block.kind !== 'paragraph') return false
  const [file, end] = block.parts.slice(-2)
  return file?.kind === 'code' && end?.kind === 'text' && end.text === ':'
}

/** Something to copy, under its name. */
const CopyField = ({ name, what = name.toLowerCase(), children }: CopyFieldProps) => (
  <div class="copy" data-copy={`the ${what}`}>
    <p>{name}</p>
    <pre>
      <code>{children}</code>
    </pre>
  </div>
)

const Value = ({ name, values }: { readonly name: keyof SetupValues; readonly values: SetupValues }) => (
  <mark data-secret={name === 'token' ? '' : undefined}>{values[name]}</mark>
)

type CopyFieldProps = { readonly name: string; readonly what?: string; readonly children: Child }
type SetupBlockProps = { readonly block: Block; readonly values: SetupValues; readonly file: Part | undefined }

const SetupBlock = ({ block, values, file }: SetupBlockProps) => {
  if (block.kind === 'snippet')
    return (
      <CopyField name={file?.kind === 'code' ? file.text : 'Paste this'} what="snippet">
        <Parts parts={block.parts} values={values} isInCode />
      </CopyField>
    )
  if (block.kind === 'paragraph')
    return (
      <p>
        <Parts parts={block.parts} values={values} />
      </p>
    )
  return (
    <ul class="dashed">
      {block.items.map((parts) => (
        <li>
          <Parts parts={parts} values={values} />
        </li>
      ))}
    </ul>
  )
}

/** In running text the two values stand for the fields above. */
const Parts = ({
  parts,
  values,
  isInCode = false,
}: {
  readonly parts: readonly Part[]
  readonly values: SetupValues
  readonly isInCode?: boolean
}) => (
  <>
    {parts.map((part) => {
      if (part.kind === 'text') return part.text
      if (part.kind === 'strong') return <em>{part.text}</em>
      if (part.kind === 'code') return isInCode ? part.text : <code>{part.text}</code>
      if (isInCode) return <Value name={part.kind} values={values} />
      return part.kind === 'url' ? <mark>the address</mark> : <mark>the token</mark>
    })}
  </>
)
