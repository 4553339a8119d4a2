import { getContext } from 'hono/context-storage'
import type { Child } from 'hono/jsx'
import type { EventDetails } from '../domain/event/event.ts'
import { isolate, isWebAddress } from '../domain/text.ts'
import { fingerprint } from './fingerprint.ts'
import { toAge, toExact, toShown } from './labels.ts'
import type { PageEnv } from './page-env.ts'

/** How long ago something was; the exact instant on hover. */
export const Age = ({ at, now }: { readonly at: Date; readonly now: Date }) => (
  <time datetime={at.toISOString()} title={toExact(at)} data-age="">
    {toAge(at, now)}
  </time>
)

/** An instant, to the second. */
export const Exact = ({ at }: { readonly at: Date }) => <time datetime={at.toISOString()}>{toExact(at)}</time>

/** What viewers, who would be refused, are not offered. */
export const ForManagers = ({ children, otherwise = null }: { readonly children: Child; readonly otherwise?: Child }) => (
  <>{getContext<PageEnv>().get('principal').keyType === 'viewer' ? otherwise : children}</>
)

const MAX_NAME = 120

/** Text that came from outside: it cannot turn the text around it, nor go on for ever. */
export const Outside = ({ children, max = MAX_NAME }: { readonly children: string; readonly max?: number }) => (
  <bdi>{toShown(children, max)}</bdi>
)

const MAX_SENTENCE = 600

/** A sentence of ours with names and quotations from outside in it, which cannot turn each other around either. */
export const Sentence = ({ children, max = MAX_SENTENCE }: { readonly children: string; readonly max?: number }) => (
  <bdi>{isolate(toShown(children, max))}</bdi>
)

const MAX_LISTED = 5

type Besides = {
  readonly environment?: string | null | undefined
  readonly url?: string | null | undefined
  readonly details?: EventDetails | null | undefined
}

/** What an event tells besides its values: where it happened unless in production, what was done to what, and where to read on. */
export const Besides = ({ event: { environment = null, url = null, details = null } }: { readonly event: Besides }) => (
  <>
    {environment !== null && environment !== 'production' && (
      <>
        {' '}
        <span class="badge plain">
          <Outside>{environment}</Outside>
        </span>
      </>
    )}
    {details?.title !== undefined && (
      <>
        {' '}
        <Outside>{details.title}</Outside>
      </>
    )}
    <Listed name="Files" of={details?.files} />
    <Listed name="Keys" of={details?.keys} />
    {url !== null && (
      <>
        {' '}
        <Address url={url} />
      </>
    )}
  </>
)

const Listed = ({ name, of = [] }: { readonly name: string; readonly of: readonly string[] | undefined }) =>
  of.length === 0 ? null : (
    <span class="quiet small">
      {' '}
      {name}: <Outside max={300}>{of.slice(0, MAX_LISTED).join(', ')}</Outside>
      {of.length > MAX_LISTED && `, and ${of.length - MAX_LISTED} more`}
    </span>
  )

/** An address from outside, to be followed only where a browser opens a page by it. */
const Address = ({ url }: { readonly url: string }) =>
  isWebAddress(url) ? (
    <a class="small" href={url} rel="noreferrer noopener">
      <Outside>{new URL(url).host}</Outside>
    </a>
  ) : (
    <span class="small">
      <Outside>{url}</Outside>
    </span>
  )

export type BadgeKind = 'good' | 'bad' | 'warn' | 'accent' | 'neutral'

/** Instead of a dot, before a word about a state. */
const SIGNS = {
  none: '',
  up: 'M2.5 9.5 9.5 2.5M4.5 2.5H9.5V7.5',
  check: 'M1.5 6.5 4.5 9.5 10.5 2.5',
  cross: 'M2 2 10 10M10 2 2 10',
} as const

type BadgeProps = {
  readonly kind?: BadgeKind
  readonly hollow?: boolean
  readonly sign?: keyof typeof SIGNS | undefined
  readonly children: string
}

/** A word about a state. */
export const Badge = ({ kind = 'neutral', hollow = false, sign, children }: BadgeProps) => (
  <span class={`badge ${kind}${hollow ? ' hollow' : ''}${sign === undefined ? '' : ' plain'}`}>
    {sign !== undefined && sign !== 'none' && (
      <svg viewBox="0 0 12 12" aria-hidden="true">
        <path d={SIGNS[sign]} />
      </svg>
    )}
    {children}
  </span>
)

/** The part of a page that a script may replace by a newer one. `news` is what is then said aloud. */
export const Live = ({
  id,
  of,
  news,
  soon = false,
  children,
}: {
  readonly id: string
  readonly of: unknown
  readonly news: string
  /** Somebody waits for it. */
  readonly soon?: boolean
  readonly children: Child
}) => (
  <div id={id} class="live" data-live={news} data-soon={soon ? '' : undefined} data-state={fingerprint(JSON.stringify(of))}>
    {children}
  </div>
)

/** What a form did, on the page after it. */
const NOTICES: Readonly<Record<string, string>> = {
  confirmed: 'Marked as confirmed.',
  rejected: 'Marked as wrong.',
  corrected: 'What it was is saved.',
  reconsidered: 'What was said of the answer is taken back.',
  resolved: 'The incident is resolved.',
  unshared: 'The link is revoked: it lets nobody in any more.',
  listed: 'They are listed.',
  unlisted: 'They are listed no more.',
  muted: 'Maintenance has begun: what begins now is told to nobody.',
  unmuted: 'The maintenance has ended: what begins now is told again.',
  revoked: 'The key is revoked: no request with it succeeds any more.',
  declared: 'The declared dependencies are saved.',
  assigned: 'It is saved whose the service is.',
  saved: 'The integration is saved.',
  replaced: 'There is another token; the old one is dead. Paste the new one.',
  tested: 'The test message was taken.',
  rotated: 'The integration has another webhook URL; the old one is dead.',
  deleted: 'The integration is deleted; its webhook is dead.',
  signed_out: 'You are signed out.',
}

