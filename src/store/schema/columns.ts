import { customType, timestamp } from 'drizzle-orm/pg-core'

/** A `timestamptz`. */
export const instant = (name: string) => timestamp(name, { withTimezone: true })

export const transactionId = customType<{ data: string }>({ dataType: () => 'xid8' })
