import type { Hono } from 'hono'
import { fingerprint } from './fingerprint.ts'
import { ICON } from './icon.ts'
import type { PageEnv } from './page-env.ts'
import { SCRIPT } from './script.ts'
import { STYLE } from './style.ts'

type Asset = { readonly path: string; readonly type: string; readonly text: string }

/** What pages are made with besides their markup, under names that change with their content. */
export const ASSETS = {
  style: toAsset('style.css', 'text/css; charset=utf-8', STYLE),
  script: toAsset('script.js', 'text/javascript; charset=utf-8', SCRIPT),
  icon: toAsset('icon.svg', 'image/svg+xml', ICON),
} as const satisfies Record<string, Asset>

/** Answers the assets, which a browser may keep for ever: they hold no data. */
export function serveAssets(router: Hono<PageEnv>): void {
  for (const { path, type, text } of Object.values(ASSETS)) {
    router.get(path, (c) => c.body(text, 200, { 'Content-Type': type, 'Cache-Control': 'public, max-age=31536000, immutable' }))
  }
}

function toAsset(name: string, type: string, text: string): Asset {
  return { path: `/dashboard/${fingerprint(text)}/${name}`, type, text }
}
