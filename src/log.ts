/** One structured log line: the name of what happened, and fields that carry no secret and no raw line. */
export type Log = (event: string, fields: Readonly<Record<string, unknown>>) => void

/** Writes lines of JSON where the Worker's logs are gathered. */
export const logToConsole: Log = (event, fields) => console.log(JSON.stringify({ event, ...fields }))
