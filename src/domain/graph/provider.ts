/** Companies whose services others call, by the names that people, client libraries and their exceptions give them. */
const COMPANY =
  /(?:^|[^a-z0-9-])(stripe|paypal|adyen|braintree|klarna|mollie|twilio|sendgrid|mailgun|mailchimp|auth0|okta|firebase|algolia|cloudinary|mapbox|plaid|shopify|salesforce|zendesk|hubspot|openai|anthropic|github|cloudflare|fastly|akamai|dynamodb|s3|sqs|sns|kinesis|bigquery)(?:[^a-z0-9-]|$|(?:api|client|connection|rate_?limit|request|rest|service|timeout)?(?:exception|error)\b)/i
/** What stands for one where nobody names it. */
const ROLE =
  /\b((?:upstream|external|third[- ]party|payments?|sms|e-?mail|identity|shipping|maps) (?:provider|processor|vendor|partner)|(?:third[- ]party|external|partner) (?:api|service))\b/i
/** It did not answer, or said that it cannot. */
const AWAY =
  /unavailable|unreachable|time(?:d)?[ -]?out|deadline|refused|reset|hang ?up|outage|\bdown\b|overload|degraded|too many requests|rate.?limit|quota|\b(?:429|5\d\d)\b|api.?(?:connection)?.?error|certificate/i
/** It answered, and whoever asked is wrong. */
const OWN_FAULT = /invalid|unauthori[sz]ed|forbidden|\bno such\b|not found|declined|missing|malformed|\b4(?:0\d|1\d|2[0-8])\b/i

/** The company or kind of provider that a text says failed, where it names no host. */
export function namedProvider(text: string): string | undefined {
  const name = COMPANY.exec(text)?.[1] ?? ROLE.exec(text)?.[1]
  return name !== undefined && AWAY.test(text) && !OWN_FAULT.test(text) ? name.toLowerCase() : undefined
}
