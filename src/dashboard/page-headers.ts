import { NONCE, secureHeaders } from 'hono/secure-headers'

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
  strictTransportSecurity: 'max-age=31536000; includeSubDomains',
  xFrameOptions: 'DENY',
  xDownloadOptions: false,
  xPermittedCrossDomainPolicies: false,
  xXssProtection: false,
  xDnsPrefetchControl: false,
})
