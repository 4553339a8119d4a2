import { NONCE, secureHeaders } from 'hono/secure-headers'
import { FOR_BROWSERS } from '../http/headers.ts'

const SELF = "'self'"
const NOBODY = "'none'"

/** What a page may do: show itself, run its own script, ask this host, post its forms here. Nobody may frame it. */
export const PAGE_HEADERS = secureHeaders({
  contentSecurityPolicy: {
    defaultSrc: [NOBODY],
    styleSrc: [NONCE],
    scriptSrc: [NONCE],
    imgSrc: [SELF],
    connectSrc: [SELF],
    formAction: [SELF],
    baseUri: [NOBODY],
    frameAncestors: [NOBODY],
  },
  permissionsPolicy: { camera: [], geolocation: [], microphone: [] },
  referrerPolicy: 'same-origin',
  ...FOR_BROWSERS,
})
