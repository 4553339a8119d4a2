import { sign } from 'hono/jwt'
import { serveJson } from '../stack/json-server.ts'

type Key = JsonWebKey & { readonly kid: string }
type Claims = Readonly<Record<string, unknown>>

/** A team of Cloudflare Access: it shows its keys as Access does, and signs by the last one. */
export type AccessTeam = {
  readonly origin: string
  /** How often its keys were asked for. */
  readonly asked: () => number
  /** Takes another key, and shows it beside the one before. */
  readonly rotate: () => Promise<void>
  /** Answers with that status from now on. */
  readonly answerWith: (status: number) => void
  /** Whom it vouches for; `claims` are beside those of a good assertion, or in their place. */
  readonly assert: (email: string | undefined, claims?: Claims) => Promise<string>
  readonly publicKeys: () => readonly Key[]
  readonly stop: () => Promise<void>
}

export const AUDIENCE = 'aud-of-the-tests'

/** Starts a team on this machine. */
export async function startAccessTeam(): Promise<AccessTeam> {
  const pairs: { readonly open: Key; readonly secret: Key }[] = []
  let asked = 0
  let status = 200
  const rotate = async () => void pairs.push(await makePair(`kid-${pairs.length + 1}-${Math.random()}`))
  await rotate()
  const { url: origin, stop } = await serveJson({ methods: ['GET'] }, async ({ path }) => {
    asked += 1
    const body = { keys: pairs.slice(-2).map(({ open }) => open), public_cert: {}, public_certs: [] }
    return path === '/cdn-cgi/access/certs' ? { status, body } : { status: 404, body: {} }
  })
  return {
    origin,
    asked: () => asked,
    rotate,
    answerWith: (next) => {
      status = next
    },
    assert: async (email, claims = {}) => {
      const now = Math.floor(Date.now() / 1_000)
      const usual = { aud: [AUDIENCE], email, iss: origin, iat: now, nbf: now, exp: now + 3_600, type: 'app', sub: 'u-1', country: 'NL' }
      const [last] = pairs.slice(-1)
      if (!last) throw new Error('a team has a key')
      return await sign(JSON.parse(JSON.stringify({ ...usual, ...claims })), last.secret, 'RS256')
    },
    publicKeys: () => pairs.map(({ open }) => open),
    stop,
  }
}

async function makePair(kid: string) {
  const algorithm = { name: 'RSASSA-PKCS1-v1_5', modulusLength: 2048, publicExponent: new Uint8Array([1, 0, 1]), hash: 'SHA-256' }
  const { publicKey, privateKey } = await crypto.subtle.generateKey(algorithm, true, ['sign', 'verify'])
  const shared = { kid, alg: 'RS256' }
  return {
    open: { ...(await crypto.subtle.exportKey('jwk', publicKey)), ...shared, use: 'sig' },
    secret: { ...(await crypto.subtle.exportKey('jwk', privateKey)), ...shared },
  }
}
