import { html } from 'hono/html'
import type { Child } from 'hono/jsx'
import type { ContentfulStatusCode } from 'hono/utils/http-status'
import { ASSETS } from '#dashboard-assets'
import { toPrintable } from '../domain/text.ts'
import { VERSION } from '../version.ts'
import type { PageContext } from './page-env.ts'

type Tab = 'incidents' | 'changes' | 'services' | 'connect' | 'settings' | 'search'

type PageOptions = {
  readonly title: string
  readonly now: Date
  /** Which part of the site the page belongs to; `undefined` where nobody is signed in. */
  readonly tab?: Tab | undefined
  readonly status?: ContentfulStatusCode
  /** What was searched for. */
  readonly query?: string
}

const TABS: readonly { readonly tab: Tab; readonly path: string; readonly name: string }[] = [
  { tab: 'incidents', path: '/incidents', name: 'Incidents' },
  { tab: 'changes', path: '/changes', name: 'Changes' },
  { tab: 'services', path: '/services', name: 'Services' },
  { tab: 'connect', path: '/connect', name: 'Connect' },
  { tab: 'settings', path: '/settings/keys', name: 'Settings' },
]

/** Answers a whole page around its content. */
export function renderPage(
  c: PageContext,
  { title, now, tab, status = 200, query = '' }: PageOptions,
  content: Child,
): Response | Promise<Response> {
  const nonce = c.get('secureHeadersNonce')
  const page = (
    <html lang="en" data-now={now.toISOString()}>
      <head>
        <meta charset="utf-8" />
        <meta name="viewport" content="width=device-width, initial-scale=1" />
        <meta name="color-scheme" content="light dark" />
        <meta name="robots" content="noindex" />
        <title>{toPrintable(title)} · Noctuary</title>
        <link rel="icon" type="image/svg+xml" href={ASSETS.icon.path} />
        <link rel="stylesheet" href={ASSETS.style.path} nonce={nonce} />
        <script src={ASSETS.script.path} nonce={nonce} defer />
      </head>
      <body>
        <a class="skip" href="#main">
          Skip to content
        </a>
        <Bar tab={tab} query={query} />
        <main id="main" tabindex={-1}>
          {content}
        </main>
        <footer class="foot">
          <span>Noctuary {VERSION}</span>
          <a href="/docs">Manual</a>
          <a href="/docs/api">API</a>
          <span>All times are UTC</span>
          <span id="status" role="status" />
          {tab && (
            <form method="post" action="/signout">
              <button type="submit" class="bare minor" title={c.get('principal')?.email}>
                Sign out
              </button>
            </form>
          )}
        </footer>
      </body>
    </html>
  )
  return c.html(html`<!doctype html>${page}`, status)
}

type BarProps = { readonly tab: Tab | undefined; readonly query: string }

const Bar = ({ tab, query }: BarProps) => (
  <header class="bar">
    <div>
      <a class="brand" href="/">
        <svg width="20" height="20" viewBox="0 0 20 20" aria-hidden="true">
          <path fill="currentColor" d="M13 2a8.3 8.3 0 1 0 5 11.8A7 7 0 0 1 13 2Z" />
        </svg>
        Noctuary
      </a>
      {tab && (
        <>
          <nav aria-label="Main">
            {TABS.map(({ tab: one, path, name }) => (
              <a href={path} aria-current={one === tab ? 'page' : undefined}>
                {name}
              </a>
            ))}
          </nav>
          <search>
            <form method="get" action="/search">
              <svg viewBox="0 0 16 16" aria-hidden="true">
                <path d="M7 2A5 5 0 1 1 6.9 2M10.5 10.5 14.5 14.5" />
              </svg>
              <input
                id="search"
                type="search"
                name="q"
                value={query}
                maxlength={200}
                placeholder="Search"
                aria-label="Search services, shas, flags, people, incidents"
                aria-keyshortcuts="/"
                autocomplete="off"
              />
              <kbd>/</kbd>
            </form>
          </search>
        </>
      )}
    </div>
  </header>
)
