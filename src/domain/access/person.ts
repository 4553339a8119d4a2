/** What people may do: look at everything, or manage, too. */
export const PERSON_ROLES = ['viewer', 'readonly'] as const
export type PersonRole = (typeof PERSON_ROLES)[number]

/** Printable ASCII: what only looks like an address, or becomes one in lower case, is none. */
const ASCII = /^[\x21-\x7e]{3,254}$/
const LOCAL_PART = /^[^@]{1,64}$/
const DOMAIN = /^[a-z0-9-]{1,63}(?:\.[a-z0-9-]{1,63}){1,8}$/

/** An e-mail address as people are compared by it; `undefined` for what is none. */
export function toEmail(text: string): string | undefined {
  const address = text.trim()
  const [local = '', domain = '', ...more] = address.toLowerCase().split('@')
  return ASCII.test(address) && more.length === 0 && LOCAL_PART.test(local) && DOMAIN.test(domain) ? `${local}@${domain}` : undefined
}

/** Whom an entry lists: one address or, as `@example.com`, everybody of a domain; `undefined` for neither. */
export function toPeople(text: string): string | undefined {
  const people = text.trim()
  if (people.lastIndexOf('@') > 0) return toEmail(people)
  const domain = people.replace(/^@/, '').toLowerCase()
  return ASCII.test(people) && DOMAIN.test(domain) ? `@${domain}` : undefined
}

/** The entries that list somebody: the address itself, which comes first, and its domain. */
export function toEntriesOf(email: string): readonly [address: string, domain: string] {
  return [email, email.slice(email.lastIndexOf('@'))]
}