/** Says what was done, if this page comes after a form. */
export const Notice = ({ done }: { readonly done: string | undefined }) => {
  const text = done === undefined ? undefined : NOTICES[done]
  return text === undefined ? null : (
    <p class="notice good" role="status">
      {text}
    </p>
  )
}

/** A button that asks once more, without a script. */
export const Sure = ({
  label,
  action,
  button,
  fields = {},
  children,
}: {
  readonly label: string
  readonly action: string
  readonly button: string
  readonly fields?: Readonly<Record<string, string>>
  readonly children: Child
}) => (
  <ForManagers>
    <details class="sure">
      <summary>{label}</summary>
      <form method="post" action={action}>
        {Object.entries(fields).map(([name, value]) => (
          <input type="hidden" name={name} value={value} />
        ))}
        <p class="small">{children}</p>
        <button type="submit" class="bad minor">
          {button}
        </button>
      </form>
    </details>
  </ForManagers>
)

type WaitProps = {
  readonly title: string
  /** A sign that does not turn; `undefined`: something is under way. */
  readonly path?: string
  readonly tone?: string
  readonly more: Child
  readonly children?: Child
}

/** What is under way, or how it ended, and what can be done about it. */
export const Wait = ({ title, path, tone = '', more, children }: WaitProps) => (
  <div class={`wait ${tone}`}>
    <svg viewBox="0 0 24 24" aria-hidden="true">
      <path class={path === undefined ? 'turn' : undefined} d={path ?? 'M12 3A9 9 0 1 1 3 12'} />
    </svg>
    <div>
      <h3>{title}</h3>
      <p class="small">{more}</p>
    </div>
    {children}
  </div>
)

type ChoiceProps<Value extends string> = {
  readonly legend: string
  readonly name: string
  readonly options: readonly { readonly value: Value; readonly label: string; readonly hint?: string }[]
  readonly chosen: Value
}

/** One of a few to choose, each with what it means. */
export const Choice = <Value extends string>({ legend, name, options, chosen }: ChoiceProps<Value>) => (
  <fieldset>
    <legend>{legend}</legend>
    {options.map(({ value, label, hint }) => (
      <div>
        <input type="radio" id={`${name}-${value}`} name={name} value={value} checked={value === chosen} />{' '}
        <label for={`${name}-${value}`}>
          {label}
          {hint !== undefined && <span class="hint"> {hint}</span>}
        </label>
      </div>
    ))}
  </fieldset>
)

/** A command or a secret to copy. */
export const Code = ({ what, children }: { readonly what: string; readonly children: string }) => (
  <div class="code" data-copy={what}>
    <code>{children}</code>
  </div>
)

const SETTINGS = [
  ['/settings/keys', 'API keys'],
  ['/settings/people', 'People'],
  ['/settings/integrations', 'Integrations'],
  ['/settings/maintenance', 'Maintenance'],
  ['/settings/quality', 'Quality'],
  ['/settings/audit', 'Audit'],
] as const

/** The head of a page of the settings: its name, and the way to the others. */
export const SettingsHead = ({ at }: { readonly at: (typeof SETTINGS)[number][0] }) => (
  <>
    <h1>{SETTINGS.find(([path]) => path === at)?.[1]}</h1>
    <nav class="tabs" aria-label="Settings">
      {SETTINGS.map(([path, name]) => (
        <a href={path} aria-current={path === at ? 'page' : undefined}>
          {name}
        </a>
      ))}
    </nav>
  </>
)

type TableProps = {
  readonly heads: readonly Child[]
  readonly isFeed?: boolean
  /** It has bodies, not rows. */
  readonly isParted?: boolean
  readonly children: Child
}

/** A table that folds into rows where it is narrow; of a feed the first two columns, time and kind, stay beside each other. */
export const Table = ({ heads, isFeed = false, isParted = false, children }: TableProps) => (
  <div class="scroll">
    <table class={isFeed ? 'fold feed' : 'fold'}>
      <thead>
        <tr>
          {heads.map((head) => (
            <th scope="col">{head}</th>
          ))}
        </tr>
      </thead>
      {isParted ? children : <tbody>{children}</tbody>}
    </table>
  </div>
)

/** A list's filter: on a phone one folded line that says what is filtered. */
export const Filters = ({ says, children }: { readonly says: string; readonly children: Child }) => (
  <details class="filters">
    <summary>Filter: {says}</summary>
    {children}
  </details>
)

/** Leads from a page of a list to its neighbours. */
export const Pages = ({
  first,
  next,
  name = 'Older',
}: {
  readonly first: string | undefined
  readonly next: string | undefined
  readonly name?: string
}) =>
  first === undefined && next === undefined ? null : (
    <nav class="pages" aria-label="Pages">
      {first !== undefined && (
        <a class="button" href={first} rel="first">
          First page
        </a>
      )}
      {next !== undefined && (
        <a class="button" href={next} rel="next">
          {name}
        </a>
      )}
    </nav>
  )

/** The same path with other query parameters; what is empty is left out. */
export function withQuery(path: string, query: Readonly<Record<string, string | undefined>>): string {
  const entries = Object.entries(query).flatMap(([name, value]) => (value ? [[name, value]] : []))
  return entries.length === 0 ? path : `${path}?${new URLSearchParams(entries)}`
}
