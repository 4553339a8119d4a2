import type pg from 'pg'

export const TIMES = 7

export type Reading = {
  readonly name: string
  /** From outside, in milliseconds: the quickest of several, which others on the machine disturbed least. */
  readonly ms: number
  /** Pages of 8 kB that its statements touched in Postgres, and rows of tables they read. */
  readonly buffers?: number
  readonly rowsRead?: number
  readonly shown?: number
  /** Why there is no more to tell: the others are measured all the same. */
  readonly failure?: string
}

export type Probe = {
  /** Times work that may answer how much it shows, and reads anew what its statements read. */
  readonly watch: (name: string, work: () => Promise<number | undefined>) => Promise<Reading>
  /** Takes what goes on after an answer: it is part of what was asked for, and none of its time. */
  readonly defer: (work: Promise<unknown>) => void
  /** To be called where all is asked for again, so that it is counted once. */
  readonly forget: () => void
  /** Times work; `before` each is not counted. */
  readonly time: (name: string, work: () => Promise<void>, before?: () => Promise<void>) => Promise<Reading>
}

type Statement = { readonly query: string; readonly params: readonly unknown[] }

/** Listens to what this process sends in Neon's protocol, to ask the server itself what such statements read. */
export function createProbe(client: pg.Client): Probe {
  let heard: Statement[] | undefined
  const send = globalThis.fetch
  globalThis.fetch = (input, init) => {
    if (heard && String(input).endsWith('/sql') && typeof init?.body === 'string') {
      const body: Statement | { readonly queries: readonly Statement[] } = JSON.parse(init.body)
      heard.push(...('queries' in body ? body.queries : [body]))
    }
    return send(input, init)
  }
  const deferred: Promise<unknown>[] = []
  const settle = async () => {
    while (deferred.length > 0) await Promise.allSettled(deferred.splice(0))
  }
  const timeOnce = async (work: () => Promise<unknown>) => {
    const startedAt = performance.now()
    await work()
    return performance.now() - startedAt
  }
  const timeAll = async (work: () => Promise<unknown>, before?: () => Promise<void>) => {
    const times: number[] = []
    for (let each = 0; each < TIMES; each += 1) {
      await before?.()
      times.push(await timeOnce(work))
      await settle()
    }
    return Math.min(...times)
  }
  const read = async (name: string, work: () => Promise<Omit<Reading, 'name'>>): Promise<Reading> => {
    try {
      return { name, ...(await work()) }
    } catch (error) {
      return { name, ms: Number.NaN, failure: error instanceof Error ? error.message : String(error) }
    } finally {
      heard = undefined
    }
  }
  return {
    defer: (work) => void deferred.push(work),
    forget: () => void heard?.splice(0),
    time: (name, work, before) => read(name, async () => ({ ms: await timeAll(work, before) })),
    watch: (name, work) =>
      read(name, async () => {
        await settle()
        heard = []
        const shown = await work()
        await settle()
        const statements = heard
        heard = undefined
        const ms = await timeAll(work)
        let [buffers, rowsRead] = [0, 0]
        for (const statement of statements) {
          // The first time a session also reads what the catalogue says of tables and functions, which is no part of the statement.
          await explain(client, statement)
          const cost = await explain(client, statement)
          buffers += cost.buffers
          rowsRead += cost.rowsRead
        }
        return { ms, buffers, rowsRead, ...(shown === undefined ? {} : { shown }) }
      }),
  }
}

/** What a statement reads, without what it changes. */
async function explain(client: pg.Client, { query, params }: Statement): Promise<{ readonly buffers: number; readonly rowsRead: number }> {
  await client.query('BEGIN')
  try {
    const before = await countRead(client)
    const { rows } = await client.query(`EXPLAIN (ANALYZE, BUFFERS, FORMAT JSON) ${query}`, [...params])
    const plan = rows[0]?.['QUERY PLAN'][0].Plan
    return { buffers: plan['Shared Hit Blocks'] + plan['Shared Read Blocks'], rowsRead: (await countRead(client)) - before }
  } finally {
    await client.query('ROLLBACK')
  }
}

/** Rows of tables that this session has read and not yet told the server's statistics of. */
async function countRead(client: pg.Client): Promise<number> {
  const { rows } = await client.query<{ read: string }>(
    'SELECT coalesce(sum(coalesce(seq_tup_read, 0) + coalesce(idx_tup_fetch, 0)), 0) AS read FROM pg_stat_xact_user_tables',
  )
  return Number(rows[0]?.read)
}
